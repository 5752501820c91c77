"""Fields with several names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import ingestd.web
from ingestd.stores import known_fields
from ingestd.stores.known_fields import LEVEL_FIELDS, text_getter

NAMES = ("LEVEL_FIELDS", "PATH_FIELDS", "HOST_FIELDS", "ADDRESS_FIELDS")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_same_names(name: str) -> None:
    text = (Path(ingestd.web.__file__).parent / "static" / "known_fields.js").read_text()
    found = re.search(rf"export const {name} = (\[.*\]);", text)
    assert found is not None
    assert json.loads(found[1]) == [*getattr(known_fields, name)]


EVENTS = [  # id, event, level
    ("django", {"level": "ERROR", "log": {"level": "error"}}, "ERROR"),
    ("nested", {"log": {"level": "error"}}, "error"),
    ("dotted", {"log.level": "error"}, "error"),
    ("empty", {"level": "", "log.level": "error"}, "error"),
    ("other_types", {"level": 30, "log": "x"}, ""),
]


@pytest.mark.parametrize(("event", "level"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_the_first_text(event: dict[str, Any], level: str) -> None:
    assert text_getter(LEVEL_FIELDS)(event) == level
