"""Records that end with something else than a line feed."""

from __future__ import annotations


class DelimiterTranslator:
    """Turns records that end with ``delimiter`` into lines of the same length, so that every byte keeps its offset.

    A line feed within a record becomes a blank. A longer delimiter becomes as many line feeds: the codecs skip blank
    lines.
    """

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter, self._held = delimiter, b""

    def translate(self, data: bytes) -> bytes:
        """Return the next bytes, without those at the end that may be the start of a delimiter."""
        *records, rest = (self._held + data).split(self._delimiter)
        sizes = range(min(len(self._delimiter) - 1, len(rest)), 0, -1)
        held = next((size for size in sizes if rest.endswith(self._delimiter[:size])), 0)
        rest, self._held = rest[: len(rest) - held], rest[len(rest) - held :]
        return (b"\n" * len(self._delimiter)).join([part.replace(b"\n", b" ") for part in [*records, rest]])

    def rest(self) -> bytes:
        """Return what was held back: nothing follows."""
        held, self._held = self._held, b""
        return held.replace(b"\n", b" ")
