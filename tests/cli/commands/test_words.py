"""``ingestd words``, for the days of `incident`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingestd.stores.local import store_root
from tests.analytics.conftest import fill
from tests.cli.reading import run
from tests.e2e import incident

pytestmark = pytest.mark.usefixtures("shared_duckdb")

LAST_DAYS = ("--since", incident.SINCE, "--until", incident.UNTIL)
ODD = ["=1+1", "+1", "-2", "@sum", "a,b", 'say "hi"', "\ttab"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The days, and one more of words that a spreadsheet would take as formulas."""
    folder = tmp_path_factory.mktemp("data")
    odd = [{"@timestamp": "2026-12-24T10:00:00.000Z", "search_word": word} for word in ODD]
    fill(store_root(folder), [*incident.events(), *odd])
    return folder


def test_json_has_the_most_frequent_words(data_dir: Path) -> None:
    found = json.loads(run("words", *LAST_DAYS, "-n", "3", "--json", data_dir=data_dir).stdout)
    assert found == [
        {"word": "붕어빵", "count": 90, "share": 0.25, "previous": 9, "change": 9.0, "rank": 1, "previous_rank": 6},
        {"word": "서울 맛집", "count": 72, "share": 0.2, "previous": 72, "change": 0.0, "rank": 2, "previous_rank": 1},
        {
            "word": "수능 시간표",
            "count": 60,
            "share": 60 / 360,
            "previous": 0,
            "change": None,
            "rank": 3,
            "previous_rank": None,
        },
    ]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("rising", [incident.RISING, incident.NEXT]),
        ("new", [incident.STARTED]),
        ("fallen", [incident.FALLEN]),
        ("no-results", [incident.NOT_FOUND]),
    ],
)
def test_lists(data_dir: Path, which: str, expected: list[str]) -> None:
    found = json.loads(run("words", *LAST_DAYS, "--list", which, "--json", data_dir=data_dir).stdout)
    assert [word["word"] for word in found] == expected


def test_a_table(data_dir: Path) -> None:
    result = run("words", *LAST_DAYS, "-n", "2", data_dir=data_dir)
    assert result.stdout == "WORD       COUNT   SHARE\n붕어빵        90  25.0 %\n서울 맛집     72  20.0 %\n"
    assert result.stderr == "there are more words than -n 2 shows: top\n360 searches, 13 different words\n"


def test_a_table_with_comparison_has_all_lists(data_dir: Path) -> None:
    result = run("words", *LAST_DAYS, "-n", "1", "--compare", data_dir=data_dir)
    head = "WORD    COUNT   SHARE  BEFORE  CHANGE  RANK  WAS\n"
    first = f"{head}붕어빵     90  25.0 %       9  +900 %     1    6\n"
    assert result.stdout.startswith(f"{first}\nRising:\n{first}\nNew:\n")
    assert result.stdout.endswith("\nWithout results:\nWORD    COUNT\n붕어방      6\n")
    cut = "there are more words than -n 1 shows: top, rising\n"
    assert result.stderr == f"{cut}360 searches, 13 different words; before: 205 and 13\n"


@pytest.mark.parametrize(
    ("options", "cut"),
    [
        (["-n", "12", "--json"], "top"),
        (["-n", "13", "--json"], None),
        (["-n", "1", "--list", "rising", "--csv"], "rising"),
        (["-n", "1", "--list", "no-results", "--csv"], None),
    ],
)
def test_words_that_are_left_out(data_dir: Path, options: list[str], cut: str | None) -> None:
    result = run("words", *LAST_DAYS, *options, data_dir=data_dir)
    assert result.stderr == (f"there are more words than -n {options[1]} shows: {cut}\n" if cut else "")


def test_csv_is_for_excel(data_dir: Path) -> None:
    """It starts with a byte order mark, and no word is a formula."""
    day = ("--since", "2026-12-24T00:00:00Z", "--until", "2026-12-25T00:00:00Z")
    head, *rows = run("words", *day, "--csv", data_dir=data_dir).stdout_bytes.decode().split("\r\n")[:-1]
    assert head == "\ufeffword,count,share,previous,change,rank,previous_rank"
    words = [row.removesuffix(f",1,0.142857,0,,{rank},") for rank, row in enumerate(rows, 1)]
    assert sorted(words) == sorted(["'=1+1", "'+1", "'-2", "'@sum", '"a,b"', '"say ""hi"""', "'\ttab"])


def test_nothing_to_compare_with(data_dir: Path) -> None:
    first = ("--since", "2026-10-31T00:00:00Z", "--until", "2026-11-01T00:00:00Z")
    result = run("words", *first, "--compare", data_dir=data_dir)
    assert "no searches in the period before" in result.stderr
    assert result.stdout.count("no words\n") == 3


def test_no_searches(data_dir: Path) -> None:
    result = run("words", "--since", "2027-01-01", "--until", "2027-01-02", data_dir=data_dir)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no events match\n")


def test_records_without_numbers_of_results(data_dir: Path) -> None:
    result = run("words", "--since", "2026-12-24", "--list", "no-results", "--csv", data_dir=data_dir)
    assert result.stdout == "\ufeffword,count\n"
    assert result.stderr == "no record says how many results its search had (search_results)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare"], "to compare, give the period with --since"),
        (["--list", "new"], "to compare, give the period with --since"),
        (["--csv", "--json"], "choose one of --csv and --json"),
    ],
)
def test_wrong_usage(data_dir: Path, arguments: list[str], message: str) -> None:
    result = run("words", *arguments, data_dir=data_dir)
    assert result.exit_code == 2
    assert message in result.stderr
