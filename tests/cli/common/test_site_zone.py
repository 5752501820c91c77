"""Commands print times, cut bars and read times in one zone: the site's, whatever the machine's is."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.stores.local import LocalWriter, store_root
from tests.cli.reading import run
from tests.random_cases import sampled

pytestmark = pytest.mark.usefixtures("shared_duckdb")

STAMPS = [f"2026-11-{day:02}T{hour:02}:30:00.000Z" for day in range(1, 4) for hour in range(24)]
"""Three days of events, one an hour; on November 1 the clocks of New York go back."""

ZONES = [  # id, TZ of the machine, index_timezone, the site's zone, as heads say it
    ("seoul_on_utc", "UTC", "Asia/Seoul", "Asia/Seoul", "Asia/Seoul"),
    ("new_york_on_utc", "UTC", "America/New_York", "America/New_York", "America/New_York"),
    ("utc_on_seoul", "Asia/Seoul", "UTC", "UTC", "UTC"),
    ("machine_in_new_york", "America/New_York", None, "America/New_York", None),
    ("machine_in_utc", "UTC", None, "UTC", "UTC"),
]


@pytest.fixture(name="data_dir", scope="module")
def _data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("zones")
    writer = LocalWriter(store_root(data_dir), "w0")
    for day in sorted({stamp[:10] for stamp in STAMPS}):
        documents = [b'{"@timestamp":"%b","level":"INFO"}' % stamp.encode() for stamp in STAMPS if stamp[:10] == day]
        writer.append(f"logstash-{day.replace('-', '.')}", documents, [f"{day}-{at}" for at in range(len(documents))])
    writer.close()
    return data_dir


@pytest.fixture(name="site", params=[zone[1:] for zone in ZONES], ids=[zone[0] for zone in ZONES])
def _site(
    request: pytest.FixtureRequest, set_zone: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> tuple[ZoneInfo, str | None]:
    machine, setting, site, head = request.param
    monkeypatch.delenv("INGESTD_INDEX_TIMEZONE", raising=False)
    set_zone(machine)
    if setting:
        monkeypatch.setenv("INGESTD_INDEX_TIMEZONE", setting)
    return ZoneInfo(site), head


def _local(stamp: str, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.fromisoformat(stamp).astimezone(zone)


@pytest.mark.sampled
def test_days_of_bars(site: tuple[ZoneInfo, str | None], data_dir: Path) -> None:
    zone, head = site
    expected: dict[str, int] = {}
    for stamp in STAMPS:
        day = f"{_local(stamp, zone):%Y-%m-%d}"
        expected[day] = expected.get(day, 0) + 1
    first, *bars = run("histogram", "--interval", "1d", data_dir=data_dir).stdout.splitlines()
    assert first.startswith(f"TIME ({head or ''}")
    assert {bar.split()[0]: int(bar.split()[1]) for bar in bars} == expected
    assert len(bars) == len(expected)
    starts = {_local(bucket["time"], zone) for bucket in _json("histogram", "--interval", "1d", data_dir=data_dir)}
    assert {f"{start:%Y-%m-%d %H:%M}" for start in starts} == {f"{day} 00:00" for day in expected}


@pytest.mark.sampled
def test_a_day_is_one_bar(site: tuple[ZoneInfo, str | None], data_dir: Path) -> None:
    zone, _ = site
    day = ("--since", "2026-11-01", "--until", "2026-11-01")
    _, bar = run("histogram", "--interval", "1d", *day, data_dir=data_dir).stdout.splitlines()
    events = sum(f"{_local(stamp, zone):%Y-%m-%d}" == "2026-11-01" for stamp in STAMPS)
    assert bar.split()[:2] == ["2026-11-01", str(events)]
    assert len(run("search", *day, data_dir=data_dir).stdout.splitlines()) == 1 + events


@pytest.mark.sampled
@pytest.mark.parametrize("interval", sampled(["1h", "2h", "6h", "12h"]))
def test_no_bar_counts_twice(interval: str, site: tuple[ZoneInfo, str | None], data_dir: Path) -> None:
    zone, _ = site
    _, *bars = run("histogram", "--interval", interval, data_dir=data_dir).stdout.splitlines()
    assert sum(int(bar.split()[2]) for bar in bars if len(bar.split()) > 2) == len(STAMPS)
    buckets = _json("histogram", "--interval", interval, data_dir=data_dir)
    hours = int(interval.removesuffix("h"))
    assert {_local(bucket["time"], zone).hour % hours for bucket in buckets} == {0}


@pytest.mark.sampled
@pytest.mark.parametrize("command", [("search", "-n", "99"), ("tail", "-n", "99")], ids=["search", "tail"])
def test_a_printed_time_is_read_as_it_is_meant(
    command: tuple[str, ...], site: tuple[ZoneInfo, str | None], data_dir: Path
) -> None:
    zone, _ = site
    result = run(*command, data_dir=data_dir)
    stamp = STAMPS[40]
    printed = f"{_local(stamp, zone):%Y-%m-%d %H:%M:%S}.000"
    assert printed in result.stdout
    found = _json("search", "--since", printed, "-n", "1000", data_dir=data_dir)
    assert min(event["@timestamp"] for event in found) == stamp


def test_tail_names_a_zone_that_is_not_the_machines(
    set_zone: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    set_zone("UTC")
    monkeypatch.setenv("INGESTD_INDEX_TIMEZONE", "Asia/Seoul")
    assert run("tail", data_dir=data_dir).stderr == "times are those of Asia/Seoul\n"
    set_zone("Asia/Seoul")
    assert run("tail", data_dir=data_dir).stderr == ""


def test_dead_letters(set_zone: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_zone("UTC")
    monkeypatch.setenv("INGESTD_INDEX_TIMEZONE", "Asia/Seoul")
    at = datetime.datetime(2026, 11, 28, 20, tzinfo=datetime.UTC).timestamp()
    writer = DeadLetterWriter(tmp_path / "deadletters", 1 << 20, lambda: at)
    writer.add(stage="framing", plugin="tcp_0", reason="too long", raw=b"x", size=9000)
    writer.close()
    listed = run("deadletters", "list", data_dir=tmp_path).stdout
    assert "FIRST (Asia/Seoul)" in listed
    assert "2026-11-29 05:00:00" in listed
    assert "2026-11-29 05:00:00 (Asia/Seoul)" in run("deadletters", "show", data_dir=tmp_path).stdout


def _json(*arguments: str, data_dir: Path) -> list[dict[str, str]]:
    text = run(*arguments, "--json", data_dir=data_dir).stdout
    found = [json.loads(line) for line in text.splitlines()]
    return found[0] if found and isinstance(found[0], list) else found
