"""Words as CSV that Excel opens: with Hangul intact, and without running a word as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingestd.stores.export.excel import excel_text

COLUMNS = ("word", "count", "share", "previous", "change", "rank", "previous_rank")


def words_csv(words: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> bytes:
    """Return words, such as `WordCount.document`, as CSV (RFC 4180) in UTF-8 with the byte order mark that Excel needs.

    A word that a spreadsheet would take as a formula starts with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(word[name]) for name in columns] for word in words)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return excel_text(value, numbers=False) if isinstance(value, str) else str(value)
