"""What messages of the same kind have in common: their text with numbers, ids, addresses and quoted texts masked."""

from __future__ import annotations

import re

MAX_CHARS = 300
"""What follows in a message is not looked at."""

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_EMAIL = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?"
_IPV6_START = r"(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{0,4}:){1,6}:[0-9a-fA-F:]{0,39}"
_IPV6 = rf"\[?(?:{_IPV6_START})(?:(?:\.\d{{1,3}}){{3}})?(?:\](?::\d{{1,5}})?)?"

_MASKS = re.compile(
    rf"(?P<query>(?<=[\w/])\?[\w%.\[\]-]+=\S*)"
    rf"|(?P<object><[A-Za-z_][\w.]*(?::| object| at )[^<>]*>)"
    rf"|\b(?P<id>{_UUID}|0[xX][0-9a-fA-F]+)\b"
    rf"|\b(?P<time>{_TIME})\b"
    rf"|(?<![\w.+-])(?P<email>{_EMAIL})"
    rf"|(?<![\w.:])(?P<ip>{_IPV4}(?!\.?\w)|{_IPV6})(?![\w:])"
    r"|(?<!\w)[-+]?(?P<number>\d+(?:[.,:/-]\d+)*)(?P<unit>[^\W\d_]{0,3})(?!\w)"
    r"|(?P<word>\w*\d\w*)"
)
_QUOTED = re.compile(r"""(?<![A-Za-z0-9_])(['"`])([^'"`\n]{0,200})\1(?![A-Za-z0-9_])""")  # Korean adds particles
_NAME = re.compile(r"[^\W\d]\w*")
_NUMBERED = re.compile(r"([^\W\d]+)\d+")


def message_pattern(message: str, *, keep_names: bool = False) -> str:
    """Return the first line of a message with what differs between messages of the same kind masked.

    ``keep_names``: texts in quotes that may be names of a program (``'NoneType'``) stay.
    """
    text = next((line for line in message[: 4 * MAX_CHARS].splitlines() if line.strip()), "").strip()[:MAX_CHARS]
    text = _QUOTED.sub(_quoted_names if keep_names else _quoted, text)
    return " ".join(_MASKS.sub(_mask, text).split())


def _quoted(match: re.Match[str]) -> str:
    return f"{match[1]}…{match[1]}"


def _quoted_names(match: re.Match[str]) -> str:
    return match[0] if _NAME.fullmatch(match[2]) else _quoted(match)


def _mask(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "unit":  # a number with its unit, which may be empty
        return f"<n>{match['unit']}"
    if kind == "query":
        return "?…"
    if kind == "object":
        return re.split(r"[^\w.<]", match[0], maxsplit=1)[0] + " …>"
    if kind == "word":
        numbered = _NUMBERED.fullmatch(match[0])  # user42, oauth2
        return f"{numbered[1]}<n>" if numbered else "<id>"
    return f"<{kind}>"
