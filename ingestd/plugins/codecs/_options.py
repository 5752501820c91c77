"""What the codecs' options have in common."""

from __future__ import annotations

import codecs


def check_charset(charset: str) -> str:
    """Return ``charset`` if Python knows it.

    Raises:
        LookupError: It does not.
    """
    try:
        codecs.lookup(charset)
    except LookupError:
        raise LookupError(f"unknown charset {charset!r}: write UTF-8, CP949, EUC-KR, ISO-8859-1 ...") from None
    return charset
