"""Objects of the output ``s3`` in Parquet: every value is in them, whatever types a field has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins.outputs._s3_parquet import NotColumnsError, write_parquet
from ingestd.plugins.outputs._s3_segments import Block, Header
from ingestd.plugins.outputs._s3_spool import Spool
from ingestd.stores.local.duckdb.session import duckdb_session
from ingestd.stores.local.sealing.document_sources import file_source
from ingestd.stores.local.sealing.parquet import parquet_writer

TIME = '"@timestamp":"2026-11-22T10:00:00.000Z"'


def written(folder: Path, documents: list[str]) -> Path:
    """Write documents to a segment in two frames, and this to a Parquet file."""
    scratch = folder / "scratch"
    scratch.mkdir()
    spool = Spool(folder / "w0", "main-w0", Header("b", "", "parquet", "none", ".parquet"), 1)
    half = len(documents) // 2
    for first, part in ((0, documents[:half]), (half, documents[half:])):
        if part:
            text = "".join(document + "\n" for document in part).encode()
            spool.append([Block("a", text, [f"id{first + row}" for row in range(len(part))])])
    spool.rotate()
    [path] = spool.closed
    spool.close()
    return write_parquet(path, "a", scratch)


def read(path: Path) -> dict[str, Any]:
    """Return the documents of a file by id, and its columns under an empty one."""
    with parquet_writer(path.parent, 64 << 20) as writer:
        columns = writer.read_all(path).columns
    assert isinstance(columns, dict)
    with duckdb_session(path.parent, 64 << 20) as session:
        rows = session.run(f"SELECT id, doc FROM {file_source(path, columns)}")
    return {"": columns} | {event_id: json.loads(document) for event_id, document in rows}


def test_types_that_conflict_lose_no_value(tmp_path: Path) -> None:
    values = ["1", "2", '"3"', "null", "1.50", "true", '{"b":[1,"x"]}', "[]", '"서울"', "36893488147419103232", "1e400"]
    documents = [f'{{{TIME},"a":{value},"level":"INFO"}}' for value in values]
    documents += ['{"no":"time"}', f'{{{TIME},"a":1,"a":2}}', "{}", f'{{"@timestamp":5,"x":"{"y" * 5000}"}}']
    found = read(written(tmp_path, documents))
    columns = found.pop("")
    assert columns["level"] == "VARCHAR"
    assert found == {f"id{row}": json.loads(document) for row, document in enumerate(documents)}


def test_one_event(tmp_path: Path) -> None:
    assert read(written(tmp_path, [f"{{{TIME}}}"]))["id0"] == {"@timestamp": "2026-11-22T10:00:00.000Z"}


@pytest.mark.parametrize("text", ["{}\n{}", '{"a":"' + "x" * (17 << 20) + '"}'], ids=["two_lines", "too_long"])
def test_what_cannot_be_in_parquet(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotColumnsError):
        written(tmp_path, [text])
