"""Objects of the output ``s3`` in Parquet, written as the sealed files of the built-in store are: no value is lost."""

from __future__ import annotations

from pathlib import Path

from ingestd.plugins.outputs._s3_segments import read_blocks
from ingestd.stores.base import DocumentsRejectedError, StoreError, StoreFullError
from ingestd.stores.local.append_logs.writer import append_log_lines
from ingestd.stores.local.sealing.parquet import parquet_writer
from ingestd.stores.local.sealing.sealed_content import Footer

MEMORY_BYTES = 128 << 20
"""Limit for DuckDB's memory: a worker process makes one object at a time."""


class NotColumnsError(StoreError):
    """Events cannot be written in Parquet; the text says why."""


def write_parquet(path: Path, folder: str, scratch: Path) -> Path:
    """Write the events of a segment for a folder to a new file in the empty folder ``scratch``, and return it.

    Raises:
        DamagedSegmentError: The segment is damaged.
        NotColumnsError: They cannot be written in Parquet, whatever the state of the disk.
        StoreFullError: The disk is full.
        OSError: The disk fails.
    """
    log, target, count = scratch / "events.ndjson", scratch / "events.parquet", 0
    try:
        with log.open("wb") as file:
            for block in read_blocks(path, folder):
                documents = block.text.split(b"\n")[:-1]
                if len(documents) != len(block.ids):
                    raise NotColumnsError("the events are not lines")
                file.write(append_log_lines(documents, block.ids))
                count += len(documents)
        with parquet_writer(scratch / "spill", MEMORY_BYTES) as writer:
            written = writer.seal([log], target, Footer()).stats.events
    except DocumentsRejectedError as error:
        raise NotColumnsError(error.reason) from None
    except (StoreFullError, NotColumnsError):
        raise
    except StoreError as error:
        raise NotColumnsError(str(error)) from None
    if written != count:
        raise NotColumnsError(f"only {written:,} of {count:,} events could be read")
    log.unlink()
    return target
