"""A store with a single event, and a search that finds it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from ingestd.stores.local import LocalWriter, store_root

INDEX = "logstash-2026.11.22"
DOCUMENT = b'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"INFO","message":"hello"}'
SEARCH: dict[str, Any] = {"q": "", "since": None, "until": None, "limit": 10, "after": None}


def fill(data_dir: Path) -> Path:
    """Put the event into the store of a data folder; returns the folder."""
    with closing(LocalWriter(store_root(data_dir), "w0")) as writer:
        writer.append(INDEX, [DOCUMENT], ["a"])
    return data_dir
