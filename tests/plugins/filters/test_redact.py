"""The filter ``redact``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.config.errors import ConfigError
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

MAIL = "kim@example.com"

CASES = [
    Case(
        "every_field",
        {},
        {"message": f"from {MAIL}", "a": {"b": [MAIL, 1]}},
        {"message": "from <email>", "a": {"b": ["<email>", 1]}},
    ),
    Case("names_stay", {}, {MAIL: MAIL}, {MAIL: "<email>"}),
    Case(
        "fields",
        {"fields": ["a", "[b][c]"]},
        {"a": MAIL, "b": {"c": MAIL, "d": MAIL}},
        {"a": "<email>", "b": {"c": "<email>", "d": MAIL}},
    ),
    Case("field_missing", {"fields": ["a", "[b][c]"]}, {"b": 1}, {"b": 1}),
    Case("kinds", {"kinds": ["ip"]}, {"message": f"{MAIL} 1.2.3.4"}, {"message": f"{MAIL} 1.2.3.0"}),
    Case("addresses_stay_by_default", {}, {"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}),
    Case("replacement", {"replacement": "***"}, {"message": MAIL}, {"message": "***"}),
    Case(
        "pattern",
        {"patterns": {"emp-(\\d)\\d+": "emp-\\1***"}},
        {"message": f"emp-123 {MAIL}"},
        {"message": "emp-1*** <email>"},
    ),
    Case("only_patterns", {"kinds": [], "patterns": {"x": ""}}, {"message": f"x{MAIL}"}, {"message": "kim@eample.com"}),
    Case("tags", {}, {"tags": [MAIL]}, {"tags": ["<email>"]}),
    Case("timestamp", {}, {"@timestamp": "2026-11-22T10:00:00.000Z"}, {"@timestamp": "2026-11-22T10:00:00.000Z"}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_redact(case: Case) -> None:
    check("redact", case)


def test_value_without_anything_to_mask_keeps_its_identity() -> None:
    """Else the record would be rewritten for nothing."""
    value: dict[str, Any] = {"a": ["x", {"b": "y"}], "c": 1.5}
    event = {"message": value}
    build("redact")(event)
    assert event["message"] is value


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="'name' is not one of email, card"):
        build("redact", kinds=["name"])
    with pytest.raises(ValueError, match=r"patterns: '\('"):
        build("redact", patterns={"(": ""})


PIPELINE = pipeline_of(
    'redact { kinds => ["ip", "email", "card"] patterns => { "a+" => "b" } } redact { fields => "b" }'
)


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["id"] == 7
    assert "tags" not in got
