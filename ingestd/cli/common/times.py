"""Moments as people write them: ``15m`` (ago), ``2026-11-22``, ``2026-11-22 14:10``, ``today``, ``yesterday``."""

from __future__ import annotations

import datetime
import re

from ingestd.units import parse_duration

_AGO = re.compile(r"\d+(\.\d+)?\s*[a-zA-Z]+")
_DAY = re.compile(r"(\d{4})[-.](\d\d)[-.](\d\d)")
_EXPECTED = "expected 15m, 2h, 2d, 1w, today, yesterday, 2026-11-22 or 2026-11-22T14:10"


def parse_moment(text: str, now: datetime.datetime, zone: datetime.tzinfo | None = None, end: bool = False) -> str:
    """Return the moment that ``text`` names, in UTC: ``2026-11-22T10:00:00.000Z``.

    Args:
        text: So long ago, a day, or a date and time.
        now: The current time, with a time zone.
        zone: The time zone of what has no offset; ``None``: that of the machine.
        end: A day means the end of it: ``--until yesterday`` takes all of yesterday in.

    Raises:
        ValueError: It is none of these; the text tells what was expected.
    """
    try:
        moment = _moment(text.strip(), now.astimezone(zone), end)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)  # still none: astimezone() asks the machine
        return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    except (ValueError, OverflowError):
        raise ValueError(f"{_EXPECTED}, found {text!r}") from None


def _moment(text: str, now: datetime.datetime, end: bool) -> datetime.datetime:
    if text == "now":
        return now
    if _AGO.fullmatch(text):
        return now - datetime.timedelta(seconds=parse_duration(text))
    if (day := _day(text, now.date())) is not None:
        return datetime.datetime.combine(day + datetime.timedelta(days=end), datetime.time())
    return datetime.datetime.fromisoformat(text)


def _day(text: str, today: datetime.date) -> datetime.date | None:
    if text == "today":
        return today
    if text == "yesterday":
        return today - datetime.timedelta(days=1)
    found = _DAY.fullmatch(text)
    return datetime.date(*map(int, found.groups())) if found else None
