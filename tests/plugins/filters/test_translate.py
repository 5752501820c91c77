"""The filter ``translate``."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ingestd.config.errors import ConfigError
from ingestd.plugins.filters import _watched_files as module
from ingestd.plugins.filters._dictionaries import DictionaryError, read_dictionary
from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, build_in, check

CODES = {"200": "OK", "300": "Redirect", "400": ["Client", "Error"], "500": {"a": 1}}
LOOKUP = {"source": "status", "dictionary": CODES}
WORDS = {"source": "m", "dictionary": {"foo": "bar", "a.c": 7, "fooo": "never"}}
PATTERNS = {"source": "m", "regex": True, "dictionary": {"^2[0-9]+$": "OK", "^\\d": "number", "(?i)x": "ix"}}


def found(id_: str, status: Any, translation: Any, **settings: Any) -> Case:
    """Return a case of the field ``status``."""
    return Case(id_, LOOKUP | settings, {"status": status}, {"status": status, "translation": translation})


def missed(id_: str, before: dict[str, Any], **settings: Any) -> Case:
    """Return a case in which nothing changes."""
    return Case(id_, LOOKUP | settings, before, before, done=False)


def each(id_: str, value: Any, translation: Any, *, done: bool = True, **settings: Any) -> Case:
    """Return a case of an array in ``status``."""
    settings = LOOKUP | {"iterate_on": "status", **settings}
    return Case(id_, settings, {"status": value}, {"status": value, "translation": translation}, done)


HASHES = {"source": "code", "target": "text", "iterate_on": "list", "dictionary": CODES}

CASES = [
    found("text", "200", "OK"),
    found("number", 200, "OK"),
    found("value_is_array", "400", ["Client", "Error"]),
    found("value_is_hash", "500", {"a": 1}),
    found("number_as_value", "1", 2, dictionary={"1": 2}),
    found("first_of_array", [300, 200], "Redirect"),
    found("empty_array_is_empty_text", [], "none", dictionary={"": "none"}),
    found("null_is_empty_text", None, "none", dictionary={"": "none"}),
    found("array_as_dictionary", "b", "2", dictionary=["a", "1", "b", "2"]),
    missed("unknown", {"status": "600"}),
    missed("missing", {"other": "200"}),
    missed("no_dictionary", {"status": "200"}, dictionary={}),
    found("fallback_of_event", "600", "what is 600?", fallback="what is %{status}?"),
    missed("fallback_needs_a_source", {"other": 1}, fallback="x"),
    Case("fallback_static", LOOKUP | {"fallback": "none"}, {"status": 6}, {"status": 6, "translation": "none"}),
    Case(
        "target",
        LOOKUP | {"target": "[a][b]"},
        {"status": "200", "a": {"c": 1}},
        {"status": "200", "a": {"c": 1, "b": "OK"}},
    ),
    missed("read_as_a_whole", {"a": 1}, yaml_load_strategy="streaming"),
    Case("old_names", {"field": "s", "destination": "d", "dictionary": CODES}, {"s": 200}, {"s": 200, "d": "OK"}),
    missed("target_exists", {"status": "200", "translation": "x"}),
    missed("target_is_null", {"status": "200", "translation": None}),
    missed("nested_target_exists", {"status": "200", "a": {"b": None}}, target="[a][b]"),
    Case(
        "override",
        LOOKUP | {"override": True},
        {"status": "200", "translation": "x"},
        {"status": "200", "translation": "OK"},
    ),
    Case("in_place", LOOKUP | {"target": "status"}, {"status": "200"}, {"status": "OK"}),
    Case("in_place_succeeds_always", LOOKUP | {"target": "status"}, {"status": "600"}, {"status": "600"}),
    missed("in_place_without_override", {"status": "200"}, target="status", override=False),
    Case("ecs_is_in_place", LOOKUP | {"ecs_compatibility": "v8"}, {"status": "200"}, {"status": "OK"}),
    Case(
        "ecs_target",
        LOOKUP | {"ecs_compatibility": "v8", "target": "t"},
        {"status": "200"},
        {"status": "200", "t": "OK"},
    ),
    Case(
        "replaced",
        WORDS | {"exact": False},
        {"m": "foofing a.c abc"},
        {"m": "foofing a.c abc", "translation": "barfing 7 abc"},
    ),
    Case("nothing_replaced", WORDS | {"exact": False}, {"m": "fo"}, {"m": "fo"}, done=False),
    Case("first_key_counts", WORDS | {"exact": False}, {"m": "fooo"}, {"m": "fooo", "translation": "baro"}),
    Case("keys_are_no_regex", WORDS | {"exact": False, "regex": True}, {"m": "abc"}, {"m": "abc"}, done=False),
    Case("empty_replaces_nothing", {"source": "m", "exact": False}, {"m": "abc"}, {"m": "abc"}, done=False),
    Case("regex", PATTERNS, {"m": "299"}, {"m": "299", "translation": "OK"}),
    Case("regex_first_counts", PATTERNS, {"m": "399x"}, {"m": "399x", "translation": "number"}),
    Case("regex_of_line", PATTERNS, {"m": "a\n200\nb"}, {"m": "a\n200\nb", "translation": "OK"}),
    Case("regex_flag", PATTERNS, {"m": "abX"}, {"m": "abX", "translation": "ix"}),
    Case("regex_none", PATTERNS, {"m": "ab"}, {"m": "ab"}, done=False),
    each("each", ["200", 300, "600"], ["OK", "Redirect", None]),
    each("each_fallback", [200, 6], ["OK", "no 200,6"], fallback="no %{status}"),
    each("each_of_one", "200", ["OK"]),
    each("each_of_null", None, [], done=False),
    each("each_unknown", ["6"], [None], done=False),
    each("each_of_hash", {"a": 1}, ["pair"], dictionary={'["a", 1]': "pair"}),
    missed("each_missing", {"other": 1}, iterate_on="status"),
    missed("each_target_exists", {"status": ["200"], "translation": 1}, iterate_on="status"),
    Case(
        "each_in_place",
        LOOKUP | {"iterate_on": "status", "target": "status"},
        {"status": ["200", "6"]},
        {"status": ["OK", None]},
    ),
    Case(
        "hashes",
        HASHES,
        {"list": [{"code": 200, "x": 1}, {"code": 6}, {"y": 1}, "200", {"code": "300", "text": "old"}]},
        {
            "list": [
                {"code": 200, "x": 1, "text": "OK"},
                {"code": 6},
                {"y": 1},
                "200",
                {"code": "300", "text": "Redirect"},
            ]
        },
    ),
    Case(
        "hashes_fallback",
        HASHES | {"fallback": "%{z}"},
        {"list": [{"code": 6}, {"code": None}], "z": 9},
        {"list": [{"code": 6, "text": "9"}, {"code": None}], "z": 9},
    ),
    Case(
        "hashes_nested",
        HASHES | {"source": "[a][b]", "target": "[a][c]", "iterate_on": "[list][x]"},
        {"list": {"x": [{"a": {"b": "200"}}]}},
        {"list": {"x": [{"a": {"b": "200", "c": "OK"}}]}},
    ),
    Case("hashes_unknown", HASHES, {"list": [{"code": 6}]}, {"list": [{"code": 6}]}, done=False),
    Case("hashes_of_text", HASHES, {"list": "200"}, {"list": "200"}, done=False),
    Case("hashes_missing", HASHES, {"code": "200"}, {"code": "200"}, done=False),
    Case("hashes_in_place", HASHES | {"target": "code"}, {"list": [{"code": 200}]}, {"list": [{"code": "OK"}]}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_translate(case: Case) -> None:
    check("translate", case)


YAML = """
100: Continue
"101": Switching
yes: 1
null: nothing
2026-11-29: a day
date: 2026-11-29
base: &base {a: 1, 2: [x, no]}
merged: {<<: *base, b: 2026-01-01}
ordered: !!omap [c: 1, b: 2]
members: !!set {x, y}
"""
YAML_ENTRIES = {
    "100": "Continue",
    "101": "Switching",
    "yes": 1,
    "null": "nothing",
    "2026-11-29": "a day",
    "date": "2026-11-29",
    "base": {"a": 1, "2": ["x", False]},
    "merged": {"a": 1, "2": ["x", False], "b": "2026-01-01"},
    "ordered": {"c": 1, "b": 2},
    "members": {"x": None, "y": None},
}


@pytest.mark.parametrize(
    ("name", "text", "entries"),
    [
        ("d.yaml", YAML, YAML_ENTRIES),
        ("d.yml", "", {}),
        ("d.yml", "!!omap [a: 1, b: 2]", {"a": 1, "b": 2}),
        ("d.YML", "\ufeffa: 서울\n", {"a": "서울"}),
        ("d.json", '{"a": 1, "b": {"c": [null]}}', {"a": 1, "b": {"c": [None]}}),
        ("d.csv", 'a,1\n\n"b, c","x ""y""\nz"\nalone\n', {"a": "1", "b, c": 'x "y"\nz', "alone": None}),
    ],
)
def test_files(tmp_path: Path, name: str, text: str, entries: dict[str, Any]) -> None:
    (tmp_path / name).write_text(text)
    assert read_dictionary(tmp_path / name) == entries
    for key, value in entries.items():
        event = {"m": key}
        build_in(BuildContext(folder=tmp_path), "translate", {"source": "m", "dictionary_path": name})(event)
        assert event == {"m": key, "translation": value}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.yml", b"a: [", "cannot read .*d.yml: while parsing a flow node"),
        ("d.yml", b"- a", "is not a dictionary"),
        ("d.yml", b"a: !!python/object:os.system {}", "could not determine a constructor"),
        ("d.yml", b"a: \xff", "can't decode byte 0xff"),
        ("d.yml", b"a: &a {b: *a}", "recursive"),
        ("d.yml", b"!!omap [1]", "cannot read .*d.yml"),
        ("d.json", b"{", "cannot read .*d.json"),
        ("d.json", b"[]", "is not a dictionary"),
        ("d.csv", b'a,"b', "cannot read .*d.csv"),
        ("d.txt", b"a", r"must be a file .yaml, .yml, .json or .csv"),
        ("d.yml", None, "cannot read .*d.yml: No such file or directory"),
    ],
)
def test_invalid_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DictionaryError, match=message):
        build("translate", source="m", dictionary_path=str(tmp_path / name))


@pytest.mark.parametrize(
    ("behaviour", "kept"),
    [("merge", "1"), ("replace", None)],
)
def test_refresh(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    behaviour: str,
    kept: str | None,
) -> None:
    """A changed file is read after the interval; one that is invalid or gone leaves the entries as they are."""
    caplog.set_level(logging.INFO)
    path, now = tmp_path / "d.csv", 100.0
    path.write_text("a,1\n")
    monkeypatch.setattr(module, "monotonic", lambda: now)
    settings = {"source": "m", "dictionary_path": str(path), "refresh_interval": 10, "refresh_behaviour": behaviour}
    function = build("translate", **settings)

    def translation(text: str) -> Any:
        event = {"m": text}
        function(event)
        return event.get("translation")

    def change(text: str) -> None:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(path)

    assert (translation("a"), translation("b")) == ("1", None)
    change("b,2\n")
    now = 109.0
    assert translation("b") is None
    now = 110.0
    assert (translation("a"), translation("b")) == (kept, "2")
    change('c,"')
    now = 120.0
    assert (translation("b"), translation("c")) == ("2", None)
    path.unlink()
    now = 130.0
    assert translation("b") == "2"
    change("b,3\n")
    now = 140.0
    assert translation("b") == "3"
    assert [record.getMessage().split(" path")[0].split(" error")[0] for record in caplog.records] == [
        "file read again",
        "a file cannot be read again, what it held before stays in use",
        "a file cannot be read again, what it held before stays in use",
        "file read again",
    ]


def test_refresh_of_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = tmp_path / "d.json", 0.0
    path.write_text('{"^a": 1}')
    monkeypatch.setattr(module, "monotonic", lambda: now)
    function = build("translate", source="m", dictionary_path=str(path), regex=True, refresh_interval=1)
    for number, (content, expected) in enumerate([("{}", 1), ('{"(": 1}', 1), ('{"^a": 22}', 22)]):
        path.write_text(content)
        os.utime(path, ns=(number, number))
        now += 1
        event: dict[str, Any] = {"m": "ab"}
        function(event)
        assert event["translation"] == expected


def test_never_refreshed(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"a": 1}')
    function = build("translate", source="m", dictionary_path=str(path), refresh_interval=0)
    path.write_text('{"a": 22}')
    event: dict[str, Any] = {"m": "a"}
    function(event)
    assert event["translation"] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "a", "dictionary": {"a": 1}, "dictionary_path": "d.yml"}, "not both"),
        ({"source": "a", "dictionary": {"(": 1}, "regex": True}, r"the key '\(' is not a regular expression"),
        ({"source": "a", "yaml_dictionary_code_point_limit": 0}, "must be positive"),
        ({"source": "a", "dictionary_path": "d.json", "yaml_dictionary_code_point_limit": 9}, "for YAML files only"),
    ],
)
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("translate", **settings)


def test_wrong_behaviour() -> None:
    with pytest.raises(ConfigError, match="'other' is not one of merge, replace"):
        build("translate", source="a", refresh_behaviour="other")


def test_limit_of_yaml(tmp_path: Path) -> None:
    (tmp_path / "d.yml").write_text("a: 서울")
    settings = {"source": "m", "dictionary_path": str(tmp_path / "d.yml"), "yaml_dictionary_code_point_limit": 5}
    build("translate", **settings)
    (tmp_path / "d.yml").write_text("a: 서울시")
    with pytest.raises(DictionaryError, match="has more than 5 characters"):
        build("translate", **settings)


PIPELINE = pipeline_of(
    'translate { source => "message" target => "x" dictionary => { "a" => "b" "1" => 2 } exact => false'
    '  fallback => "%{a}" }'
    ' translate { source => "a" target => "a" iterate_on => "a" dictionary => { "a" => "b" } }'
    ' translate { source => "a" target => "b" iterate_on => "b" regex => true dictionary => { "a" => "b" } }'
    ' translate { source => "b" override => true dictionary => { "" => [1, 2] } }'
)


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["message"] == event["message"]
    assert "tags" not in got
