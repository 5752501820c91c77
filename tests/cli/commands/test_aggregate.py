import json
from pathlib import Path

import pytest

from tests.cli.reading import run

pytestmark = pytest.mark.usefixtures("seoul", "shared_duckdb")


def test_a_table(data_dir: Path) -> None:
    result = run("aggregate", "-m", "count", "-m", "max:status_code", "--by", "level", "-n", "2", data_dir=data_dir)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "LEVEL  COUNT  MAX:STATUS_CODE\nINFO       3                -\nERROR      1                -\n"
    )


def test_days_are_those_of_the_site(data_dir: Path) -> None:
    result = run("aggregate", "--by", "search_word", "--interval", "1d", data_dir=data_dir)
    assert result.stdout == (
        "SEARCH_WORD  TIME (KST)           COUNT\n"
        "서울         2026-11-21 00:00:00      1\n"
        "서울         2026-11-22 00:00:00      1\n"
        "부산 여행    2026-11-22 00:00:00      1\n"
    )


def test_json(data_dir: Path) -> None:
    arguments = ("aggregate", "-m", "count", "-m", "p50:status_code", "--by", "level", "--by", "search_word", "--json")
    assert json.loads(run(*arguments, "--interval", "1d", "-n", "1", data_dir=data_dir).stdout) == [
        {
            "key": {"level": "INFO", "search_word": "서울"},
            "time": f"2026-11-{day}T15:00:00.000Z",
            "metrics": {"count": 1, "p50:status_code": None},
        }
        for day in (20, 21)
    ]
    (whole,) = json.loads(run("aggregate", "-m", "avg:status_code", "--json", data_dir=data_dir).stdout)
    assert whole == {"key": {}, "metrics": {"avg:status_code": 404.0}}


def test_csv(data_dir: Path) -> None:
    arguments = ("aggregate", "-m", "count", "-m", "min:status_code", "--by", "level", "-n", "3", "--csv", "--bom")
    expected = "\ufefflevel,count,min:status_code\r\nINFO,3,\r\nERROR,1,\r\nWARNING,1,404.0\r\n"
    assert run(*arguments, data_dir=data_dir).stdout_bytes.decode() == expected


def test_a_rate_is_that_of_the_time_range(data_dir: Path) -> None:
    range_ = ("--since", "2026-11-22T10:00:00Z", "--until", "2026-11-22T10:00:08Z")
    assert run("aggregate", "-m", "rate", *range_, data_dir=data_dir).stdout == "RATE\n 0.5\n"


def test_nothing_found(data_dir: Path) -> None:
    result = run("aggregate", "--by", "level", "nope", data_dir=data_dir)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no events match\n")
    result = run("aggregate", "-m", "avg:status_cod", data_dir=data_dir)
    assert (result.exit_code, result.stderr) == (0, "no event has a field status_cod; did you mean status_code?\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-m", "median:x"], "'median:x' is not a metric: write one of count, rate"),
        (["-m", "avg:[a"], "[a"),
        (["-m", "rate"], "a rate needs an interval, or a time range with a start"),
        (["--by", "a", "--by", "a"], "an aggregation cannot be by a twice"),
        (["--csv", "--json"], "choose one of --csv and --json"),
        (["--bom"], "only CSV has a byte order mark"),
    ],
    ids=["metric", "field", "rate", "twice", "csv_and_json", "bom"],
)
def test_wrong_usage(arguments: list[str], error: str, data_dir: Path) -> None:
    result = run("aggregate", *arguments, data_dir=data_dir)
    assert (result.exit_code, error in result.stderr) == (2, True), result.stderr
