"""Words with a text in them: a condition for any store, and the same for a word."""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.stores.query import Condition, Gap, Like, Text
from ingestd.stores.words import holds, words


@dataclass(frozen=True, slots=True)
class WordFilter:
    """Words of a field that have a text in them, in any case if the text has letters or digits."""

    field: str
    text: str

    @property
    def condition(self) -> Condition:
        """The condition for events with such a word; they may have others, too."""
        return Text(self.text, (self.field,)) if words(self.text) else Like(self.field, (Gap.MANY, self.text, Gap.MANY))

    def fits(self, word: str) -> bool:
        """Return whether a word is one of them."""
        wanted = words(self.text)
        return holds(word, wanted) if wanted else self.text in word
