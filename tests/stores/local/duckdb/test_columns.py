"""Documents as columns and back: nothing of them is lost, whatever they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.column_merge import converted, moved_fields
from ingestd.stores.local.duckdb.column_table import ColumnTable
from ingestd.stores.local.duckdb.core import connect
from ingestd.stores.local.duckdb.division_sql import Traits
from ingestd.stores.local.index.document_columns import MAX_COLUMNS, ambiguous_texts, choose_columns, fit
from tests.random_cases import random_cases
from tests.stores.exact import exact
from tests.stores.local.documents import TIMES, objects, spelt, typical, values


class Table:
    """Documents in a table, in order."""

    def __init__(self, documents: Sequence[str], sample: Sequence[str] | None = None) -> None:
        self.columns = choose_columns(documents if sample is None else sample)
        traits = Traits(_are_strict(documents), ambiguous_texts(documents if sample is None else sample, self.columns))
        self.table = ColumnTable(self.run, self.columns, traits)
        self.run("CREATE OR REPLACE TEMP TABLE came (doc VARCHAR, id VARCHAR)")
        rows = json.dumps([{"doc": document, "id": str(at)} for at, document in enumerate(documents)])
        self.run(
            'INSERT INTO came SELECT unnest(from_json($1, \'[{"doc":"VARCHAR","id":"VARCHAR"}]\'), recursive := true)',
            [rows],
        )
        self.table.add("came")

    def run(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return list(CONNECTION.execute(sql, parameters).fetchall())

    def select(self, expression: str) -> list[Any]:
        rows = f"SELECT {expression} FROM {self.table.rows()} ORDER BY id::INTEGER"
        return [row[0] for row in self.run(rows)]

    def documents(self) -> list[str]:
        return self.select(column_sql.document(self.columns))

    def rest(self) -> list[str | None]:
        return self.select("rest")


def _are_strict(documents: Sequence[str]) -> bool:
    try:
        return all(msgspec.json.decode(document, type=msgspec.Raw) for document in documents)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


CONNECTION = connect({"threads": 1}, with_macros=True)


def check(documents: Sequence[str], sample: Sequence[str] | None = None) -> Table:
    """Make sure that all documents come back."""
    table = Table(documents, sample)
    assert [exact(text) for text in table.documents()] == [exact(document) for document in documents]
    return table


def any_documents() -> st.SearchStrategy[list[str]]:
    anything = st.one_of(
        typical(), typical(), objects(values()), values(), st.sampled_from(["", "no json", '{"half', "{} {}"])
    )
    return st.lists(anything, max_size=12)


@random_cases(60)
@example(['{"b":2,"tags":{"x":1}}', '{"b":2,"tags":5}', '{"b":2,"tags":{}}'])
@given(any_documents())
@example(['{"a":{"b":1}}', '{"a":{"b":1.50}}', '{"A":1}', '{"a":null}'])
@example(['{"x":{"d":1.5},"y":{"d":1.50}}'])
def test_all_documents_come_back(documents: list[str]) -> None:
    check(documents)


@random_cases(30)
@given(any_documents(), any_documents())
def test_all_documents_come_back_whatever_columns_there_are(documents: list[str], sample: list[str]) -> None:
    check(documents, sample)


@random_cases(100)
@given(any_documents(), any_documents())
def test_what_columns_and_rest_hold_is_the_document(documents: list[str], sample: list[str]) -> None:
    """Without the check that follows, which would keep a document as a whole."""
    columns = choose_columns(sample)
    for document in documents:
        held, rest = fit(document, columns)
        if rest is not None and rest.startswith(" "):
            assert rest[1:] == document
        else:
            parts = [exact(part) for part in (held, rest or "{}")]
            joined = ("object", sorted([*parts[0][1], *parts[1][1]], key=repr))  # type: ignore[index]
            assert joined == exact(document)


@random_cases(25)
@given(any_documents(), any_documents())
@example(['{"a":{"b":1,"c":2}}', '{"a":{"c":2}}', '{"a":{}}', '{"b":1}'], ['{"a":{"c":3},"b":"x"}'])
@example(['{"@timestamp":"2026-11-22T10:00:00Z","n":1}'], ['{"@timestamp":"2026-11-22T10:00:00.000Z","n":"1"}'])
def test_rows_fit_into_files_with_other_columns(documents: list[str], sample: list[str]) -> None:
    """Their documents stay as they are, and what moves to ``rest`` is noted."""
    table, of = Table(documents), choose_columns(sample)
    rows = f"(SELECT {converted(table.columns, of)} FROM {table.table.rows()})"
    found = table.run(f"SELECT {column_sql.document(of)}, rest FROM {rows} ORDER BY id::INTEGER")
    assert [exact(text) for text, _ in found] == [exact(document) for document in documents]
    assert [name for name, *_ in table.run(f"DESCRIBE SELECT * FROM {rows}")] == column_sql.names(of)
    if (noted := table.table.rest_fields) is not None:
        fields = {field for _, rest in found if rest is not None for field in json.loads(rest)}
        assert fields <= noted | moved_fields(table.columns, of)


def test_the_usual_documents_need_no_rest() -> None:
    time = '"@timestamp": "2026-11-22T10:00:00.123Z"'
    document = f'{{{time}, "level": "INFO", "message": "\\uc11c\\uc6b8", "status_code": 200, "tags": [], "n": 0'
    added = ',"geoip":{"lat":37.51,"lon":126.9741,"country_code2":"KR"},"search_word":"서울","took":0.25,"visit":true}'
    table = check([document + added, document + "}"])
    assert table.rest() == [None, None]
    assert table.table.rest_fields == set()
    assert table.columns["geoip"] == {"country_code2": "VARCHAR", "lat": "DOUBLE", "lon": "DOUBLE"}
    assert [table.columns[name] for name in ("@timestamp", "status_code", "took", "visit", "tags")] == [
        *("TIMESTAMP_MS", "BIGINT", "DOUBLE", "BOOLEAN", "JSON")
    ]


def test_only_what_a_column_cannot_hold_is_in_rest() -> None:
    usual = '{"level":"INFO","n":1,"d":1.5,"g":{"a":1}}'
    others = ['{"level":null,"n":1}', '{"level":"INFO","n":"1"}', '{"d":1.50,"n":2}', '{"g":{"a":"x"},"n":3}']
    table = check([usual] * 5 + others)
    assert table.rest()[5:] == ['{"level":null}', '{"n":"1"}', '{"d":1.50}', '{"g":{"a":"x"}}']
    assert table.table.rest_fields == {"level", "n", "d", "g"}


def test_usual_documents_are_divided_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with null, rare fields, numbers in any form, objects with the same names: one by one costs 40 us each."""
    monkeypatch.setattr("ingestd.stores.local.duckdb.column_table.fit", mock.Mock(side_effect=AssertionError))
    usual = '{"@timestamp":"2026-01-05T10:00:00.123Z","took":1.5,"from":{"lat":37.51,"lon":126.97},"to":{"lat":1.0}}'
    rest = ['"user":null', '"took":1.50', '"took":2', '"took":1e-05', '"took":-0.0010', '"rare":"서울\\n\\""']
    rest += ['"n":12', '"flag":false', '"tags":["x",1,null]', '"none":[]', '"took":2.50,"user":null', '"Took":"x"']
    odd = [f'{{"@timestamp": "2026-01-05T10:00:00.123Z", {members}}}' for members in rest]
    table = check([usual, *odd], [usual])
    assert [value and value[1:-1] for value in table.rest()] == [None, *rest]
    assert table.table.rest_fields == {"user", "took", "rare", "n", "flag", "tags", "none", "Took"}


@pytest.mark.parametrize(
    "members",
    [
        '"a":1,"took":1.5,"a":null',
        '"a":null,"a":null',
        '"x\\"took":1.5,"took":1.50',
        '"n":-0',
        '"t\\u006fok":1.50',
        '"d":1.50',
    ],
)
def test_others_are_divided_one_by_one(members: str) -> None:
    usual = '{"took":1.5,"level":"x"}'
    assert check([usual, f"{{{members}}}"], [usual]).rest()[1] is not None


@pytest.mark.sampled
@pytest.mark.parametrize(
    "lat", ["37", "37.50", "37.0", "1e1", "0.00001", "0.0001", "37.12345678901234", "-37.1234567890", "NaN"]
)
def test_numbers_under_names_that_several_objects_have(lat: str) -> None:
    usual = '{"from":{"lat":37.51},"to":{"lat":1.0}}'
    documents = [f'{{"from":{{"lat":{lat}}},"to":{{"lat":1.0}}}}', f'{{"to":{{"lat":{lat} }}, "from":{{"lat": 2.5}}}}']
    check([usual, *documents], [usual])


OTHER_TYPES = {
    "level": ["5", "-1", "1.5", "true", "[]", '["a"]', '{"a":1}', "NaN", "null"],
    "n": ['"5"', '"1e3"', "1.5", "1.0", "1e2", "true", "[1]", "{}", "NaN", "9223372036854775808", "null"],
    "flag": ['"true"', '"t"', "1", "0.0", "[true]", "{}", "NaN", "null"],
    "d": ['"1.5"', "1", "true", "[1.5]", "NaN", "Infinity", "1.50", "null"],
    "g": ['"x"', "5", "[]", '["a"]', '{"level":5}', '{"level":"x","more":1}', '{"level":"x",}', "null"],
}
USUAL = '{"level":"INFO","n":1,"flag":true,"d":1.5,"g":{"level":"x"},"tags":[]}'


@pytest.mark.sampled
@pytest.mark.parametrize(
    "key", [json.dumps, lambda name: json.dumps(name) + " ", spelt], ids=["plain", "blank", "spelt"]
)
@pytest.mark.parametrize(
    "more", ["", ',"text":"\\"level\\": 5, \\uc11c \\"n\\": 1.5"', ',"text":"\\uc11c"'], ids=["", "odd", "escaped"]
)
def test_a_value_of_another_type_is_noticed_however_its_key_is_written(key: Callable[[str], str], more: str) -> None:
    texts = [(name, text) for name, others in OTHER_TYPES.items() for text in others]
    odd = [f"{{{key(name)}: {text}{more}}}" for name, text in texts]
    sample = [USUAL, '{"text":"x"}']
    table = check([*odd, *sample], sample)
    assert [text for text, rest in zip(odd, table.rest(), strict=False) if rest is None] == []
    assert table.rest()[-2:] == [None, None]
    strict = [document for document in odd if _are_strict([document])]
    assert None not in check(strict, sample).rest()
    assert len(strict) > len(odd) // 2


@pytest.mark.parametrize("comma", ["", ","], ids=["strict", "not strict"])
def test_texts_that_look_like_other_values_are_texts(comma: str) -> None:
    texts = ["200", "-1", "1.50", "true", "false", "[a]", '["a"]', "{}", "NaN", "", '1"\\', "2\u00e9\ud55c", "a"]
    usual = [json.dumps({"version": text, "geo": {"code": text}, "name": "x"}) for text in texts]
    usual += [json.dumps({"name": text}) for text in texts]
    odd = [f'{{"version":{value},"name":"x"}}' for value in ("200", "true", "[]", "{}", '["a"]')]
    odd += [f'{{"geo":{{"code":{value}}}}}' for value in ("200", "true", "[]", '["a"]')]
    odd += [f'{{"name":{value}}}' for value in ("200", "-1.5", "true", "[]", "{}", "[1]")]
    table = check([*usual, *odd, f'{{"name":"x"{comma}}}'], usual)
    assert table.rest()[: len(usual)] == [None] * len(usual)
    assert None not in table.rest()[len(usual) : -1]


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "inf", "[NaN]", '{"a":nan}'])
def test_no_number_is_kept_as_it_came(value: str) -> None:
    check([USUAL, *(f'{{"{name}":{value}}}' for name in OTHER_TYPES)], [USUAL])


def test_objects_may_have_values_of_other_types_under_the_same_name() -> None:
    usual = ['{"id":"a","user":{"id":1,"name":"x"}}', '{"id":"b","user":{"id":2,"name":"x"}}']
    odd = ['{"id":1,"user":{"id":1}}', '{"id":"c","user":{"id":"1"}}', '{"id":"c","user":{"name":5}}']
    table = check([*usual, *odd], usual)
    assert [rest is None for rest in table.rest()] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "text",
    [
        "{a:1}",
        "{'a':1}",
        '{"a":1/**/}',
        '{"a":1//\n}',
        '{"a":\u00a01}',
        '{"a"\x0b:1}',
        '{"a":0x1}',
        '{"a":+1}',
        '{"a":.5}',
    ],
)
def test_duckdb_takes_nothing_for_json_that_the_patterns_do_not_know(text: str) -> None:
    """`column_sql` looks for keys in the text of documents."""
    assert CONNECTION.execute("SELECT json_valid($1)", [text]).fetchall() == [(False,)]


def test_a_whole_document_may_have_any_field() -> None:
    table = check(['{"a":1}', '{"a":1,"a":2}'])
    assert table.rest() == [None, ' {"a":1,"a":2}']
    assert table.table.rest_fields is None


def test_times_are_found_in_whole_documents() -> None:
    table = check(
        ['{"@timestamp":"2026-11-22T10:00:00.000Z","x":NaN}', '{"@timestamp":"2026-11-22T10:00:01.000Z"}'] * 2
    )
    assert [str(time) for time in table.select('"@timestamp"')] == ["2026-11-22 10:00:00", "2026-11-22 10:00:01"] * 2


@pytest.mark.parametrize(
    ("digits", "kind"), [("", "VARCHAR"), (".123", "TIMESTAMP_MS"), (".123456", "TIMESTAMP"), (".123456789", "VARCHAR")]
)
def test_times_are_kept_as_they_are_written(digits: str, kind: str) -> None:
    written = f'{{"@timestamp":"2026-11-22T10:00:00{digits}Z"}}'
    table = check([written] * 20 + [f'{{"@timestamp":"{time}"}}' for time in TIMES])
    assert table.columns["@timestamp"] == kind
    assert table.rest()[:20] == [None] * 20


def test_a_record_with_thousands_of_fields_makes_no_thousands_of_columns() -> None:
    usual = json.dumps({"level": "INFO", "message": "x"})
    many = json.dumps({f"f{at}": at for at in range(5000)})
    table = check([usual] * 3 + [many])
    assert len(table.columns) == MAX_COLUMNS
    assert {"level", "message"} < table.columns.keys()
    rare = check([usual] * 1000 + [many])
    assert list(rare.columns) == ["@timestamp", "level", "message"]
    assert rare.table.rest_fields is None  # more than are worth a note


def test_large_documents_are_divided_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.stores.local.duckdb.column_table._BATCH", 3)
    monkeypatch.setattr("ingestd.stores.local.duckdb.column_table._BATCH_BYTES", 100)
    usual = '{"a":"x"}'
    odd = [f'{{"a":{number},"b":"{"y" * (number * 7 % 120)}"}}' for number in range(40)]
    table = check([document for other in odd for document in (usual, other)], [usual])
    assert table.columns == {"@timestamp": "VARCHAR", "a": "VARCHAR"}
    assert [rest is None for rest in table.rest()] == [True, False] * 40
