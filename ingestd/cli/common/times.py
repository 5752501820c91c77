"""Moments and days on the command line: how they are parsed, and how times are shown.

Every function takes the time zone as a parameter, and ``None`` means the machine's. ``today`` and ``yesterday`` are
those of the site in every command: see `Settings.site_zone`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import click

from ingestd.event.timestamp import from_datetime
from ingestd.settings import SettingsError, find_settings_file, load_settings
from ingestd.units import parse_duration

_AGO = re.compile(r"\d+(\.\d+)?\s*[a-zA-Z]+", re.ASCII)
_DAY = re.compile(r"(\d{4})[-.]?(\d\d)[-.]?(\d\d)", re.ASCII)
_EXPECTED_MOMENT = "expected 15m, 2h, 2d, 1w, today, yesterday, 2026-11-22 or 2026-11-22T14:10"
_EXPECTED_DAY = "expected a day such as 2026-11-22, today or yesterday"
_MAX_DAYS = 3660

ZONE_SETTINGS = ("data_dir", "index_timezone")
"""The settings that `Settings.site_zone` depends on."""


def now(zone: datetime.tzinfo | None = None) -> datetime.datetime:
    """Return the current time in ``zone``."""
    return datetime.datetime.now(datetime.UTC).astimezone(zone)


def parse_day(text: str, today: datetime.date) -> datetime.date:
    """Return the day in ``text``: ``2026-11-22``, ``2026.11.22``, ``today`` or ``yesterday``.

    Raises:
        ValueError: It is not a day.
    """
    if text in {"today", "yesterday"}:
        return today - datetime.timedelta(days=text == "yesterday")
    try:
        if found := _DAY.fullmatch(text):
            return datetime.date(*map(int, found.groups()))
    except ValueError:
        pass
    raise ValueError(f"{_EXPECTED_DAY}, found {text!r}")


def parse_days(text: str, today: datetime.date) -> list[datetime.date]:
    """Return the days in ``text``, oldest first: a day, or a range such as ``2026.11.01..2026.11.22``.

    Raises:
        ValueError: It is neither, or the range is empty or too long.
    """
    first, dots, last = text.partition("..")
    start = parse_day(first, today)
    end = parse_day(last, today) if dots else start
    if end < start:
        raise ValueError(f"the range {text} ends before it begins")
    if (end - start).days > _MAX_DAYS:
        raise ValueError(f"the range {text} has more than {_MAX_DAYS} days")
    return [start + datetime.timedelta(days=number) for number in range((end - start).days + 1)]


def parse_moment(text: str, now: datetime.datetime, zone: datetime.tzinfo | None = None, end: bool = False) -> str:
    """Return the moment in ``text``, in UTC: ``2026-11-22T10:00:00.000Z``.

    Args:
        text: A duration (ago), a day, or a date and time.
        now: The current time, with a time zone.
        zone: The time zone of what has no offset.
        end: Whether a day means its end: ``--until yesterday`` includes all of yesterday.

    Raises:
        ValueError: It is none of these; the message says what was expected.
    """
    try:
        moment = _moment(text.strip(), now.astimezone(zone), end)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)  # if still None, astimezone() uses the machine's
        return from_datetime(moment)
    except (ValueError, OverflowError):
        raise ValueError(f"{_EXPECTED_MOMENT}, found {text!r}") from None


def _moment(text: str, now: datetime.datetime, end: bool) -> datetime.datetime:
    if text == "now":
        return now
    if _AGO.fullmatch(text):
        return now - datetime.timedelta(seconds=parse_duration(text))
    try:
        day = parse_day(text, now.date())
    except ValueError:
        return datetime.datetime.fromisoformat(text)
    return datetime.datetime.combine(day + datetime.timedelta(days=end), datetime.time())


def local_time(timestamp: Any, timespec: str = "milliseconds", zone: datetime.tzinfo | None = None) -> str:
    """Return an ISO timestamp as time in ``zone``: ``2026-11-22 19:00:00.000``; anything else as text."""
    try:
        moment = datetime.datetime.fromisoformat(timestamp).astimezone(zone)
    except (TypeError, ValueError, OverflowError):
        return str(timestamp or "")
    return moment.replace(tzinfo=None).isoformat(" ", timespec)


def local_datetime(seconds: float, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    """Return seconds since the epoch as a time in ``zone``; in UTC where the years 1 to 9999 end there."""
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment


def zone_name(zone: datetime.tzinfo | None = None) -> str:
    """Return the name of a time zone: ``Asia/Seoul``, or such as ``KST`` for the machine's."""
    return zone.key if isinstance(zone, ZoneInfo) else now(zone).strftime("%Z")


def zone_note(zone: datetime.tzinfo | None) -> str:
    """Return `` (Asia/Seoul)``, to follow a time, if the zone is not the machine's; else nothing."""
    same = zone is None or now(zone).utcoffset() == now().utcoffset()
    return "" if same else f" ({zone_name(zone)})"


def site_zone(ctx: click.Context | None) -> datetime.tzinfo | None:
    """Return `Settings.site_zone` while the options of a command are still being converted.

    Settings that cannot be read are reported by the command itself.
    """
    if ctx is None:
        return None
    # These options are eager: their values are known, and text if they were given, before others are converted.
    given = {name: value for name, value in ctx.params.items() if isinstance(value, str)}
    flags = {name: given.get(f"setting_{name}") for name in ZONE_SETTINGS}
    try:
        return load_settings(find_settings_file(given.get("settings_file")), flags=flags).site_zone
    except SettingsError:
        return None


class Moment(click.ParamType[str]):
    """A moment, as `parse_moment` reads it; ``end``: a day means its end."""

    name = "time"

    def __init__(self, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the moment in UTC."""
        try:
            return parse_moment(value, now(), site_zone(ctx), self._end)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Day(click.ParamType[Any]):
    """A day, as `parse_day` reads it."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the day."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value, now(site_zone(ctx)).date())
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def parse(self, text: str, today: datetime.date) -> Any:
        """Return what ``text`` means on the day ``today``; raises ValueError."""
        return parse_day(text, today)


class Days(Day):
    """A day or a range of days, as `parse_days` reads it."""

    def parse(self, text: str, today: datetime.date) -> list[datetime.date]:
        """Return the days, oldest first."""
        return parse_days(text, today)


def day_range(days: Sequence[datetime.date] | None) -> str:
    """Return a day or a range of days as text; empty for None."""
    if not days:
        return ""
    first, last = min(days), max(days)
    return f"{first}" if first == last else f"{first}..{last}"
