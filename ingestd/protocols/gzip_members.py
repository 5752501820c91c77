"""Inflate gzip as a whole: one member or several, as of files that were joined. See RFC 1952, section 2.2."""

from __future__ import annotations

import gzip
import io
import zlib


class GzipError(ValueError):
    """It is not gzip, its end is missing, or the text is too long."""


class TooLongError(GzipError):
    """The text is too long."""


def inflated(data: bytes, max_bytes: int) -> bytes:
    """Return the text of all members.

    Takes time in proportion to ``data`` and the text, however many members there are.

    Raises:
        TooLongError: The text has more than ``max_bytes`` bytes; a small message cannot fill the memory.
        GzipError: The data is damaged.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(max_bytes + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise GzipError(f"the data is not gzip: {error}") from None
    if len(text) > max_bytes:
        raise TooLongError(f"the text has more than {max_bytes} bytes")
    return text
