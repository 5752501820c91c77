"""docs/performance.md: the text is written by hand, the table of each measurement by ``make bench ARGS=--write``."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

from tests.bench.options import Options
from tests.bench.results import Result, markdown

PATH = Path(__file__).parents[2] / "docs" / "performance.md"


def write(name: str, options: Options, results: list[Result]) -> None:
    """Replace the table of a measurement."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    made = f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {machine}: `{options.command(name)}`"
    PATH.write_text(replaced(PATH.read_text("utf-8"), name, "\n".join([made, "", *markdown(results)])), "utf-8")


def replaced(text: str, name: str, table: str) -> str:
    """Return the page with another table.

    Raises:
        ValueError: The page has no place for it, or several.
    """
    start, end = f"<!-- table {name} -->\n", f"\n<!-- end of {name} -->"
    found = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if len(found.findall(text)) != 1:
        raise ValueError(f"the page must have {start.strip()} and {end.strip()} once")
    return found.sub(lambda _: f"{start}{table}{end}", text)
