"""Fields with several names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import ingestd.web
from ingestd.stores import known_fields
from ingestd.stores.known_fields import TRACE_FIELDS, level_of, text_getter
from tests.stores import levels

NAMES = ("LEVEL_FIELDS", "PATH_FIELDS", "HOST_FIELDS", "ADDRESS_FIELDS")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_same_names(name: str) -> None:
    text = (Path(ingestd.web.__file__).parent / "static" / "known_fields.js").read_text()
    found = re.search(rf"export const {name} = (\[.*\]);", text)
    assert found is not None
    assert json.loads(found[1]) == [*getattr(known_fields, name)]


EVENTS = [  # id, event, level
    *((key, event, level) for key, (event, level) in levels.EVENTS.items()),
    ("number", {"level": 30, "log": {"level": "error"}}, "30"),
    ("object", {"level": {"name": "x"}, "log": {"level": "error"}}, ""),
    ("array_of_others", {"level": [None, {"name": "x"}, 30]}, "30"),
    ("no_object", {"log": "x"}, ""),
]


@pytest.mark.parametrize(("event", "level"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_the_level_that_is_shown(event: dict[str, Any], level: str) -> None:
    assert level_of(event) == level


TEXTS = [  # id, event, trace
    ("django", {"stack_trace": "a", "error": {"stack_trace": "b"}}, "a"),
    ("nested", {"error": {"stack_trace": "b"}}, "b"),
    ("dotted", {"error.stack_trace": "b"}, "b"),
    ("empty", {"stack_trace": "", "error.stack_trace": "b"}, "b"),
    ("other_types", {"stack_trace": 30, "error": "x"}, ""),
]


@pytest.mark.parametrize(("event", "text"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_the_first_text(event: dict[str, Any], text: str) -> None:
    assert text_getter(TRACE_FIELDS)(event) == text
