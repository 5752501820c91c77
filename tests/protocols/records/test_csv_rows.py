"""Rows of CSV text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.records.csv_rows import CsvError, CsvReader, Row

CASES: list[tuple[str, str, Row | None]] = [
    ("plain", "a,b c,d", ["a", "b c", "d"]),
    ("empty_columns_are_null", ",a,,", [None, "a", None, None]),
    ("empty_quotes_are_text", '"",a', ["", "a"]),
    ("separator_in_quotes", 'a,"b,c",d', ["a", "b,c", "d"]),
    ("doubled_quotes", '"a ""b"" c",""""', ['a "b" c', '"']),
    ("line_end_in_quotes", '"a\nb",c', ["a\nb", "c"]),
    ("blanks_stay", " a , b ", [" a ", " b "]),
    ("only_the_first_row", "a,b\nc,d\n", ["a", "b"]),
    ("only_the_first_row_before_bad_ones", 'a,b\r\n"c', ["a", "b"]),
    ("quoted_at_the_end_of_a_row", 'a,"b"\r\nc', ["a", "b"]),
    ("separator_at_the_end", '"a",', ["a", None]),
    ("carriage_return_ends_rows", "a,b\rc,d", ["a", "b"]),
    ("empty", "", None),
    ("empty_line", "\n", []),
    ("empty_line_before_quotes", '\n"a"', []),
]


@pytest.mark.parametrize(("text", "row"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_rows(text: str, row: Row | None) -> None:
    assert CsvReader().row(text) == row


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param('a,"b', "a quote is not closed", id="open_quote"),
        pytest.param('"a"b', "text after the closing quote of column 1", id="text_after_quote"),
        pytest.param('a"b', "a quote inside a column", id="quote_in_text"),
        pytest.param(' "a"', "a quote inside a column", id="blank_before_quote"),
        pytest.param('"a\nb",c\rd', "a line end that is not in quotes", id="other_line_end"),
    ],
)
def test_what_is_not_csv(text: str, error: str) -> None:
    with pytest.raises(CsvError, match=error):
        CsvReader().row(text)


def test_separators_of_several_characters() -> None:
    assert CsvReader("||", "'").row("a||'b||c'||") == ["a", "b||c", None]


@pytest.mark.parametrize(("separator", "quote"), [("", '"'), (",", ""), (",", "''")])
def test_impossible_separators(separator: str, quote: str) -> None:
    with pytest.raises(ValueError, match="must"):
        CsvReader(separator, quote)


@given(st.lists(st.text('ab",\n ', max_size=6), min_size=1, max_size=5), st.booleans())
def test_what_is_written_is_read_again(values: list[str], quote_all: bool) -> None:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL, lineterminator="\n").writerow(values)
    row = CsvReader().row(file.getvalue())
    assert row is not None
    assert [value or "" for value in row] == values
