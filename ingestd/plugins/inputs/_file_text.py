"""The text of log files: other encodings than UTF-8, byte order marks, and NULs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

_BOMS = (  # longest first: that of UTF-32 starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_BOM = codecs.BOM_UTF8
_MAX_BOM_BYTES = 4

_NULS = re.compile(rb"(?<=\n)\x00+|\x00+(?=\r?\n)|\x00{8,}")
"""NULs before or after a line, and longer runs anywhere: holes that a rotated or crashed writer left."""


def charset_of_bom(start: bytes) -> str | None:
    """Return the encoding that the byte order mark of a text names, None if that is UTF-8 or there is none."""
    return next((charset for bom, charset in _BOMS if start.startswith(bom)), None)


class Utf8Reader:
    """Reads text of any encoding as UTF-8; what cannot be decoded becomes U+FFFD.

    Args:
        read: Returns the next bytes of the text, at most as many as it is asked for, empty at its end.
        charset: Python's name of the encoding; None: that of the byte order mark, else the bytes are returned as
            they are.
    """

    def __init__(self, read: Callable[[int], bytes], charset: str | None) -> None:
        self._read_raw, self._charset = read, charset
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ready, self._started, self._ended = b"", False, False

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``, empty at the end."""
        if not self._started:
            self._start()
        while not self._ready and not self._ended:
            if self._decoder is None:
                return self._read_raw(size)
            data = self._read_raw(size)
            self._ended = not data
            self._ready = self._decoder.decode(data, final=not data).encode(errors="replace")
        part, self._ready = self._ready[:size], self._ready[size:]
        return part

    def _start(self) -> None:
        """Find the encoding; the first read may return less than the byte order mark."""
        start = b""
        while len(start) < _MAX_BOM_BYTES and (data := self._read_raw(_MAX_BOM_BYTES - len(start))):
            start += data
        charset = self._charset or charset_of_bom(start)
        self._started, self._ready = True, start
        if charset is not None:
            self._decoder = codecs.getincrementaldecoder(charset)("replace")
            self._ready = self._decoder.decode(start).encode(errors="replace")


class TextCleaner:
    """Replaces what is not text by line feeds, so that every byte keeps its offset: empty lines are not events.

    That is the byte order mark of UTF-8 at the start, NULs before and after lines, and eight or more of them anywhere.

    Args:
        at_start: Whether the first bytes are those of the file. Else they start a line.
    """

    def __init__(self, *, at_start: bool = True) -> None:
        self._at_start, self._line_start = at_start, True

    def clean(self, data: bytes) -> bytes:
        """Return the next bytes of the file, cleaned."""
        if self._at_start and data.startswith(_UTF8_BOM):
            data = b"\n" * len(_UTF8_BOM) + data[len(_UTF8_BOM) :]
        self._at_start = False
        if b"\0" in data:
            data = self._without_nuls(data)
        if data:
            self._line_start = data.endswith(b"\n")
        return data

    def _without_nuls(self, data: bytes) -> bytes:
        before = b"\n" if self._line_start else b" "
        return _NULS.sub(lambda run: b"\n" * len(run[0]), before + data)[1:]
