"""Tables for a terminal: columns by display width (Hangul takes two cells), without control characters."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ingestd.display import char_width, display_width
from ingestd.event.jsontext import dumps

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # may move the cursor, change the reading direction, or fail to encode
_BLANKS = str.maketrans("\t\r\n", "   ")
GAP = "  "

_EXACT = 1 << 53
"""Up to here a float has all digits of an integer."""


def printable(text: str) -> str:
    """Return text that is safe to print on one line: spaces for line ends and tabs, U+FFFD for control characters."""
    if text.isprintable():
        return text
    blank = text.translate(_BLANKS)
    return "".join("\ufffd" if unicodedata.category(char) in _UNSAFE else char for char in blank)


def fit(text: str, cells: int) -> str:
    """Return ``text`` cut to at most ``cells`` cells (at least 1), with an ellipsis if it was cut."""
    if display_width(text) <= cells:
        return text
    kept, used = [], 1  # 1: the ellipsis
    for char in text:
        used += char_width(char)
        if used > cells:
            break
        kept.append(char)
    return "".join(kept) + "…"


def pad(text: str, cells: int, right: bool = False) -> str:
    """Return ``text`` padded with spaces to ``cells`` cells; ``right``: aligned right."""
    space = " " * (cells - display_width(text))
    return space + text if right else text + space


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], cells: int | None, numbers: int = 0) -> Iterator[str]:
    """Yield the lines of a table: the heads, then the rows.

    Args:
        heads: The heads of n columns.
        rows: Rows of n texts.
        cells: Width of the terminal, to which the first column is cut; ``None``: as wide as needed.
        numbers: How many of the last columns are numbers, which are aligned right.
    """
    lines = [list(heads), *([printable(text) for text in row] for row in rows)]
    widths = [max(display_width(line[at]) for line in lines) for at in range(len(heads))]
    if cells is not None:
        rest = sum(widths[1:]) + len(GAP) * (len(widths) - 1)
        widths[0] = min(widths[0], max(8, cells - rest))
    first_number = len(heads) - numbers
    for line in lines:
        texts = [pad(fit(text, widths[at]), widths[at], at >= first_number) for at, text in enumerate(line)]
        yield GAP.join(texts).rstrip()


def csv_text(rows: Iterable[Sequence[str]], *, bom: bool = False) -> bytes:
    """Return rows as CSV (RFC 4180) in UTF-8; ``bom``: with a byte order mark, which Excel needs."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8", errors="replace")


def value_text(value: Any) -> str:
    """Return a value of a field: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else dumps(value).decode()


def number_text(value: float | None) -> str:
    """Return a number for people: 1,234 or 0.0123 or 1.5e+20; ``-`` if there is none."""
    if value is None:
        return "-"
    if isinstance(value, int) or (value.is_integer() and abs(value) <= _EXACT):
        return f"{int(value):,}"
    if abs(value) > _EXACT:
        return f"{value:.15g}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"
