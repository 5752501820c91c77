"""Ruby's ``to_i`` and ``to_f``."""

import pytest

from ingestd.plugins.filters._ruby import to_f, to_i


@pytest.mark.parametrize(
    ("text", "integer", "number"),
    [
        ("400", 400, 400.0),
        ("-12.7", -12, -12.7),
        ("+5", 5, 5.0),
        (" 3 apples", 3, 3.0),
        (".5", 0, 0.5),
        ("1e3", 1, 1000.0),
        ("1_000", 1000, 1000.0),
        ("0x1F", 0, 0.0),
        ("abc", 0, 0.0),
        ("", 0, 0.0),
        ("1.", 1, 1.0),
        ("1e999", 1, float("inf")),
    ],
)
def test_numbers_at_the_start_of_a_text(text: str, integer: int, number: float) -> None:
    assert to_i(text) == integer
    assert to_f(text) == number


def test_very_long_numbers_convert() -> None:
    assert to_i("9" * 10_000) > 0
