"""The text of ``ingestd.toml`` for settings that come from Logstash."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ingestd.app.migration.installation import Version
from ingestd.settings import SETTINGS


def settings_text(settings: Iterable[tuple[str, Any, str]], version: Version, folder: str) -> str:
    """Return the text of a settings file.

    Args:
        settings: The name, the value as it is written and where it comes from, of each setting; the last one counts.
        version: Of Logstash.
        folder: Its settings folder.
    """
    found = f", Logstash {version.number}" if version.number else ""
    return "\n".join([f"# Written by `ingestd migrate` from {_line(folder)}{found}.", *_tables(settings), ""])


def _tables(settings: Iterable[tuple[str, Any, str]]) -> Iterator[str]:
    last = {name: (value, place) for name, value, place in settings}
    head = None
    for name in sorted(last, key=lambda name: ("." in name, name.rpartition(".")[0], [*SETTINGS].index(name))):
        value, place = last[name]
        table, _, key = name.rpartition(".")
        if table != head:
            yield from ("", f"[{table}]") if table else ("",)
            head = table
        yield f"{key} = {_written(value)}  # {_line(place)}"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if text.isascii() and text.isdigit() and str(int(text)) == text else _quoted(text)


def _quoted(text: str) -> str:
    """Return a text as TOML has it, which unlike JSON knows no surrogates and no raw DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    """Return a text that ends no comment."""
    return "".join(char if char.isprintable() else "?" for char in text)
