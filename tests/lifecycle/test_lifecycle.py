"""Backup and retention over weeks: a real store, a real repository, and a clock that does what clocks do."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.scheduler import Scheduler
from ingestd.settings import load_settings
from ingestd.stores.backups import Repository, fullest
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.stores.local.backup.backups import LocalBackups

MINUTE, HOUR, DAY = (datetime.timedelta(**{unit: 1}) for unit in ("minutes", "hours", "days"))


class World:
    """A daemon that writes an event each hour and looks whether work is due, with a clock of its own."""

    def __init__(self, folder: Path, start: str, **settings: str) -> None:
        self.data = folder / "data"
        self.time = datetime.datetime.fromisoformat(start).replace(tzinfo=datetime.UTC)
        environ = {"INGESTD_DATA_DIR": str(self.data)}
        environ |= {f"INGESTD_{name.upper()}": value for name, value in settings.items()}
        self.settings = load_settings(environ=environ)
        self.zone = ZoneInfo(self.settings.index_timezone)
        self.backups = LocalBackups(self.data)
        self.backups.add_repository(Repository("disk", "fs", {"location": str(folder / "repository")}))
        self.store = LocalStore(store_root(self.data), threads=1)
        self.scheduler = self.started()
        self.written: dict[str, int] = {}
        self.count = itertools.count()
        self.made: list[tuple[str, datetime.datetime]] = []
        self.deleted: list[tuple[str, datetime.datetime]] = []

    def started(self) -> Scheduler:
        made = build.scheduler(self.settings, lambda: self.time)
        assert made is not None
        return made

    def today(self) -> str:
        return f"logstash-{self.time.astimezone(self.zone):%Y.%m.%d}"

    def write(self) -> None:
        writer = LocalWriter(store_root(self.data), "w0")
        writer.append(self.today(), [b"{}"], [str(next(self.count))])
        writer.close()
        self.written[self.today()] = self.written.get(self.today(), 0) + 1

    def run_scheduler(self) -> None:
        before = self.today()
        report = self.scheduler.check()
        if report is not None:
            assert report.failed == {}
            assert before not in report.backed_up
            assert before not in report.deleted
            self.made += [(index, self.time) for index in report.backed_up]
            self.deleted += [(index, self.time) for index in report.deleted]

    def live(self, time: datetime.timedelta, step: datetime.timedelta = 3 * HOUR) -> None:
        """Let time go by: an event and a look at each step."""
        end = self.time + time
        while self.time < end:
            self.write()
            self.run_scheduler()
            self.time += step

    def check(self) -> None:
        """Each day that has ended is in a backup, whole; nothing that is not so was deleted."""
        self.time += HOUR  # a night has just ended, perhaps
        self.run_scheduler()
        snapshots = {index: snapshot for (index, _), snapshot in fullest(self.backups.snapshots("disk")).items()}
        ended = {index for index in self.written if index < self.today()}
        assert set(snapshots) == ended
        for index in ended:
            assert snapshots[index].events == self.written[index], index
        kept = {info.index for info in self.store.indices()}
        assert kept == set(self.written) - {index for index, _ in self.deleted}


ZONES = [  # id, zone of the indices, zone of the schedule, start in UTC: a change of summer time is among the days
    ("utc", "UTC", "UTC", "2026-03-20T00:00"),
    ("seoul", "Asia/Seoul", "Asia/Seoul", "2026-03-20T00:00"),
    ("seoul_by_utc", "Asia/Seoul", "UTC", "2026-03-20T00:00"),
    ("utc_by_seoul", "UTC", "Asia/Seoul", "2026-03-20T00:00"),
    ("berlin_in_spring", "Europe/Berlin", "Europe/Berlin", "2026-03-24T00:00"),
    ("berlin_in_autumn", "Europe/Berlin", "Europe/Berlin", "2026-10-20T00:00"),
    ("sao_paulo_without_midnight", "America/Sao_Paulo", "America/Sao_Paulo", "2018-10-30T00:00"),
    ("samoa_without_a_day", "Pacific/Apia", "Pacific/Apia", "2011-12-26T00:00"),
    ("honolulu_by_kiritimati", "Pacific/Honolulu", "Pacific/Kiritimati", "2026-03-20T00:00"),
]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("index_zone", "schedule_zone", "start"), [case[1:] for case in ZONES], ids=[case[0] for case in ZONES]
)
def test_each_day_once(index_zone: str, schedule_zone: str, start: str, tmp_path: Path) -> None:
    world = World(tmp_path, start, index_timezone=index_zone, schedule_time_zone=schedule_zone, retention_max_age="5d")
    world.live(10 * DAY)
    world.time += DAY  # so that the last one has ended
    world.run_scheduler()
    world.check()
    made = [index for index, _ in world.made]
    assert sorted(made) == sorted(set(made))
    assert len(made) >= 9
    assert len(world.deleted) >= 4


def test_backed_up_soon_after_midnight(tmp_path: Path) -> None:
    zone = "Asia/Seoul"
    world = World(tmp_path, "2026-11-20T14:00", index_timezone=zone, schedule_time_zone=zone)
    world.live(2 * DAY, 10 * MINUTE)
    times = [(index, time.astimezone(world.zone)) for index, time in world.made]
    assert [(index, f"{time:%d. %H:%M}") for index, time in times] == [
        ("logstash-2026.11.20", "21. 00:10"),
        ("logstash-2026.11.21", "22. 00:10"),
    ]


def test_asleep_for_a_week(tmp_path: Path) -> None:
    """Days are caught up at once; what grew old meanwhile goes an hour later, when the clock is believed."""
    world = World(tmp_path, "2026-11-01T00:00", retention_max_age="5d")
    world.live(4 * DAY)
    world.time += 7 * DAY
    world.run_scheduler()
    assert [index[-2:] for index, _ in world.made] == ["01", "02", "03", "04"]
    assert world.deleted == []
    world.time += HOUR - MINUTE
    world.run_scheduler()
    assert world.deleted == []
    world.time += 2 * MINUTE
    world.run_scheduler()
    assert [index[-2:] for index, _ in world.deleted] == ["01", "02", "03", "04"]
    world.live(2 * DAY)
    world.check()


def test_a_clock_that_runs_ahead_deletes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, "2026-11-01T00:00", retention_max_age="5d", backup_repository="none")
    world.live(4 * DAY)
    for leap in (365 * DAY, -365 * DAY, 40 * DAY, -40 * DAY):
        world.time += leap
        world.run_scheduler()
        world.time += 30 * MINUTE
        world.run_scheduler()
        assert world.deleted == []
    world.live(4 * DAY)
    assert [index[-2:] for index, _ in world.deleted] == ["01", "02"]
    assert [info.index[-2:] for info in world.store.indices()] == ["03", "04", "05", "06", "07", "08"]


def test_started_again_and_again(tmp_path: Path) -> None:
    world = World(tmp_path, "2026-11-01T00:00")
    for _ in range(24):
        world.scheduler = world.started()
        world.live(4 * HOUR, 2 * HOUR)
    world.check()
    assert [index[-2:] for index, _ in world.made] == ["01", "02", "03", "04"]


JUMPS = [  # id, hours that the clock leaps in turn, every nine hours
    ("back_and_forth", [2, -2]),
    ("over_midnight_and_back", [11, -11, 20, -20]),
    ("a_day_ahead_then_right", [26, -26]),
    ("back_a_day", [-25, 25]),
]


@pytest.mark.sampled
@pytest.mark.parametrize("jumps", [case[1] for case in JUMPS], ids=[case[0] for case in JUMPS])
def test_a_clock_that_jumps_skips_no_day(jumps: list[int], tmp_path: Path) -> None:
    world = World(tmp_path, "2026-11-01T00:00")
    for hours in jumps * 4:
        world.live(9 * HOUR)
        world.time += hours * HOUR
    world.live(2 * DAY)  # it is right by now
    world.check()
    snapshots = [(snapshot.index, snapshot.events) for snapshot in world.backups.snapshots("disk")]
    assert len(snapshots) == len(set(snapshots))  # backed up again only where events had come meanwhile
    assert world.deleted == []


def test_a_late_event_makes_a_day_be_backed_up_again(tmp_path: Path) -> None:
    world = World(tmp_path, "2026-11-01T00:00")
    world.live(2 * DAY)
    late = LocalWriter(store_root(world.data), "w1")
    late.append("logstash-2026.11.01", [b"{}"], ["late"])
    late.close()
    world.written["logstash-2026.11.01"] += 1
    world.live(2 * DAY)
    world.check()
    assert [index[-2:] for index, _ in world.made] == ["01", "01", "02", "03", "04"]
