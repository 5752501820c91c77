"""Find personal data and secrets in text: e-mail addresses, card, resident and phone numbers, tokens, IP addresses.

Every pattern looks at a bounded number of characters around a place, so that the time is linear in the length of the
text. Card numbers: ISO/IEC 7812 (Luhn); resident registration numbers of Korea with the check digit, which those
issued since October 2020 lack: these are found by their hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Redact = Callable[[str], str]
"""Returns a text without what is to be redacted; the same text if there is nothing."""

_WORD = r"A-Za-z0-9"
_DIGIT_BEFORE, _DIGIT_AFTER = r"(?<![0-9A-Za-z.])(?<![0-9]-)", r"(?![0-9A-Za-z])(?!-[0-9])"

_EMAIL = (
    rf"(?<![{_WORD}._%+-])[{_WORD}._+-]{{1,64}}(?:@|%40)(?:[{_WORD}-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}(?![{_WORD}])"
)
_CARD = rf"{_DIGIT_BEFORE}[2-69](?:[ -]?[0-9]){{12,18}}{_DIGIT_AFTER}"
_RESIDENT = rf"{_DIGIT_BEFORE}[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-?[0-9]{{7}}{_DIGIT_AFTER}"
_PHONE = (
    r"(?<![0-9A-Za-z.+])(?<![0-9]-)(?:(?:\+|00)82[ .-]?(?:\(0\))?|0)(?:"
    r"1[016789](?P<mobile>[ .-]?)[0-9]{3,4}(?P=mobile)[0-9]{4}|"
    r"(?:2|[3-6][1-5]|70|50[0-9])(?P<other>[ .-])[0-9]{3,4}(?P=other)[0-9]{4}"
    rf"){_DIGIT_AFTER}"
)
_SECRETS = (
    "access_?token|auth_?token|refresh_?token|id_?token|csrf_?token|csrfmiddlewaretoken|token|api_?key|key"
    "|client_?secret|secret|password|passwd|pwd|pass|session_?id|session|sid|jwt|authorization|auth|code"
    "|signature|sig|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature"
)
_TOKEN = (
    rf"(?P<name>[?&;](?:{_SECRETS})=)[^&;#\s\"'<>\\]{{1,4096}}|"
    r"(?P<scheme>[a-z][a-z0-9+.-]{1,15}://)[^/?#\s\"'<>\\@]{1,256}@"
)
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?<![0-9A-Za-z.-])((?:{_BYTE}\.){{3}}){_BYTE}(?![0-9A-Za-z-]|\.[0-9])"

KINDS = ("email", "card", "resident_number", "phone", "url_token", "ip")
"""What can be found. ``resident_number`` and ``phone`` are those of Korea."""

DEFAULT_KINDS = KINDS[:-1]


class _Kind(NamedTuple):
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    """A text without any of these has no match; empty: any digit."""
    replace: Callable[[re.Match[str], str], str]


def redactor(kinds: Iterable[str], replacement: str = "<{kind}>") -> Redact:
    """Return the function that redacts ``kinds``.

    Args:
        kinds: Some of ``KINDS``.
        replacement: What takes the place of what is found; ``{kind}`` is its kind. IP addresses become their network
            instead.
    """
    steps = [_step(_KINDS[kind], replacement.replace("{kind}", kind)) for kind in kinds]

    def redact(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return redact


def _step(kind: _Kind, replacement: str) -> Redact:
    substitute, hints = kind.pattern.sub, kind.hints

    def replaced(match: re.Match[str]) -> str:
        return kind.replace(match, replacement)

    def step(text: str) -> str:
        return substitute(replaced, text) if any(hint in text for hint in hints) else text

    return step


def _always(match: re.Match[str], replacement: str) -> str:
    return replacement


def _card(match: re.Match[str], replacement: str) -> str:
    digits = [int(char) for char in match[0] if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return match[0] if (sum(doubled) + sum(digits[-1::-2])) % 10 else replacement


def _resident(match: re.Match[str], replacement: str) -> str:
    text = match[0]
    if "-" in text:
        return replacement
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    total = sum(weight * int(digit) for weight, digit in zip(weights, text, strict=False))
    return replacement if (11 - total % 11) % 10 == int(text[-1]) else text


def _token(match: re.Match[str], replacement: str) -> str:
    return f"{match['name']}{replacement}" if match["name"] else f"{match['scheme']}{replacement}@"


def _network(match: re.Match[str], replacement: str) -> str:
    return f"{match[1]}0"


_DIGITS = tuple("0123456789")
_KINDS = {
    "email": _Kind(re.compile(_EMAIL), ("@", "%40"), _always),
    "card": _Kind(re.compile(_CARD), _DIGITS, _card),
    "resident_number": _Kind(re.compile(_RESIDENT), _DIGITS, _resident),
    "phone": _Kind(re.compile(_PHONE), _DIGITS, _always),
    "url_token": _Kind(re.compile(_TOKEN, re.IGNORECASE), ("=", "@"), _token),
    "ip": _Kind(re.compile(_IPV4), (".",), _network),
}
