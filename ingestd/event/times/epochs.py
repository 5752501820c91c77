"""Parse the epoch times in logs: UNIX time, in seconds or milliseconds, and TAI64N.

The forms and limits are those of Logstash's date filter. All results are nanoseconds since the epoch.
"""

from __future__ import annotations

import re

_NS = 1_000_000_000
_MAX_SECONDS = 2**31 - 1  # Logstash rejects more: those are milliseconds, for UNIX_MS

_SECONDS = re.compile(r"([+-]?)([0-9]{1,19})(?:\.([0-9]+))?")
_MILLISECONDS = re.compile(r"[+-]?[0-9]{1,19}")
_TAI64N = re.compile(r"@?([0-7][0-9A-Fa-f]{15})([0-7][0-9A-Fa-f]{7})")

_LEAP_SECONDS = 10  # TAI - UTC in 1970; Logstash ignores all later leap seconds


def parse_unix(value: object) -> int:
    """Return the time of ``1326149001``, ``"1326149001.132"`` or ``1326149001.132``; floats to the microsecond.

    Raises:
        ValueError: It is not a number, or above 2147483647.
    """
    if isinstance(value, str):
        match = _SECONDS.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not a number of seconds")
        sign, whole, fraction = match.groups()
        ns = int(whole) * _NS + int((fraction or "")[:9].ljust(9, "0"))
        ns = -ns if sign == "-" else ns
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number of seconds")
    elif isinstance(value, int):
        ns = value * _NS
    elif not abs(value) < 2**53:  # also NaN
        raise ValueError(f"{value} s is not a time")
    else:
        ns = round(value * 1_000_000) * 1_000
    if ns // _NS > _MAX_SECONDS:
        raise ValueError(f"{value} is more than {_MAX_SECONDS} s")
    return ns


def parse_unix_ms(value: object) -> int:
    """Return the time of ``1366125117000`` or ``"1366125117000"``; a float loses its fraction.

    Raises:
        ValueError: It is not an integer, or infinite.
    """
    if isinstance(value, str) and _MILLISECONDS.fullmatch(value):
        return int(value) * 1_000_000
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number of milliseconds")
    try:
        return int(value) * 1_000_000
    except OverflowError as error:
        raise ValueError(str(error)) from None


def parse_tai64n(value: object) -> int:
    """Return the time of ``@4000000050d506482dbdf024``, with or without ``@``; text after it is ignored.

    Follows https://cr.yp.to/libtai/tai64.html, with ten leap seconds, as in Logstash.

    Raises:
        ValueError: It is not a TAI64N label.
    """
    match = _TAI64N.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a TAI64N label")
    seconds = int(match[1], 16) & (2**62 - 1)
    return (seconds - _LEAP_SECONDS) * _NS + int(match[2], 16)
