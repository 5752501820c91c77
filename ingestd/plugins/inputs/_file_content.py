"""The content of log files, plain or compressed, as UTF-8; the first bytes of a file decide, not its name."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ingestd.plugins.inputs._file_text import Utf8Reader

BLOCK_BYTES = 1 << 18
"""How much content is read at a time."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_WRITTEN_SECONDS = 60.0
_ZSTD_BYTES = 256
"""Compressed bytes at a time: a block of 4 bytes may hold 128 KiB, so this much holds 8 MiB at most."""


class ContentError(Exception):
    """The rest of a file cannot be read; the text is one sentence."""


class Content:
    """The content of a file, from its start to its end.

    Args:
        path: The file. It may be appended to meanwhile: what follows the present end is not read.
        charset: Python's name of its encoding; None: UTF-8, unless a byte order mark says UTF-16 or UTF-32.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, charset: str | None = None) -> None:
        self._path = path
        self._file = path.open("rb")
        magic = self._file.read(4)
        self._file.seek(0)
        read: Callable[[int], bytes] = self._file.read
        if magic.startswith(_GZIP):
            read = gzip.GzipFile(fileobj=self._file).read1  # read() would lose what comes before a fault
        elif magic == _ZSTD:
            read = _Zstd(self._file).read
        self._compressed = magic.startswith(_GZIP) or magic == _ZSTD
        self._read = Utf8Reader(read, charset).read
        self._problem = ""

    @property
    def position(self) -> int:
        """How many bytes of the file, compressed if it is, have been read."""
        return self._file.tell()

    def is_being_written(self, now: float) -> bool:
        """Return whether more may be appended: the file is not compressed, and was changed within the last minute.

        ``now``: seconds since the epoch.
        """
        return not self._compressed and abs(now - os.fstat(self._file.fileno()).st_mtime) < _WRITTEN_SECONDS

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        """Return the next bytes of the content, at most ``size``, empty at its end.

        Raises:
            ContentError: The file is damaged, truncated, or cannot be read; everything before was returned.
        """
        if not self._problem:
            try:
                return self._read(size)
            except EOFError:
                self._problem = f"{self._path} is cut off: its compressed content has no end"
            except (gzip.BadGzipFile, zlib.error, _DamagedError) as error:
                self._problem = f"{self._path} is damaged: {error}"
            except OSError as error:
                self._problem = f"{self._path}: {error.strerror or error}"
        raise ContentError(self._problem)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _DamagedError(Exception):
    """The content violates its format."""


class _Zstd:
    """Decompresses zstd (RFC 8878), any number of frames. Unlike the library's own reader, it notices truncation."""

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard  # noqa: PLC0415 -- few files need it

        self._new: Any = zstandard.ZstdDecompressor().decompressobj
        self._error = zstandard.ZstdError
        self._file, self._frame = file, None
        self._ready = io.BytesIO()

    def read(self, size: int, /) -> bytes:
        while not (part := self._ready.read(size)):
            data = self._file.read(_ZSTD_BYTES)
            if not data:
                if self._frame is not None:
                    raise EOFError
                return b""
            try:
                self._ready = io.BytesIO(self._decompressed(data))
            except self._error as error:
                raise _DamagedError(str(error)) from None
        return part

    def _decompressed(self, data: bytes) -> bytes:
        parts = []
        while data:
            frame = self._frame = self._frame or self._new()
            parts.append(frame.decompress(data))
            data = b""
            if frame.eof:
                self._frame, data = None, frame.unused_data
        return b"".join(parts)
