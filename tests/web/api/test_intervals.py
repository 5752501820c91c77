import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.web.api.intervals import BARS, MAX_BARS, WIDTHS, bar_seconds

CASES = [  # id, span in seconds, width in seconds
    ("nothing", 0, 1),
    ("a_minute", 60, 1),
    ("quarter_of_an_hour", 900, 15),
    ("hour", 3600, 60),
    ("day", 86_400, 1800),
    ("week", 7 * 86_400, 3 * 3600),
    ("month", 30 * 86_400, 12 * 3600),
    ("year", 365 * 86_400, 7 * 86_400),
]


@pytest.mark.parametrize(("span", "width"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_width(span: float, width: int) -> None:
    assert bar_seconds(span) == width


@given(st.floats(60, WIDTHS[-1] * BARS))
def test_there_are_never_too_many_nor_too_few_bars(span: float) -> None:
    assert BARS / 2.1 <= span / bar_seconds(span) <= BARS * 2.1


def test_all_years_fit_into_a_chart() -> None:
    span_s = 9999 * 365.25 * 86_400
    assert span_s / bar_seconds(span_s) < MAX_BARS
