"""Field references: their grammar, and what they do to events."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import FieldError, FieldRef, add_tag, legal_tags, parse_path

PATHS = [
    ("foo", ("foo",)),
    ("[foo]", ("foo",)),
    ("[foo][bar]", ("foo", "bar")),
    ("[foo][bar][baz]", ("foo", "bar", "baz")),
    ("[[foo]][bar]", ("foo", "bar")),
    ("[[foo][bar]][baz]", ("foo", "bar", "baz")),
    ("[[foo][bar]]", ("foo", "bar")),
    ("[foo][0]", ("foo", "0")),
    ("[@metadata][nested][field]", ("@metadata", "nested", "field")),
    ("field with space", ("field with space",)),
    ("[a b][c.d]", ("a b", "c.d")),
    ("a.b-c@d", ("a.b-c@d",)),
    ("[한글][키]", ("한글", "키")),
]


@pytest.mark.parametrize(("text", "path"), PATHS, ids=[text for text, _ in PATHS])
def test_path(text: str, path: tuple[str, ...]) -> None:
    ref = FieldRef(text)
    assert ref.path == path
    assert parse_path(str(ref)) == parse_path(ref.text) == path


WRONG = [
    "",
    "[",
    "]",
    "[]",
    "[foo",
    "foo]",
    "[foo][bar][baz",
    "foo[bar][baz]",
    "[foo]bar[baz]",
    "[foo]bar",
    "[foo]]",
    "[foo]][bar]",
    "[[[[[[[[[[[]",
    "[[foo][bar]nope][baz]",
    "[nope[foo][bar]][baz]",
    "[this[is]terrible]",
    "[this[is]terrible][and][it[should-not[work]]]",
    "this[index]",
]


@pytest.mark.parametrize("text", WRONG)
def test_wrong(text: str) -> None:
    with pytest.raises(FieldError):
        FieldRef(text)


LIST: dict[str, Any] = {"foo": ["bar", 1, 1.0, {"k": "v"}], "nil": None, "text": "abc", "h": {"0": "zero"}}
VALUES = [
    ("[foo][0]", "bar", True),
    ("[foo][2]", 1.0, True),
    ("[foo][-1][k]", "v", True),
    ("[foo][-4]", "bar", True),
    ("[foo][-5]", None, False),
    ("[foo][4]", None, False),
    ("[foo][x]", None, False),
    ("[foo][1_0]", None, False),
    ("[foo][²]", None, False),
    ("[nil]", None, True),
    ("[nil][x]", None, False),
    ("[text]", "abc", True),
    ("[text][0]", None, False),
    ("[h][0]", "zero", True),
    ("missing", None, False),
    ("[missing][x]", None, False),
]


@pytest.mark.parametrize(("text", "value", "there"), VALUES, ids=[case[0] for case in VALUES])
def test_get(text: str, value: Any, there: bool) -> None:
    ref = FieldRef(text)
    assert ref.get(LIST) == value
    assert ref.exists(LIST) is there


SETS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("top", {}, "a", {"a": 1}),
    ("top_again", {"a": 2}, "a", {"a": 1}),
    ("deep", {}, "[a][b][c]", {"a": {"b": {"c": 1}}}),
    ("deep_beside", {"a": {"x": 0}}, "[a][b]", {"a": {"x": 0, "b": 1}}),
    ("number_in_nothing", {}, "[a][0][b]", {"a": {"0": {"b": 1}}}),
    ("in_list", {"a": [0, 0]}, "[a][1]", {"a": [0, 1]}),
    ("in_list_from_the_end", {"a": [0, 0]}, "[a][-1]", {"a": [0, 1]}),
    ("append", {"a": [0]}, "[a][1]", {"a": [0, 1]}),
    ("append_beyond", {"a": [0]}, "[a][3]", {"a": [0, None, None, 1]}),
    ("in_null", {"a": None}, "[a][b]", {"a": {"b": 1}}),
    ("through_list", {"a": [{"b": 0}]}, "[a][0][b]", {"a": [{"b": 1}]}),
    ("in_text", {"a": "text"}, "[a][b]", None),
    ("in_number", {"a": 5}, "[a][b]", None),
    ("name_in_list", {"a": [0]}, "[a][b]", None),
    ("before_list", {"a": [0]}, "[a][-2]", None),
    ("far_beyond_list", {"a": []}, "[a][99999999]", None),
    ("odd_digit_in_list", {"a": [0]}, "[a][²]", None),
]


@pytest.mark.parametrize(("event", "text", "after"), [case[1:] for case in SETS], ids=[case[0] for case in SETS])
def test_set(event: dict[str, Any], text: str, after: dict[str, Any] | None) -> None:
    before, held = copy.deepcopy(event), dict(event)
    if after is None:
        with pytest.raises(FieldError):
            FieldRef(text).set(event, 1)
        assert event == before
    else:
        FieldRef(text).set(event, 1)
        assert event == after
    assert held == before, "a container was changed in place"


TAGS: list[tuple[Any, str, Any]] = [
    (None, "a", ["a"]),
    ([], "a", ["a"]),
    (["a"], "a", ["a"]),
    (["a"], "b", ["a", "b"]),
    ("a", "b", ["a", "b"]),
    ("a", "a", "a"),
]


@pytest.mark.parametrize(("tags", "tag", "after"), TAGS)
def test_add_tag(tags: Any, tag: str, after: Any) -> None:
    event = {} if tags is None else {"tags": tags}
    add_tag(event, tag)
    assert event == {"tags": after}


LEGAL: list[tuple[Any, bool]] = [
    (None, True),
    ("a", True),
    ([], True),
    (["a", "b"], True),
    ([1], False),
    ([["a"]], False),
    ({}, False),
]


@pytest.mark.parametrize(("value", "legal"), [*LEGAL, (5, False), (True, False)])
def test_legal_tags(value: Any, legal: bool) -> None:
    assert legal_tags(value) is legal


name = st.sampled_from(["a", "b", "0", "1", "-1", "x y"])
events = st.dictionaries(
    name,
    st.recursive(
        st.one_of(st.integers(0, 3), st.text(max_size=2), st.none()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(name, inner, max_size=3)),
        max_leaves=8,
    ),
    max_size=4,
)
refs = st.lists(name, min_size=1, max_size=4).map(lambda path: FieldRef("".join(f"[{part}]" for part in path)))


@given(events, refs, st.integers())
def test_what_was_set_is_read(event: dict[str, Any], ref: FieldRef, value: int) -> None:
    """Set changes the one place, and no container that was there before: it copies those on its way."""
    before = copy.deepcopy(event)
    held = dict(event)
    try:
        ref.set(event, value)
    except FieldError:
        assert event == before
    else:
        assert ref.exists(event)
        assert ref.get(event) == value
        assert {key: item for key, item in event.items() if key != ref.top} == {
            key: item for key, item in before.items() if key != ref.top
        }
    assert held == before


@given(events, refs)
def test_what_was_removed_is_gone(event: dict[str, Any], ref: FieldRef) -> None:
    before, there, value = copy.deepcopy(event), ref.exists(event), ref.get(event)
    held = dict(event)
    assert ref.remove(event) == value
    assert held == before
    if not there:
        assert event == before
    elif len(ref.path) == 1:
        assert ref.top not in event
    else:
        assert event != before or value is None


@given(events, refs, st.integers())
def test_set_then_remove_of_a_new_field_in_a_hash(event: dict[str, Any], ref: FieldRef, value: int) -> None:
    parent = FieldRef("".join(f"[{part}]" for part in ref.path[:-1])).get(event) if len(ref.path) > 1 else event
    if type(parent) is not dict or ref.exists(event):
        return
    before = copy.deepcopy(event)
    ref.set(event, value)
    assert ref.remove(event) == value
    assert event == before
