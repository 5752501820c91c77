"""Timestamps of events: UTC text, ``2026-11-22T10:00:00.000Z``.

The text is the one that Logstash writes: three fraction digits, or six or nine if the value is that precise
(``java.time.Instant``). It is *canonical* if it is exactly that text for its instant, on an existing day,
years 0001 to 9999. Canonical texts without their ``Z`` sort as their instants do.

``normalise`` accepts what Logstash accepts as ``@timestamp`` (``org.logstash.Timestamp``): ISO 8601
in its extended form, date first; the time, or the end of it, may be missing.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from ingestd.event.times.zones import OFFSET, find_zone, offset_seconds

_NS = 1_000_000_000
_DAY = 86_400
_EPOCH = datetime(1970, 1, 1)  # like all datetimes of this module: UTC, without a tzinfo
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 and 9999

_CANONICAL = re.compile(
    r"""(?!0000)[0-9]{4}-
    (?: (?:0[1-9]|1[0-2]) - (?:0[1-9]|1[0-9]|2[0-8])
      | (?:0[13-9]|1[0-2]) - (?:29|30)
      | (?:0[13578]|1[02]) - 31
      | 02-29 (?: (?<=[02468][48]-02-29) | (?<=[13579][26]-02-29) | (?<=[2468]0-02-29)
                | (?<=[02468][048]00-02-29) | (?<=[13579][26]00-02-29) )
    )
    T (?:[01][0-9]|2[0-3]) : [0-5][0-9] : [0-5][0-9]
    \.[0-9]{3} (?: (?!000Z)[0-9]{3} (?: (?!000)[0-9]{3} )? )? Z""",
    re.VERBOSE,
)
_canonical = _CANONICAL.fullmatch

_ISO = re.compile(
    rf"""([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})
    (?: [Tt] ([01][0-9]|2[0-4]) : ([0-5][0-9]) (?: : ([0-5][0-9]) (?: [.,] ([0-9]{{0,9}}) )? )? )?
    ({OFFSET} | [A-Za-z][A-Za-z0-9_/+:-]+ )?""",
    re.VERBOSE,
)


def is_canonical(text: str) -> bool:
    """Return whether ``text`` is a timestamp in canonical form."""
    return _canonical(text) is not None


def normalise(value: object) -> str | None:
    """Return the canonical text of a timestamp, ``None`` if ``value`` is not one; a canonical text unchanged.

    Text: date, or date ``T`` time, then an offset (``Z +09:00 +0900 +09``), the name of a zone, or nothing
    for UTC. A decimal comma is accepted, ``24:00`` is the next midnight. As in Logstash, a text with a space for
    the ``T``, a leap second (``:60``) and a number are not timestamps.
    """
    if not isinstance(value, str):
        return None
    if _canonical(value):
        return value
    match = _ISO.fullmatch(value)
    if match is None:
        return None
    day, hour, minute, second, fraction, zone = match.groups()
    nanos = int((fraction or "").ljust(9, "0"))
    in_day = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    if in_day * _NS + nanos > _DAY * _NS:
        return None
    try:
        local = _start_of_day(day) + in_day
        return from_epoch_ns((local - _offset(zone, local)) * _NS + nanos)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def _start_of_day(day: str) -> int:
    """Return the seconds since the epoch of ``2026-11-22``. Raises ValueError if there is no such day."""
    return (date.fromisoformat(day).toordinal() - _EPOCH.toordinal()) * _DAY


def _offset(zone: str | None, local: int) -> int:
    """Return the seconds that ``zone``, an offset or a name, is ahead of UTC at a local time."""
    if zone is None:
        return 0
    if zone in ("Z", "z") or zone[0] in "+-":
        return offset_seconds(zone)
    offset = find_zone(zone).utcoffset(_EPOCH + timedelta(seconds=local))
    return offset // timedelta(seconds=1) if offset else 0


@lru_cache(maxsize=4096)
def _text(seconds: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        raise ValueError(f"{seconds} s since the epoch is outside the years 1 to 9999") from None


def from_epoch_ns(ns: int) -> str:
    """Return the canonical text for nanoseconds since the epoch.

    Raises:
        ValueError: The instant is outside the years 1 to 9999.
    """
    seconds, rest = divmod(ns, _NS)
    if rest % 1_000_000 == 0:
        return f"{_text(seconds)}.{rest // 1_000_000:03d}Z"
    if rest % 1_000 == 0:
        return f"{_text(seconds)}.{rest // 1_000:06d}Z"
    return f"{_text(seconds)}.{rest:09d}Z"


def from_epoch(seconds: float, nanos: int = 0) -> str:
    """Return the canonical text for seconds since the epoch; a float is rounded to the microsecond.

    Raises:
        ValueError: Infinity, NaN, or an instant outside the years 1 to 9999.
    """
    try:
        ns = seconds * _NS if isinstance(seconds, int) else round(seconds * 1_000_000) * 1_000
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return from_epoch_ns(ns + nanos)


def from_epoch_clamped(seconds: int) -> str:
    """Return the canonical text for seconds since the epoch; before the year 1 its start, after 9999 its end."""
    return from_epoch(min(max(seconds, _FIRST_SECOND), _LAST_SECOND))


def from_datetime(moment: datetime) -> str:
    """Return the canonical text for a moment with a time zone, cut to milliseconds.

    Raises:
        OverflowError: In UTC it is not in the years 1 to 9999.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _canonical_text(text: str) -> str:
    canonical = normalise(text)
    if canonical is None:
        raise ValueError(f"{text!r} is not a timestamp")
    return canonical


def to_datetime(text: str) -> tuple[datetime, int]:
    """Return the instant of a timestamp as (UTC to the second, without tzinfo; nanoseconds after it).

    Raises:
        ValueError: ``text`` is not a timestamp.
    """
    text = _canonical_text(text)
    return datetime.fromisoformat(text[:19]), int(text[20:-1].ljust(9, "0"))


def to_epoch_ns(text: str) -> int:
    """Return the nanoseconds since the epoch of a timestamp.

    Raises:
        ValueError: ``text`` is not a timestamp.
    """
    text = _canonical_text(text)
    seconds = _start_of_day(text[:10]) + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return seconds * _NS + int(text[20:-1].ljust(9, "0"))


def epoch_seconds(text: str) -> str:
    """Return the whole seconds since the epoch of a timestamp, as ``%{+%s}`` shows them.

    Raises:
        ValueError: ``text`` is not a timestamp.
    """
    return str(to_epoch_ns(text) // _NS)
