"""Templates: what they read, what is fixed in them. What they render is in tests/conformance/test_sprintf.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.sprintf import Template, to_text

CASES: list[tuple[str, set[str], str | None]] = [  # text, fields read, the text if nothing in it changes
    ("", set(), ""),
    ("plain", set(), "plain"),
    ("%{a}", {"a"}, None),
    ("%{[a]}", {"a"}, None),
    ("%{[a][b]}-%{c}", {"[a][b]", "c"}, None),
    ("%{+YYYY}", {"@timestamp"}, None),
    ("%{{yyyy}}", {"@timestamp"}, None),
    ("%{+%s}", {"@timestamp"}, None),
    ("%{@timestamp}", {"@timestamp"}, None),
    ("%{", set(), "%{"),
    ("%{a", set(), "%{a"),
    ("%{}", set(), "%{}"),
    ("%{[a}", set(), "%{[a}"),
    ("%{a[b]}", set(), "%{a[b]}"),
    ("%{{a}", {"{a"}, None),
    ("100% {a}", set(), "100% {a}"),
]


@pytest.mark.parametrize(("text", "reads", "static"), CASES, ids=[repr(case[0]) for case in CASES])
def test_reads_and_static(text: str, reads: set[str], static: str | None) -> None:
    template = Template(text)
    assert template.reads == reads
    assert template.static == static
    if static is not None:
        assert template.render({}) == static


@pytest.mark.parametrize("text", ["%{+}", "%{{}}", "%{+QQQQ}", "%{{B}}", "%{{J}}"])
def test_a_date_pattern_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match="date pattern"):
        Template(text)


def test_equality_is_that_of_the_text() -> None:
    assert Template("%{a}") == Template("%{a}")
    assert Template("%{a}") != Template("%{[a]}")
    assert len({Template("x"), Template("x"), Template("y")}) == 2


FLOATS = [
    (0.0, "0.0"),
    (-0.0, "-0.0"),
    (1.0, "1.0"),
    (0.001, "0.001"),
    (9999999.0, "9999999.0"),
    (10000000.0, "1.0E7"),
    (-12345678.9, "-1.23456789E7"),
    (0.00012, "1.2E-4"),
    (1e21, "1.0E21"),
    (1e-300, "1.0E-300"),
    (1.7976931348623157e308, "1.7976931348623157E308"),
]


@pytest.mark.parametrize(("value", "text"), FLOATS)
def test_floats_look_as_in_java(value: float, text: str) -> None:
    assert to_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_float_is_lost(value: float) -> None:
    assert float(to_text(value)) == value


@given(st.text(alphabet="%{}+[]a ", max_size=12), st.dictionaries(st.sampled_from(["a", "{a", " "]), st.text()))
def test_any_text_is_a_template(text: str, event: dict[str, str]) -> None:
    """Where nothing is known, nothing is replaced."""
    try:
        template = Template(text)
    except ValueError as error:
        assert "date pattern" in str(error)  # noqa: PT017 -- most texts raise nothing
        return
    template.render(event)
    if not template.reads & event.keys() and "@timestamp" not in template.reads:
        assert template.render(event) == text
