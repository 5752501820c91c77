"""Durations as Logstash writes them."""

from __future__ import annotations

import pytest

from ingestd.plugins.inputs._file_settings import seconds
from ingestd.plugins.registry import OptionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("0.5", 0.5),
        ("1 second", 1),
        ("500 ms", 0.5),
        ("500ms", 0.5),
        ("200 usec", 0.0002),
        ("18h", 18 * 3600),
        ("2 minutes", 120),
        ("3m", 180),
        ("21.5d", 21.5 * 86400),
        ("1 day", 86400),
        ("2 weeks", 14 * 86400),
        ("6w", 42 * 86400),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds("close_older", text) == pytest.approx(expected)


def test_a_number_of_days() -> None:
    assert seconds("sincedb_clean_after", "0.5", unit=86400) == 43200


@pytest.mark.parametrize("text", ["", "soon", "1 fortnight", "-1", "1 2 s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(OptionError, match="close_older"):
        seconds("close_older", text)
