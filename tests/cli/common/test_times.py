"""Days and moments as they are written on the command line."""

import datetime
import time
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner

from ingestd.cli.common import times
from ingestd.cli.common.options import settings_options
from ingestd.cli.common.times import Days, Moment, local_time, parse_days, parse_moment
from ingestd.event.timestamp import from_datetime
from ingestd.settings import Settings

TODAY = datetime.date(2019, 5, 16)

GOOD = [  # id, text, first, last
    ("dots", "2019.05.15", "2019-05-15", "2019-05-15"),
    ("dashes", "2019-05-15", "2019-05-15", "2019-05-15"),
    ("digits", "20190515", "2019-05-15", "2019-05-15"),
    ("yesterday", "yesterday", "2019-05-15", "2019-05-15"),
    ("range", "2019.04.29..2019.05.02", "2019-04-29", "2019-05-02"),
    ("until_today", "2019.05.14..today", "2019-05-14", "2019-05-16"),
]


@pytest.mark.parametrize(("text", "first", "last"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_parse_days(text: str, first: str, last: str) -> None:
    days = parse_days(text, TODAY)
    assert (str(days[0]), str(days[-1])) == (first, last)
    assert len(days) == (days[-1] - days[0]).days + 1


BAD = [  # id, text, what the error says
    ("word", "monday", "expected a day"),
    ("no_such_day", "2019.02.30", "expected a day"),
    ("backwards", "2019.05.15..2019.05.14", "ends before it begins"),
    ("too_long", "1019.05.15..2019.05.14", "more than"),
    ("open", "2019.05.15..", "expected a day"),
    ("week", "2019-W20", "expected a day"),
    ("odd_digits", "２０１９.05.15", "expected a day"),
]


@pytest.mark.parametrize(("text", "error"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_no_day(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_days(text, TODAY)


NOW = datetime.datetime(2026, 11, 22, 20, 0, tzinfo=datetime.UTC)  # 05:00 of the 23rd in Seoul
SEOUL = ZoneInfo("Asia/Seoul")

MOMENTS = [  # id, text, as a start, as an end
    ("minutes", "15m", "2026-11-22T19:45:00.000Z", "2026-11-22T19:45:00.000Z"),
    ("days", "2d", "2026-11-20T20:00:00.000Z", "2026-11-20T20:00:00.000Z"),
    ("week", "1w", "2026-11-15T20:00:00.000Z", "2026-11-15T20:00:00.000Z"),
    ("fraction", "1.5h", "2026-11-22T18:30:00.000Z", "2026-11-22T18:30:00.000Z"),
    ("now", "now", "2026-11-22T20:00:00.000Z", "2026-11-22T20:00:00.000Z"),
    ("today", "today", "2026-11-22T15:00:00.000Z", "2026-11-23T15:00:00.000Z"),
    ("yesterday", "yesterday", "2026-11-21T15:00:00.000Z", "2026-11-22T15:00:00.000Z"),
    ("date", "2026-11-01", "2026-10-31T15:00:00.000Z", "2026-11-01T15:00:00.000Z"),
    ("date_as_in_an_index", "2026.11.01", "2026-10-31T15:00:00.000Z", "2026-11-01T15:00:00.000Z"),
    ("local_time", "2026-11-22T14:10", "2026-11-22T05:10:00.000Z", "2026-11-22T05:10:00.000Z"),
    ("local_time_with_blank", "2026-11-22 14:10:05", "2026-11-22T05:10:05.000Z", "2026-11-22T05:10:05.000Z"),
    ("utc", "2026-11-22T14:10:00.5Z", "2026-11-22T14:10:00.500Z", "2026-11-22T14:10:00.500Z"),
    ("offset", "2026-11-22T14:10+01:00", "2026-11-22T13:10:00.000Z", "2026-11-22T13:10:00.000Z"),
]


@pytest.mark.parametrize(("text", "start", "end"), [c[1:] for c in MOMENTS], ids=[c[0] for c in MOMENTS])
def test_moments(text: str, start: str, end: str) -> None:
    assert parse_moment(text, NOW, SEOUL) == start
    assert parse_moment(text, NOW, SEOUL, end=True) == end


@pytest.mark.parametrize("text", ["", "soon", "5", "5q", "2026", "2026-13-01", "9999999999w", "0001-01-01"])
def test_no_moments(text: str) -> None:
    with pytest.raises(ValueError, match="expected 15m"):
        parse_moment(text, NOW, SEOUL)


@pytest.mark.parametrize(
    ("timestamp", "timespec", "text"),
    [
        ("2026-11-22T10:00:00.5Z", "milliseconds", "2026-11-22 19:00:00.500"),
        ("2026-11-22T10:00:00Z", "seconds", "2026-11-22 19:00:00"),
        ("soon", "seconds", "soon"),
        (None, "seconds", ""),
    ],
)
def test_local_time(timestamp: str | None, timespec: str, text: str) -> None:
    assert local_time(timestamp, timespec, SEOUL) == text


ZONES = [  # id, TZ, index_timezone, yesterday at 07:28 of November 29 in Seoul
    ("machine", "Asia/Seoul", None, "2026-11-28"),
    ("machine_in_utc", "UTC", None, "2026-11-27"),
    ("site", "UTC", "Asia/Seoul", "2026-11-28"),
    ("site_in_utc", "Asia/Seoul", "UTC", "2026-11-27"),
]


@pytest.mark.parametrize(("machine", "site", "yesterday"), [z[1:] for z in ZONES], ids=[z[0] for z in ZONES])
def test_yesterday_is_that_of_the_site_in_every_command(
    monkeypatch: pytest.MonkeyPatch, machine: str, site: str | None, yesterday: str
) -> None:
    moment = datetime.datetime.fromisoformat("2026-11-29T07:28+09:00")
    found: list[str] = []

    @click.command()
    @click.option("--since", type=Moment())
    @click.argument("days", type=Days())
    @settings_options("data_dir")
    def command(settings: Settings, since: str, days: list[datetime.date]) -> None:
        found.extend([since, *map(str, days)])

    with monkeypatch.context() as patch:
        patch.setattr(times, "now", lambda zone=None: moment.astimezone(zone))
        patch.setenv("TZ", machine)
        patch.delenv("INGESTD_INDEX_TIMEZONE", raising=False)
        if site is not None:
            patch.setenv("INGESTD_INDEX_TIMEZONE", site)
        time.tzset()
        result = CliRunner().invoke(command, ["--since", "yesterday", "yesterday"])
    time.tzset()
    assert result.exit_code == 0, result.output
    start = datetime.datetime.combine(
        datetime.date.fromisoformat(yesterday), datetime.time(), ZoneInfo(site or machine)
    )
    assert found == [from_datetime(start), yesterday]
