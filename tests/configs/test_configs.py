"""Configs as sites write them: the events in ``NAME.in``, the documents out in ``NAME.out``, in order.

A document is written to ``NAME.out`` as one line. Events without a time of their own have that of `RECEIVED_NS`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.parser import parse
from ingestd.diagnosis.trace import Tracing
from ingestd.diagnosis.trace_report import trace_document
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import RECEIVED_NS, build

FOLDER = Path(__file__).parent
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.conf"))


def documents(name: str) -> list[dict[str, Any]]:
    """Return what comes out of a config, the documents of each output after those of the one before."""
    pipeline = build((FOLDER / f"{name}.conf").read_text())
    built = pipeline.inputs[0]
    data = (FOLDER / f"{name}.in").read_bytes()
    table = built.codec.decode(Chunk(built.step.name, "s", {"host": "web1"}, 0, RECEIVED_NS, 0, data))
    routes = pipeline.process(table, built.decorate, RECEIVED_NS, Tally())
    batches = [Batch(table, rows, "s", RECEIVED_NS) for rows in routes]
    return [json.loads(document) for batch in batches for document in batch.documents()]


@pytest.mark.sampled
@pytest.mark.parametrize("name", CONFIGS)
def test_config(name: str) -> None:
    expected = [json.loads(line) for line in (FOLDER / f"{name}.out").read_text().splitlines()]
    assert documents(name) == expected


@pytest.mark.sampled
@pytest.mark.parametrize("name", CONFIGS)
def test_trace(name: str) -> None:
    """A trace gives the same events as the pipeline alone, whatever filters there are."""
    tracing = Tracing(parse((FOLDER / f"{name}.conf").read_text(), "test.conf", {}), BuildContext())
    first = tracing.pipeline.inputs[0].step.plugin_id
    traces = tracing.records(first, (FOLDER / f"{name}.in").read_bytes(), {"host": "web1"}, RECEIVED_NS)
    found = [json.dumps(result.document, sort_keys=True) for trace in traces for result in trace.results]
    expected = [json.loads(line) for line in (FOLDER / f"{name}.out").read_text().splitlines()]
    assert {*found} == {json.dumps(document, sort_keys=True) for document in expected}
    assert all(trace_document(trace)["steps"] for trace in traces)


def test_every_file_belongs_to_a_config() -> None:
    names = {path.stem for path in FOLDER.iterdir() if path.suffix in (".in", ".out")}
    assert names == {*CONFIGS}
