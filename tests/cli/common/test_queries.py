from pathlib import Path

import pytest

from ingestd.cli.common.queries import render
from ingestd.stores.query import QueryError
from tests.cli.reading import fill, run

ERRORS = [  # id, text, column, length, line of the caret
    ("start", "AND x", 1, 3, "    ^^^"),
    ("middle", "a:1 AND (b", 9, 1, "            ^"),
    ("after_hangul", "서울 (", 4, 1, "         ^"),
    ("hangul", "level:서울", 7, 2, "          ^^^^"),
    ("end", "x AND", 6, 1, "         ^"),
]


@pytest.mark.parametrize(("text", "column", "length", "caret"), [c[1:] for c in ERRORS], ids=[c[0] for c in ERRORS])
def test_the_place_is_marked(text: str, column: int, length: int, caret: str) -> None:
    shown = render(QueryError("this is wrong", column, length, "write it so"), text)
    assert shown.splitlines() == [f"query:{column}: error: this is wrong", f"    {text}", caret, "  help: write it so"]


def test_of_a_long_query_a_part_is_shown() -> None:
    text = "a" * 500 + " (b " + "c" * 500
    _, shown, caret = render(QueryError("this is wrong", 502, 1), text).splitlines()
    assert len(shown) < 170
    assert shown[caret.index("^")] == "("


@pytest.mark.parametrize("command", ["search", "top level", "histogram", "tail", "export"])
def test_every_command_reports_wrong_queries(command: str, tmp_path: Path) -> None:
    result = run(*command.split(), "level:ERROR", "AND", "(서울", data_dir=tmp_path)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:3] == ["    level:ERROR AND (서울", "                    ^"]


QUERIES = [  # id, arguments, numbers of events that are found
    ("words", ["half"], 1),
    ("field", ["search_word:서울"], 2),
    ("quoted", ['search_word:"부산 여행" AND level:INFO'], 1),
    ("arguments_are_joined", ["search_word:서울", "AND", "@timestamp:2026-11-22"], 1),
    ("with_options", ["--level", "WARNING", "NOT", "status_code:>=400"], 1),
    ("with_field", ["--field", "status_code=404", "level:WARNING"], 1),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("arguments", "count"), [c[1:] for c in QUERIES], ids=[c[0] for c in QUERIES])
def test_queries(arguments: list[str], count: int, tmp_path: Path) -> None:
    result = run("search", "--json", *arguments, data_dir=fill(tmp_path))
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, count)
    assert run("tail", "--json", *arguments, data_dir=tmp_path).stdout.splitlines() == result.stdout.splitlines()[::-1]


@pytest.mark.parametrize("url", ["ftp://x", "http://127.0.0.1:1/?nope=1"])
def test_a_store_that_is_none(url: str, tmp_path: Path) -> None:
    result = run("search", "--store", url, data_dir=tmp_path)
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.stderr
    assert result.stderr


def test_the_newest_are_shown_in_order(tmp_path: Path) -> None:
    shown = run("tail", "-n", "2", data_dir=fill(tmp_path)).stdout.splitlines()
    assert [line.split()[-1] for line in shown] == ["�[31m", "one", "two", "�"]
    assert run("tail", "-n", "0", data_dir=tmp_path).stdout == ""
