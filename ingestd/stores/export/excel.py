"""Texts that a spreadsheet would run as formulas. https://owasp.org/www-community/attacks/CSV_Injection"""

from __future__ import annotations

import re

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")


def excel_text(value: str, *, numbers: bool = True) -> str:
    """Return a cell of CSV with a ``'`` before a text that a spreadsheet would take for a formula.

    ``numbers``: texts that are numbers stay numbers.
    """
    if not value.startswith(_FORMULA_STARTS) or (numbers and _NUMBER.fullmatch(value)):
        return value
    return f"'{value}"
