"""When work is due: zones, changes of summer time, sleep, clocks that jump."""

import datetime
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.lifecycle.schedule import Schedule
from tests.random_cases import sampled


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


NEXT = [  # id, cron, zone, now, next, last
    ("utc", "10 0 * * *", "UTC", "2026-11-22T12:00", "2026-11-23T00:10", "2026-11-22T00:10"),
    ("on_the_minute", "10 0 * * *", "UTC", "2026-11-22T00:10", "2026-11-23T00:10", "2026-11-22T00:10"),
    ("seoul", "10 0 * * *", "Asia/Seoul", "2026-11-22T12:00", "2026-11-22T15:10", "2026-11-21T15:10"),
    ("daily", "@daily", "UTC", "2026-11-22T12:00", "2026-11-23T00:00", "2026-11-22T00:00"),
    # The night of 2026-03-29 has no 02:30 in Berlin, that of 2026-10-25 has two.
    ("skipped", "30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:30", "2026-03-28T01:30"),
    ("repeated", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30", "2026-10-24T00:30"),
    ("not_again", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:00", "2026-10-26T01:30", "2026-10-25T00:30"),
    # Midnight itself was skipped in Sao Paulo.
    ("no_midnight", "10 0 * * *", "America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:10", "2018-11-03T03:10"),
    # A whole day was skipped in Samoa.
    ("no_day", "10 0 * * *", "Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:10", "2011-12-29T10:10"),
]


@pytest.mark.parametrize(
    ("cron", "zone", "now", "following", "before"), [case[1:] for case in NEXT], ids=[case[0] for case in NEXT]
)
def test_next_and_last(cron: str, zone: str, now: str, following: str, before: str) -> None:
    schedule = Schedule(cron, zone)
    assert schedule.next(utc(now)) == utc(following)
    assert schedule.last(utc(now)) == utc(before)


DUE = [  # id, done, now, due
    ("never_done", None, "2026-11-22T12:00", True),
    ("done_today", "2026-11-22T00:10", "2026-11-22T12:00", False),
    ("next_day", "2026-11-22T00:10", "2026-11-23T00:11", True),
    ("slept_for_a_week", "2026-11-15T00:10", "2026-11-22T12:00", True),
    ("the_clock_was_ahead", "2027-01-01T00:10", "2026-11-22T12:00", True),
]


@pytest.mark.parametrize(("done", "now", "due"), [case[1:] for case in DUE], ids=[case[0] for case in DUE])
def test_due(done: str | None, now: str, due: bool) -> None:
    assert Schedule("10 0 * * *", "UTC").is_due(utc(done) if done else None, utc(now)) is due


@pytest.mark.parametrize(
    "zone", sampled(["UTC", "Asia/Seoul", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"], usual=2)
)
def test_once_a_day_through_years(zone: str) -> None:
    """Whoever asks again and again does the work once for each day of the wall clock, and skips none.

    That is every half an hour, and every ten minutes in the three days around a change of the zone.
    """
    schedule, clock = Schedule("10 0 * * *", zone), ZoneInfo(zone)

    def changes(moment: datetime.datetime) -> bool:
        days = [(moment + datetime.timedelta(days=days)).astimezone(clock).utcoffset() for days in (-1.5, 1.5)]
        return days[0] != days[1]

    moment, end = utc("2011-12-01T00:00"), utc("2012-04-01T00:00")
    done: datetime.datetime | None = None
    runs = []
    while moment < end:
        if schedule.is_due(done, moment):
            done = schedule.last(moment)
            runs.append(done)
        moment += datetime.timedelta(minutes=10 if changes(moment) else 30)
    gaps = {(after - before) for before, after in itertools.pairwise(runs[1:])}
    assert max(gaps) <= datetime.timedelta(hours=25)
    assert min(gaps) >= datetime.timedelta(hours=22, minutes=50)


@given(
    st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2035, 1, 1)),
    st.sampled_from(["UTC", "Asia/Seoul", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_last_is_never_ahead_and_next_never_behind(moment: datetime.datetime, zone: str) -> None:
    now = moment.replace(tzinfo=datetime.UTC)
    schedule = Schedule("10 0 * * *", zone)
    assert schedule.last(now) <= now < schedule.next(now)


WRONG = [  # id, cron, zone, what the error says
    ("six_fields", "0 10 0 * * *", "", "five fields"),
    ("no_hour_25", "10 25 * * *", "", "not a cron expression"),
    ("no_such_zone", "10 0 * * *", "Asia/Soul", "no time zone 'Asia/Soul'"),
    ("not_a_name", "@sometimes", "", "not a cron expression"),
]


@pytest.mark.parametrize(("cron", "zone", "text"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_errors_are_reported(cron: str, zone: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Schedule(cron, zone)
