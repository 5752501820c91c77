"""Days as they are written on the command line."""

import datetime

import pytest

from ingestd.cli.common.days import parse_days

TODAY = datetime.date(2019, 5, 16)

GOOD = [  # id, text, first, last
    ("dots", "2019.05.15", "2019-05-15", "2019-05-15"),
    ("dashes", "2019-05-15", "2019-05-15", "2019-05-15"),
    ("yesterday", "yesterday", "2019-05-15", "2019-05-15"),
    ("range", "2019.04.29..2019.05.02", "2019-04-29", "2019-05-02"),
    ("until_today", "2019.05.14..today", "2019-05-14", "2019-05-16"),
]


@pytest.mark.parametrize(("text", "first", "last"), [one[1:] for one in GOOD], ids=[one[0] for one in GOOD])
def test_parse_days(text: str, first: str, last: str) -> None:
    days = parse_days(text, TODAY)
    assert (str(days[0]), str(days[-1])) == (first, last)
    assert len(days) == (days[-1] - days[0]).days + 1


BAD = [  # id, text, what the error says
    ("word", "monday", "expected a day"),
    ("no_such_day", "2019.02.30", "expected a day"),
    ("backwards", "2019.05.15..2019.05.14", "ends before it begins"),
    ("too_long", "1019.05.15..2019.05.14", "more than"),
    ("open", "2019.05.15..", "expected a day"),
]


@pytest.mark.parametrize(("text", "error"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_what_is_no_day(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_days(text, TODAY)
