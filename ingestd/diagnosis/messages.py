"""The texts of the findings, in English and Korean: a sentence for each code, and what to do; `texts` has them.

Placeholders are ``{name}``, or ``{name:event}`` for a number of events. The values are text already; a fix may have
several lines.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingestd.diagnosis.texts import daemon, inputs, records

LANGUAGES = ("en", "ko")

SENTENCES: Mapping[str, tuple[str, str]] = {**records.SENTENCES, **inputs.SENTENCES, **daemon.SENTENCES}

FIXES: Mapping[str, tuple[str, str]] = {**records.FIXES, **inputs.FIXES, **daemon.FIXES}


_VALUES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("direction", "ahead"): ("ahead", "빠름"),
    ("direction", "ahead of"): ("ahead of", "빠름"),
    ("direction", "behind"): ("behind", "늦음"),
    ("host", ""): ("records without a host", "호스트가 없는 레코드"),
}
"""How values that are not names or numbers are written."""


class _Value(str):
    """A value; with a noun as its format it is a number: ``1 event``, ``2,000 events``."""

    def __format__(self, noun: str) -> str:
        if not noun:
            return str(self)
        ending = "" if self == "1" else "es" if noun.endswith("s") else "s"
        return f"{self} {noun}{ending}"


def sentence(code: str, values: Mapping[str, str], language: str = "en") -> str:
    """Return the sentence of a code. Raises KeyError for an unknown code, or a value that is missing."""
    at = LANGUAGES.index(language)
    written = {
        name: _Value(_VALUES[name, value][at] if (name, value) in _VALUES else value) for name, value in values.items()
    }
    return SENTENCES[code][at].format_map(written)


def fix_text(code: str, values: Mapping[str, str], language: str = "en") -> str:
    """Return what to do about a code; empty: nothing. Raises KeyError for a value that is missing."""
    texts = FIXES.get(code)
    return texts[LANGUAGES.index(language)].format_map(values) if texts else ""
