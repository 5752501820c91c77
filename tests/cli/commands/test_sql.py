import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.reading import run

pytestmark = pytest.mark.usefixtures("seoul")

BY_LEVEL = "SELECT level, count(*) AS n, max(status_code) AS code FROM events GROUP BY level ORDER BY n DESC, level"


def test_a_table(data_dir: Path) -> None:
    result = run("sql", BY_LEVEL, data_dir=data_dir)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "level    n  code\nINFO     3\nERROR    1\nWARNING  1   404\n"


def test_json_is_a_line_for_each_row(data_dir: Path) -> None:
    statement = (
        """SELECT "@timestamp" AS t, search_word AS w, 1 AS n, 2 AS n, 3 AS n_1, [1, 2] AS l, """
        """1.5::DECIMAL(3,1) AS d, 'nan'::DOUBLE AS x, [0.5] AS ds, 'a'::BLOB AS b, """
        """100000000000000000000 AS big FROM events WHERE search_word LIKE '부%'"""
    )
    (line,) = run("sql", statement, "--json", data_dir=data_dir).stdout.splitlines()
    assert json.loads(line) == {
        "t": "2026-11-22T10:00:00",
        "w": "부산 여행",
        "n": 1,
        "n_2": 2,
        "n_1": 3,
        "l": [1, 2],
        "d": 1.5,
        "x": None,
        "ds": [0.5],
        "b": "YQ==",
        "big": 10**20,
    }


def test_numbers_are_at_the_right_and_other_cells_are_texts(data_dir: Path) -> None:
    result = run("sql", "SELECT 'a'::BLOB AS b, [true] AS l, false AS f, 10.5 AS wide, 1.5 AS d", data_dir=data_dir)
    assert result.stdout == "b     l       f      wide    d\nYQ==  [true]  false  10.5  1.5\n"


def test_csv(data_dir: Path) -> None:
    result = run("sql", BY_LEVEL, "--csv", "--bom", data_dir=data_dir)
    assert result.stdout_bytes.decode() == "\ufefflevel,n,code\r\nINFO,3,\r\nERROR,1,\r\nWARNING,1,404\r\n"


def test_days_and_indices(data_dir: Path) -> None:
    count = "SELECT count(*) AS n FROM events"
    assert run("sql", count, "--since", "2026-11-22", "--csv", data_dir=data_dir).stdout_bytes == b"n\r\n4\r\n"
    assert (
        run("sql", count, "--index", "logstash-*.21,other-?", "--csv", data_dir=data_dir).stdout_bytes == b"n\r\n1\r\n"
    )
    nothing = run("sql", count, "--index", "other-*", data_dir=data_dir)
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no events match\n")


def test_more_rows_than_are_shown(data_dir: Path) -> None:
    result = run("sql", "SELECT level FROM events ORDER BY level", "-n", "2", "--csv", data_dir=data_dir)
    assert result.stdout_bytes == b"level\r\nERROR\r\nINFO\r\n"
    assert result.stderr == "there are more rows than 2: --limit shows them\n"
    everything = run("sql", "SELECT level FROM events ORDER BY level", "-n", "0", "--csv", data_dir=data_dir)
    assert (len(everything.stdout.splitlines()), everything.stderr) == (6, "")


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["SELECT levl FROM events"], 2, 'error: there is no column "levl"; did you mean level?\n'),
        (["DELETE FROM events"], 2, "error: only a SELECT is allowed\n"),
        (["SELECT 1", "--store", "http://127.0.0.1:9"], 2, "SQL runs on the built-in store only"),
        (["SELECT 1", "--csv", "--json"], 2, "choose one of --csv and --json"),
        (
            [
                "SELECT count(*) FROM range(1000000000) a, range(1000) b, events WHERE hash(a.range) = 1",
                "--timeout",
                "200ms",
            ],
            1,
            "error: the query took longer than 0.2 s",
        ),
        (["SELECT length(repeat('x', 4000000000)) FROM events"], 1, "error: the query needs too much memory"),
    ],
    ids=["column", "delete", "server", "csv_and_json", "timeout", "a_value_of_4_GB"],
)
def test_errors(arguments: list[str], code: int, error: str, data_dir: Path) -> None:
    """Through the process, as ``main`` prints errors."""
    command = [sys.executable, "-m", "ingestd", "sql", *arguments, "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr
