r"""Bytes in an access line that a client should have percent-encoded: how servers write them, as percent escapes again.

nginx writes ``\xEC\x84\x9C`` and ``\x5C`` for a backslash (``escape=default`` of its ``log_format``), Apache
``\xec\x84\x9c`` and C escapes (``ap_escape_logitem``). uWSGI writes the bytes as they are; Django's runserver and older
versions of gunicorn decode them as Latin-1.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

_METHOD = "[A-Z][A-Z-]{1,30}"
_PRINTABLE = bytes(range(0x21, 0x7F)).decode()
_RAW = re.compile(
    rf'(?P<quoted>"{_METHOD} )(?P<path>[!-~]*[^\0-\x7f][^\0- ]*)(?= HTTP/|" [0-9]{{3}} )'
    rf"|(?P<plain>(?:\] |\AHTTP ){_METHOD} )(?P<text>[!-~]*[^\0-\x7f][^\0- ]*)(?= => generated | [0-9]{{3}} \[)"
)
_C1 = re.compile("[\x80-\x9f]")  # no readable text has these

_ESCAPING = re.compile(rf'\[[^\]\n]{{10,40}} [+-][0-9]{{4}}\] "{_METHOD} \S+ HTTP/')
"""The common log format of nginx and Apache; Daphne's has neither an offset nor a protocol."""

_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|([\\"bnrtv]))')
_C_ESCAPES = {"\\": "%5C", '"': "%22", "b": "%08", "n": "%0A", "r": "%0D", "t": "%09", "v": "%0B"}


_INSPECTED = re.compile(rf'[^\s"={{]+ \S+ \S+ \[[^\]\n]{{10,40}}\] \\"{_METHOD} ')
_INSPECT_ESCAPE = re.compile(r'\\(?:x([0-9A-F]{2})|(["\\]))')


def readable_quotes(text: str) -> str:
    r"""Return a line in the common log format without the escapes that it got because it is not valid UTF-8.

    The codecs write ``\xBC`` for a byte, and then ``\"`` for all quotes; the bytes become percent escapes.
    """
    if '\\"' not in text or not _INSPECTED.match(text):
        return text
    return _INSPECT_ESCAPE.sub(lambda match: f"%{match[1]}" if match[1] else match[2], text)


def encode_raw_paths(text: str) -> str:
    """Return a text with the paths of its requests percent-encoded where they have other characters than ASCII."""
    return _RAW.sub(_encode, text)


def _encode(match: re.Match[str]) -> str:
    if (path := match["path"]) is None:
        data = match["text"].encode("utf-8", "surrogatepass")
    else:
        data = _raw_bytes(path, from_runserver=match.start() == 0)
    return (match["quoted"] or match["plain"]) + quote_from_bytes(data, _PRINTABLE)


def _raw_bytes(path: str, *, from_runserver: bool) -> bytes:
    """Return the bytes that a server received: its text may be Latin-1 (runserver's is) or UTF-8.

    It is Latin-1 if that gives bytes in UTF-8 or EUC-KR: words with accents seldom have them in pairs.
    """
    try:
        data = path.encode("latin-1")
        if not from_runserver and not _C1.search(path) and not _is_in(data, "utf-8") and not _is_in(data, "euc_kr"):
            return path.encode()
    except UnicodeError:
        return path.encode("utf-8", "surrogatepass")
    return data


def _is_in(data: bytes, charset: str) -> bool:
    try:
        data.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def writes_escapes(text: str) -> bool:
    """Return whether an access line has the form of a server that escapes bytes, and so backslashes, too."""
    return _ESCAPING.search(text) is not None


def percent_escapes(text: str) -> str:
    r"""Return a path or a URL with ``\xEC`` as ``%EC``."""
    return _ESCAPE.sub(lambda match: f"%{match[1].upper()}" if match[1] else _C_ESCAPES[match[2]], text)
