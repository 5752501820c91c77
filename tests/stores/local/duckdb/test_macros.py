"""Tests of the macros that queries use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ingestd.stores.local.duckdb.core import connect
from ingestd.stores.local.duckdb.macros import MACROS

if TYPE_CHECKING:
    import duckdb

LONE = r"""'{"a":"\ud83d","b":1}'"""
TWICE = """'{"a":1,"b":"x","a":[2]}'"""
CASES: dict[str, tuple[str, Any]] = {
    "repaired": (f"repaired({LONE})", r'{"a":"\ufffd","b":1}'),
    "values": ("""values_at('{"a":"x","b":[1]}', ['/b', '/a', '/c'])""", ["[1]", '"x"', None]),
    "values_of_a_lone_surrogate": (f"values_at({LONE}, ['/b'])", ["1"]),
    "values_of_no_json": ("values_at('{', ['/b'])", None),
    "texts": ("""texts_at('{"a":"x","b":[1]}', ['/b', '/a', '/c'])""", ["[1]", "x", None]),
    "repeats_key": (f"repeats_key({TWICE}, [''])", True),
    "repeats_key_in_another_object": ("""repeats_key('{"a":{"b":1,"b":2}}', [''])""", False),
    "repeats_key_in_an_object_on_the_path": ("""repeats_key('{"a":{"b":1,"b":2}}', ['', '/a'])""", True),
    "repeats_key_of_no_json": ("repeats_key('{', [''])", True),
    "parsed": (r"""parsed(E' \r\n\t{"a":1}')""", '{"a":1}'),
    "last_member": (f"last_member({TWICE}, 'a')", "[2]"),
    "last_member_of_an_array": ("last_member('[1]', 'a')", None),
    "last_members": (f"last_members({TWICE}, ['b', 'a', 'c'])", ['"x"', "[2]", None]),
    "flattened": ("flattened(['[1,[2]]'::JSON, '[[[3]]]', '4'])", ["1", "2", "[3]", "4"]),
    "in_one_of_none": ("in_one([NULL::JSON, NULL])", None),
    "in_one_of_one": ("in_one([NULL, '[1]'::JSON])", "[1]"),
    "in_one_of_two": ("""in_one([NULL, '[1]'::JSON, '"x"'])""", '[1,"x"]'),
    "array_elements": ("""array_elements('[1,"x",{"a":[2]}]')""", ["1", '"x"', '{"a":[2]}']),
    "array_elements_of_arrays": ("""array_elements('[1,["x",[2]]]')""", ["1", '"x"', "2"]),
    "distinct_elements": ("distinct_elements('[1,1]')", ["1"]),
    "distinct_elements_of_a_text": ("""distinct_elements('"[1]"')""", ['"[1]"']),
    "distinct_elements_of_an_empty_array": ("distinct_elements('[]')", ["[]"]),
    "distinct_paths": ("""distinct_paths('["/a?b","/a?c"]')""", ['"/a"']),
    "distinct_paths_of_a_number": ("distinct_paths('1')", ["1"]),
    "is_value": ("""is_value('"x"')""", True),
    "is_value_null": ("is_value('null')", False),
    "is_value_empty": ("""is_value('""')""", False),
    "is_value_object": ("is_value('{}')", False),
    "has_leaf": ("""has_leaf('{"a":[{"b":0}]}')""", True),
    "has_leaf_null": ("""has_leaf('{"a":[null,{}]}')""", False),
    "texts_of_an_array": ("""texts_of('["x",1,null,{}]')""", ["x", "1", None, None]),
    "texts_of_a_text": ("""texts_of('"x"')""", ["x"]),
    "texts_of_null": ("texts_of('null')", [None]),
}
_INNER = {"flattened_once", "path_of", "is_leaf", "text_of"}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect({"threads": 1}, with_macros=True) as opened:
        yield opened


@pytest.mark.parametrize(("expression", "value"), CASES.values(), ids=CASES)
def test_macros(connection: duckdb.DuckDBPyConnection, expression: str, value: Any) -> None:
    assert connection.execute(f"SELECT {expression}").fetchall() == [(value,)]


def test_all_are_tested() -> None:
    tested = {expression.partition("(")[0] for expression, _ in CASES.values()}
    assert tested | _INNER == {macro.partition("(")[0] for macro in MACROS}
