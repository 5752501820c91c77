import json
from pathlib import Path

import click
import pytest

from ingestd.cli.commands.histogram import lines
from ingestd.stores.base import Bucket
from tests.cli.reading import run

pytestmark = pytest.mark.usefixtures("seoul", "shared_duckdb")


def test_days_are_those_of_the_time_zone(data_dir: Path) -> None:
    result = run("histogram", "--interval", "1d", "--json", data_dir=data_dir)
    assert json.loads(result.stdout) == [
        {"time": "2026-11-20T15:00:00.000Z", "counts": {"INFO": 1}},
        {"time": "2026-11-21T15:00:00.000Z", "counts": {"ERROR": 1, "INFO": 2, "WARNING": 1}},
    ]


def test_bars(data_dir: Path) -> None:
    assert run("histogram", "--interval", "1d", data_dir=data_dir).stdout == (
        "TIME (KST)  INFO  WARNING  ERROR\n"
        "2026-11-21     1                  ░░░░░░░░░░\n"
        "2026-11-22     2        1      1  ░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓▓▓\n"
    )


def test_by_another_field_of_what_a_query_finds(data_dir: Path) -> None:
    result = run("histogram", "_exists_:search_word", "--by", "search_word", "--interval", "1h", data_dir=data_dir)
    first, *_, last = result.stdout.splitlines()
    assert first == "TIME (KST)        서울  부산 여행"
    assert last == "2026-11-22 19:00     1          1  ░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒"
    assert len(result.stdout.splitlines()) == 26


@pytest.mark.parametrize(
    ("arguments", "bars"),
    [([], 13), (["--since", "2026-11-22"], 1), (["level:ERROR"], 1), (["--until", "2026-11-21"], 1)],
    ids=["all", "since", "one_event", "until"],
)
def test_the_width_of_bars_is_chosen(arguments: list[str], bars: int, data_dir: Path) -> None:
    assert len(run("histogram", *arguments, data_dir=data_dir).stdout.splitlines()) == 1 + bars


def test_nothing_found(data_dir: Path) -> None:
    result = run("histogram", "nope", data_dir=data_dir)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no events match\n")


def test_many_values_share_a_column() -> None:
    counts = {f"v{number}": 10 - number for number in range(9)} | {"": 30}
    head, row = lines([Bucket("2026-11-22T10:00:00.000Z", counts)], 60, "word", None, colours=False)
    assert head.split() == ["TIME", "(KST)", "(none)", "v0", "v1", "v2", "v3", "(others)"]
    assert row.split()[2:8] == ["30", "10", "9", "8", "7", "20"]


def test_long_values_are_cut() -> None:
    head, row = lines([Bucket("2026-11-22T10:00:00.000Z", {"x" * 100_000: 1})], 60, "word", None, colours=False)
    assert (head.split()[2], len(row) < 200) == ("x" * 39 + "…", True)


def test_every_count_is_seen_and_levels_have_colours() -> None:
    buckets = [Bucket("2026-11-22T10:00:00.000Z", {"INFO": 10_000, "ERROR": 1})]
    _, row = lines(buckets, 3600, "level", 60, colours=True)
    bar = row.rpartition("  ")[2]
    assert bar.endswith(click.style("▓", fg="red"))
    assert click.unstyle(bar).count("░") > 20


def test_gaps_of_years_are_not_filled() -> None:
    buckets = [Bucket(f"{year}-01-01T00:00:00.000Z", {"INFO": 1}) for year in (2000, 2026)]
    assert len(list(lines(buckets, 3600, "level", None, colours=False))) == 3
