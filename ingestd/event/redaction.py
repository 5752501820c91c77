"""Find personal data and secrets in text: e-mail addresses, card, resident and phone numbers, tokens, IP addresses.

Every pattern looks at a bounded number of characters around a place, so that the time is linear in the length of the
text. Card numbers: ISO/IEC 7812 (Luhn); resident registration numbers of Korea with the check digit, which those
issued since October 2020 lack: these are found by their hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, IPv6Network
from itertools import groupby
from typing import NamedTuple

KINDS = ("email", "card", "resident_number", "phone", "url_token", "jwt", "ip", "ipv6")
"""What can be found. ``resident_number`` and ``phone`` are those of Korea, ``jwt`` is a JSON Web Token (RFC 7519)."""

DEFAULT_KINDS = KINDS[:-2]

Redact = Callable[[str], str]
"""Returns a text without what is to be redacted; the same text if there is nothing."""

_WORD = r"A-Za-z0-9"
_DIGIT_BEFORE, _DIGIT_AFTER = r"(?<![0-9A-Za-z.])(?<![0-9]-)", r"(?![0-9A-Za-z])(?!-[0-9])"

_EMAIL = (
    rf"(?<![{_WORD}._%+-])[{_WORD}._+-]{{1,64}}(?:@|%40)(?:[{_WORD}-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}(?![{_WORD}])"
)
_CARD = (
    rf"{_DIGIT_BEFORE}[2-69][0-9]{{3}}(?P<between>[ -]?)(?:"
    r"[0-9]{4}(?P=between)[0-9]{4}(?P=between)[0-9]{1,7}|[0-9]{6}(?P=between)[0-9]{4,5}"
    rf"){_DIGIT_AFTER}"
)
_RESIDENT = rf"{_DIGIT_BEFORE}[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-?[0-9]{{7}}{_DIGIT_AFTER}"
_PHONE = (
    r"(?<![0-9A-Za-z.+])(?<![0-9]-)(?:(?:\+|00)82[ .-]?(?:\(0\))?|0)(?:"
    r"1[016789](?P<mobile>[ .-]?)[0-9]{3,4}(?P=mobile)[0-9]{4}|"
    r"(?:2|[3-6][1-5]|70|50[0-9])(?P<other>[ .-])[0-9]{3,4}(?P=other)[0-9]{4}"
    rf"){_DIGIT_AFTER}"
)
_PARAMETERS = (
    "access_?token|auth_?token|refresh_?token|id_?token|csrf_?token|csrfmiddlewaretoken|token|api_?key|key"
    "|client_?secret|secret|password|passwd|pwd|pass|session_?id|session|sid|jwt|authorization|auth|code"
    "|signature|sig|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature"
)
_VALUE_CHAR = r"(?:[^&;#\s\"'<>\\]|\\u[0-9A-Fa-f]{4}|\\/)"  # the last two: as it is escaped in JSON
_TOKEN = rf"(?P<kept>[?&;](?:{_PARAMETERS})=){_VALUE_CHAR}{{1,4096}}"
_USER = r"(?P<kept>:\\?/\\?/)[^/?#\s\"'<>\\@]{1,256}(?=@)"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?<![0-9A-Za-z.-])(?P<kept>(?:{_BYTE}\.){{3}}){_BYTE}(?![0-9A-Za-z-]|\.[0-9])"
_JWT = r"eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{5,65536}\.[A-Za-z0-9_.-]{0,65536}"
_IPV6 = (
    r"(?<![0-9A-Za-z:.-])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4}|(?<=::))"
    r"(?![0-9A-Za-z:-]|\.[0-9])"
)
_KEPT_GROUPS = 3  # of an IPv6 address: the site, usually


class _Near(NamedTuple):
    """Places where something may be found, cheaper to see than the thing itself."""

    text: str
    """A regular expression."""
    before: int
    """How many characters before such a place belong to what is found or decide about it."""


_AT = _Near(rf"(?:@|%40)(?:[{_WORD}-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}", before=66)
_NUMBER = _Near(r"[0-9+][0-9 .()+-]{7,}[0-9]", before=2)
_DOTTED = _Near(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", before=1)
_WEB_TOKEN = _Near(r"eyJ[A-Za-z0-9_-]{5,4096}+\.[A-Za-z0-9_.-]+", before=1)
_COLONS = _Near(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:\.[0-9]{1,3}){0,3}", before=1)
_AFTER = 2  # characters after the place that decide about it


class _Pattern(NamedTuple):
    kind: str
    text: str
    """A regular expression. What its group ``kept`` matches stays."""
    near: _Near | None = None
    """Where to look for it; None: everywhere."""
    accepts: Callable[[str], bool] = bool
    """Whether a found text is of the kind."""
    mask: Callable[[str], str] = lambda found: "*" * len(found)
    """Returns what takes the place of a found text if all lengths have to stay."""


def redactor(kinds: Iterable[str], replacement: str = "<{kind}>") -> Redact:
    """Return the function that redacts ``kinds``.

    Args:
        kinds: Some of ``KINDS``.
        replacement: What takes the place of what is found; ``{kind}`` is its kind. The last number of an IP address
            becomes 0 instead, and all of an IPv6 address but its first 48 bits.
    """

    def put(pattern: _Pattern) -> Callable[[str], str]:
        if pattern.kind == "ipv6":
            return _site
        text = "0" if pattern.kind == "ip" else replacement.replace("{kind}", pattern.kind)
        return lambda found: text

    return _steps([(pattern, put(pattern)) for pattern in _of(kinds)])


def masker(kinds: Iterable[str]) -> Callable[[bytes], bytes]:
    """Return the function that masks ``kinds`` in bytes of any encoding that extends ASCII; all lengths stay.

    Digits of numbers become ``9``, so that a number in JSON stays one, the last number of an IP address 0, 10 or 100,
    digits of IPv6 addresses after the first 48 bits 0, and other characters ``*``.
    """
    redact = _steps([(pattern, pattern.mask) for pattern in _of(kinds)])

    def mask(data: bytes) -> bytes:
        text = data.decode("latin-1")  # one character for each byte
        masked = redact(text)
        return data if masked is text else masked.encode("latin-1")

    return mask


def _of(kinds: Iterable[str]) -> list[_Pattern]:
    """Return the patterns of kinds, in the order of ``KINDS``."""
    wanted = {*kinds}
    return [pattern for pattern in _PATTERNS if pattern.kind in wanted]


def _steps(wanted: list[tuple[_Pattern, Callable[[str], str]]]) -> Redact:
    """Return the function that puts something in the place of each pattern."""
    return _chain(
        [
            _chain(steps) if near is None else _nearby(near, _chain(steps))
            for near, group in groupby(wanted, lambda pair: pair[0].near)
            for steps in [[_step(pattern, put) for pattern, put in group]]
        ]
    )


def _chain(steps: list[Redact]) -> Redact:
    if len(steps) == 1:
        return steps[0]

    def redact(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return redact


def _step(pattern: _Pattern, put: Callable[[str], str]) -> Redact:
    substitute = re.compile(pattern.text, re.ASCII | re.IGNORECASE).sub
    accepts, keeps = pattern.accepts, "(?P<kept>" in pattern.text

    def replaced(match: re.Match[str]) -> str:
        kept = match["kept"] if keeps else ""
        found = match[0][len(kept) :]
        return kept + put(found) if accepts(found) else match[0]

    return lambda text: substitute(replaced, text)


def _nearby(near: _Near, redact: Redact) -> Redact:
    """Return ``redact``, applied only at the places where it can find something."""
    places, before = re.compile(near.text).finditer, near.before

    def redact_nearby(text: str) -> str:
        pieces: list[str] = []
        done = 0
        for place in places(text):
            start, end = max(done, place.start() - before), place.end()
            piece = text[start : end + _AFTER]
            changed = redact(piece)
            if changed != piece:
                pieces += (text[done:start], changed[: len(changed) - len(text[end : end + _AFTER])])
                done = end
        return "".join([*pieces, text[done:]]) if pieces else text

    return redact_nearby


def _is_card(found: str) -> bool:
    digits = [int(char) for char in found if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _is_resident_number(found: str) -> bool:
    if "-" in found:
        return True
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(weight * int(digit) for weight, digit in zip(weights, found[:12], strict=True))
    return (11 - total % 11) % 10 == int(found[-1])


def _is_ipv6(found: str) -> bool:
    if not re.search("[0-9A-Fa-f]", found):
        return False
    try:
        IPv6Address(found)
    except ValueError:
        return False
    return True


def _site(found: str) -> str:
    """Return an IPv6 address without all but its first 48 bits."""
    return str(IPv6Network((found, 16 * _KEPT_GROUPS), strict=False).network_address)


def _zeros(found: str) -> str:
    """Return an IPv6 address of the same length without all but the groups of its first 48 bits."""
    left, gap, right = found.partition("::")
    groups = left.split(":")
    kept = ":".join(groups[:_KEPT_GROUPS])
    return kept + re.sub("[0-9A-Fa-f]", "0", left[len(kept) :] + gap + right)


def _nines(found: str) -> str:
    return re.sub("[0-9]", "9", found)


_PATTERNS = (
    _Pattern("email", _EMAIL, _AT),
    _Pattern("card", _CARD, _NUMBER, _is_card, _nines),
    _Pattern("resident_number", _RESIDENT, _NUMBER, _is_resident_number, _nines),
    _Pattern("phone", _PHONE, _NUMBER, mask=_nines),
    _Pattern("url_token", _TOKEN),
    _Pattern("url_token", _USER),
    _Pattern("jwt", _JWT, _WEB_TOKEN),
    _Pattern("ip", _IPV4, _DOTTED, mask=lambda found: ("0", "10", "100")[len(found) - 1]),
    _Pattern("ipv6", _IPV6, _COLONS, _is_ipv6, _zeros),
)
