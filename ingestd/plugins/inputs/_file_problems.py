"""What is wrong with files: logged once, and named by ``/health`` as long as it is so."""

from __future__ import annotations

from collections.abc import Mapping

from ingestd.files import readable_path
from ingestd.logs import get_logger

log = get_logger(__name__)

_MAX_SHOWN = 20


class Problems:
    """Sentences by what they are about, such as a path; names of files in them need not be UTF-8.

    Args:
        pipeline: For the log.
        input_id: For the log.
    """

    def __init__(self, pipeline: str, input_id: str) -> None:
        self._labels = {"pipeline": pipeline, "input": input_id}
        self._texts: dict[str, str] = {}
        self._groups: dict[str, Mapping[str, str]] = {}

    def add(self, about: str, text: str) -> None:
        """Note a problem; logged if it is new."""
        text = readable_path(text)
        if self._texts.get(about) != text:
            self._texts[about] = text
            log.warning("a file is not read", reason=text, **self._labels)

    def clear(self, about: str) -> None:
        """Note that there is no problem, or no such file any more."""
        if self._texts:
            self._texts.pop(about, None)

    def replace(self, group: str, texts: Mapping[str, str]) -> None:
        """Note all problems of a kind, by what they are about: others of that kind are over."""
        before, texts = self._groups.get(group, {}), {about: readable_path(text) for about, text in texts.items()}
        for text in texts.values():
            if text not in before.values():
                log.warning("a file is not read", reason=text, **self._labels)
        self._groups[group] = texts

    def sentences(self) -> list[str]:
        """Return them, at most a few."""
        found = [*self._texts.values(), *(text for texts in self._groups.values() for text in texts.values())]
        more = len(found) - _MAX_SHOWN
        return [*found[:_MAX_SHOWN], f"{more} more files are not read"] if more > 0 else found
