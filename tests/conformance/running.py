"""Run a pipeline in the process: filters as in a config, events in, documents out."""

from __future__ import annotations

import json
from typing import Any

from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext

RECEIVED_NS = 1_763_805_600_500_000_000  # 2025-11-22T10:00:00.500Z
NOW = "2025-11-22T10:00:00.500Z"
FRAME = "input { stdin { codec => json_lines } } filter { %s } output { stdout { codec => json_lines } }"
STAMP = "2026-11-22T10:00:00.000Z"


def build(config: str, *, project_fields: bool = True) -> Pipeline:
    """Compile a whole config; raises ConfigErrors."""
    return compile_pipeline(parse(config, "test.conf", {}), BuildContext(), project_fields=project_fields)


def encode(pipeline: Pipeline, data: bytes, offset: int = 0) -> list[Batch]:
    """Decode and filter one chunk; return a batch for each route."""
    built = pipeline.inputs[0]
    table = built.codec.decode(Chunk("stdin_0", "o", {"host": "h"}, offset, RECEIVED_NS, 0, data))
    routes = pipeline.process(table, built.decorate, RECEIVED_NS, Tally())
    return [Batch(table, rows, "o", RECEIVED_NS) for rows in routes]


def documents(pipeline: Pipeline, data: bytes, offset: int = 0) -> list[dict[str, Any]]:
    """Return the documents of the only route, parsed."""
    [batch] = encode(pipeline, data, offset)
    return [json.loads(document) for document in batch.documents()]


def lines(*events: dict[str, Any]) -> bytes:
    """Return events as JSON lines, each with a timestamp and a version unless it has them."""
    whole = ({"@timestamp": STAMP, "@version": "1", **event} for event in events)
    return b"".join(json.dumps(event).encode() + b"\n" for event in whole)


def run(filters: str, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what comes out, without the timestamp and version that ``lines`` has put in."""
    return [shorn(document) for document in documents(build(FRAME % filters), lines(*events))]


def shorn(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what ``lines`` adds."""
    return {key: value for key, value in document.items() if (key, value) not in _ADDED}


def run_one(filters: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return the only document that comes out."""
    [document] = run(filters, event)
    return document


_ADDED = (("@timestamp", STAMP), ("@version", "1"))
