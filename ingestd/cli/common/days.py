"""Days as people write them: ``2019.05.15``, ``2019-05-15``, ``yesterday``, ``2019.05.01..2019.05.15``."""

from __future__ import annotations

import datetime
import re
from typing import Any

import click

_DAY = re.compile(r"(\d{4})[-.](\d\d)[-.](\d\d)")
_LONGEST = 3660


def parse_days(text: str, today: datetime.date) -> list[datetime.date]:
    """Return the days that ``text`` names, the first first.

    Raises:
        ValueError: It names none.
    """
    first, dots, last = text.partition("..")
    begin = _day(first, today)
    end = _day(last, today) if dots else begin
    if end < begin:
        raise ValueError(f"the range {text} ends before it begins")
    if (end - begin).days > _LONGEST:
        raise ValueError(f"the range {text} has more than {_LONGEST} days")
    return [begin + datetime.timedelta(days=number) for number in range((end - begin).days + 1)]


def _day(text: str, today: datetime.date) -> datetime.date:
    if text in {"today", "yesterday"}:
        return today - datetime.timedelta(days=text == "yesterday")
    if found := _DAY.fullmatch(text):
        try:
            return datetime.date(*map(int, found.groups()))
        except ValueError:
            pass
    raise ValueError(f"expected a day such as 2019.05.15 or yesterday, or 2019.05.01..2019.05.15, found {text!r}")


class Days(click.ParamType[Any]):
    """A day or a range of days, in the time zone of the indices' default: UTC."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the list of days."""
        if isinstance(value, list):
            return value
        try:
            return parse_days(value, datetime.datetime.now(datetime.UTC).date())
        except ValueError as error:
            self.fail(str(error), param, ctx)
