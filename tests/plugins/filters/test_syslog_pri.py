"""The filter ``syslog_pri``."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import FieldError
from tests.plugins.filters.tables import Case, build, check

FAILED = ["_syslogpriparsefailure"]


def legacy(id_: str, value: Any, severity: tuple[int, str], facility: tuple[int, str], **settings: Any) -> Case:
    before = {"syslog_pri": value}
    return Case(id_, settings, before, {**before, **codes(severity[0], facility[0]), **names(severity[1], facility[1])})


def codes(severity: int, facility: int) -> dict[str, Any]:
    return {"syslog_severity_code": severity, "syslog_facility_code": facility}


def names(severity: str, facility: str) -> dict[str, Any]:
    return {"syslog_severity": severity, "syslog_facility": facility}


ECS = {"facility": {"code": 20, "name": "local4"}, "severity": {"code": 4, "name": "warning"}}

CASES = [
    legacy("text", "164", (4, "warning"), (20, "local4")),
    legacy("number", 165, (5, "notice"), (20, "local4")),
    legacy("float", 13.9, (5, "notice"), (1, "user-level")),
    legacy("zero", 0, (0, "emergency"), (0, "kernel")),
    legacy("last", 191, (7, "debug"), (23, "local7")),
    legacy("array", ["34", "5"], (2, "critical"), (4, "security/authorization")),
    legacy("empty_array", [], (0, "emergency"), (0, "kernel")),
    legacy("null_in_array", [None], (0, "emergency"), (0, "kernel")),
    legacy("null", None, (5, "notice"), (1, "user-level")),
    legacy("false", False, (5, "notice"), (1, "user-level")),
    legacy("starts_with_a_number", "34>", (2, "critical"), (4, "security/authorization")),
    legacy("no_number", "abc", (0, "emergency"), (0, "kernel")),
    legacy("negative_counts_from_the_end", -1, (7, "debug"), (-1, "local7")),
    legacy("labels", 9, (1, "b"), (1, "d"), severity_labels=["a", "b"], facility_labels=["c", "d"]),
    Case("missing", {}, {"m": 1}, {"m": 1, **codes(5, 1), **names("notice", "user-level")}),
    Case("no_labels", {"use_labels": False}, {"syslog_pri": 200}, {"syslog_pri": 200, **codes(0, 25)}),
    Case("too_high", {}, {"syslog_pri": 193}, {"syslog_pri": 193, **codes(1, 24), "tags": FAILED}),
    Case(
        "far_too_low",
        {},
        {"syslog_pri": -1000},
        {"syslog_pri": -1000, **codes(0, -125), "syslog_severity": "emergency"},
    ),
    Case(
        "severity_without_a_label",
        {"severity_labels": ["a"]},
        {"syslog_pri": 3},
        {"syslog_pri": 3, **codes(3, 0), "syslog_facility": "kernel"},
    ),
    Case(
        "other_field",
        {"syslog_pri_field_name": "[a][b]"},
        {"a": {"b": "164"}},
        {"a": {"b": "164"}, **codes(4, 20), **names("warning", "local4")},
    ),
    Case(
        "ecs",
        {"ecs_compatibility": "v8"},
        {"log": {"level": "x", "syslog": {"priority": 164, "facility": {"code": 3}}}},
        {"log": {"level": "x", "syslog": {"priority": 164, **ECS}}},
    ),
    Case(
        "ecs_other_field",
        {"ecs_compatibility": "v1", "syslog_pri_field_name": "pri"},
        {"pri": "164"},
        {"pri": "164", "log": {"syslog": ECS}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_syslog_pri(case: Case) -> None:
    check("syslog_pri", case)


@pytest.mark.parametrize("value", [{}, True, [[1]], "9" * 40, 2**64, 1e30, float("inf"), float("nan")])
def test_no_priority(value: Any) -> None:
    """The pipeline tags the event, which keeps its fields."""
    with pytest.raises((ValueError, OverflowError)):
        build("syslog_pri")({"syslog_pri": value})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["syslog", "x"]), SCALARS)


FUNCTIONS = (build("syslog_pri"), build("syslog_pri", ecs_compatibility="v8", syslog_pri_field_name="syslog_pri"))


@given(st.dictionaries(st.sampled_from(["syslog_pri", "log"]), VALUES))
def test_other_fields_stay(event: dict[str, Any]) -> None:
    for function in FUNCTIONS:
        got = copy.deepcopy(event)
        with contextlib.suppress(ValueError, OverflowError, FieldError):
            function(got)
        assert repr(got.get("syslog_pri", "")) == repr(event.get("syslog_pri", ""))
