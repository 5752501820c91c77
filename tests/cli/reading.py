"""A small store and a way to run the commands that read it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from ingestd.cli.main import main
from ingestd.stores.local import LocalWriter, store_root

DOCUMENTS = [
    rb'{"@timestamp":"2026-11-21T10:00:00.000Z","level":"INFO","message":"GET /s","search_word":"\uc11c\uc6b8"}',
    '{"@timestamp":"2026-11-22T10:00:00.000Z","level":"INFO","message":"GET /s","search_word":"부산 여행"}'.encode(),
    '{"@timestamp":"2026-11-22T10:00:01.000Z","level":"INFO","message":"GET /s","search_word":"서울"}'.encode(),
    rb'{"@timestamp":"2026-11-22T10:00:02.000Z","level":"ERROR","message":"red \u001b[31m","stack_trace":"one\n  two"}',
    rb'{"@timestamp":"2026-11-22T10:00:03.000Z","level":"WARNING","message":"half \ud83d","status_code":404}',
]


def fill(data_dir: Path) -> Path:
    """Put the documents into the built-in store of a data folder; returns the folder."""
    writer = LocalWriter(store_root(data_dir), "w0")
    writer.append("logstash-2026.11.21", DOCUMENTS[:1], ["0"])
    writer.append("logstash-2026.11.22", DOCUMENTS[1:], ["1", "2", "3", "4"])
    writer.close()
    return data_dir


def run(*arguments: str, data_dir: Path) -> Result:
    """Run ``ingestd`` with arguments in this process."""
    return CliRunner().invoke(main, [*arguments, "--data-dir", str(data_dir)])
