from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.variables import UndefinedVariableError, has_reference, is_reference, substitute

VARIABLES = {"A": "1", "EMPTY": "", "B.c_2": "x", "SELF": "${SELF}"}
CASES = [
    ("none", "a $b {c}", "a $b {c}"),
    ("one", "${A}", "1"),
    ("inside", "a${A}b${B.c_2}", "a1bx"),
    ("default_not_needed", "${A:2}", "1"),
    ("default", "${N:a:b {c}", "a:b {c"),
    ("default_empty", "<${N:}>", "<>"),
    ("empty_is_set", "<${EMPTY:x}>", "<>"),
    ("case_matters", "${a:no}", "no"),
    ("not_again", "${SELF}", "${SELF}"),
    ("no_name", "${} ${:x} ${1} ${a b} ${A", "${} ${:x} ${1} ${a b} ${A"),
    ("logstash_fields_stay", "%{A} ${A}", "%{A} 1"),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_substitute(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES) == expected


def test_all_undefined_variables_are_named() -> None:
    with pytest.raises(UndefinedVariableError) as caught:
        substitute("${X}${A}${Y}${X}", VARIABLES)
    assert caught.value.names == ["X", "Y"]


@pytest.mark.parametrize(
    ("text", "has", "is_one"),
    [
        ("${A}", True, True),
        ("${A:}", True, True),
        ("x${A}", True, False),
        ("${A}${A}", True, False),
        ("${", False, False),
    ],
)
def test_what_is_a_reference(text: str, has: bool, is_one: bool) -> None:
    assert (has_reference(text), is_reference(text)) == (has, is_one)


@given(st.text("${}A:b"))
def test_text_without_references_stays(text: str) -> None:
    if not has_reference(text):
        assert substitute(text, {}) == text
