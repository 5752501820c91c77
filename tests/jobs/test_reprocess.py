"""Stored events through changed filters: same ids, no doubled captures, no stale failure tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.table import Table
from ingestd.jobs.reprocess import Reprocessing
from ingestd.plugins.registry import BuildContext


def reprocess(filters: str, stored: list[tuple[str, dict[str, Any]]], outputs: str = "stdout {}") -> Any:
    config = f"input {{ stdin {{}} }} filter {{ {filters} }} output {{ {outputs} }}"
    pipeline = compile_pipeline(parse(config, "x.conf", {}), BuildContext(again=True), project_fields=False)
    again = Reprocessing(pipeline)
    found = [
        (event_id, json.loads(document))
        for event_id, document in again.run((i, json.dumps(d).encode()) for i, d in stored)
    ]
    return found, again.counts


GROK = "grok { match => { message => '%{INT:number:int}' } }"
FAILED = {"message": "n 7", "tags": ["_grokparsefailure", "kept"]}

CASES: list[tuple[str, str, list[tuple[str, dict[str, Any]]], list[tuple[str, dict[str, Any]]]]] = [
    # id, filters, stored, what comes out
    ("mended", GROK, [("a-1", FAILED)], [("a-1", {"message": "n 7", "tags": ["kept"], "number": 7})]),
    ("captured_again", GROK, [("a-1", {"message": "n 7", "number": 5})], [("a-1", {"message": "n 7", "number": 7})]),
    (
        "fails_again",
        GROK,
        [("a-1", FAILED | {"message": "none"})],
        [("a-1", {"message": "none", "tags": ["kept", "_grokparsefailure"]})],
    ),
    (
        "the_only_tag_goes",
        GROK,
        [("a-1", {"message": "7", "tags": ["_grokparsefailure"]})],
        [("a-1", {"message": "7", "number": 7})],
    ),
    ("dropped", "if [x] { drop {} }", [("a-1", {"x": 1}), ("b-2", {"y": 1})], [("b-2", {"y": 1})]),
    ("untouched", "", [("any id", {"x": "서울", "tags": "text"})], [("any id", {"x": "서울", "tags": "text"})]),
]


@pytest.mark.parametrize(("filters", "stored", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_reprocess(
    filters: str, stored: list[tuple[str, dict[str, Any]]], expected: list[tuple[str, dict[str, Any]]]
) -> None:
    found, _ = reprocess(filters, stored)
    assert found == expected


def test_counts() -> None:
    stored = [(f"id-{number}", {"message": str(number) if number % 2 else "none"}) for number in range(1200)]
    found, counts = reprocess(GROK + "if [number] == 1 { drop {} }", [*stored, ("id-x", FAILED)])
    assert len(found) == 1200
    assert (counts.read, counts.written, counts.dropped) == (1201, 1200, 1)
    assert (counts.failed, counts.were_failed) == (600, 1)


def test_an_event_of_several_outputs_comes_once() -> None:
    found, _ = reprocess("", [("a-1", {"x": 1})], "stdout {} if [x] { stdout {} } else { stdout {} }")
    assert found == [("a-1", {"x": 1})]


def test_copies_get_ids_of_their_own() -> None:
    found, counts = reprocess("clone { clones => ['copy'] }", [("a-1", {"x": 1})])
    assert len(dict(found)) == 2
    assert found[0] == ("a-1", {"x": 1})
    assert counts.written == 2


def test_an_event_on_which_the_daemon_fails_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its batch go through the filters, and are counted once."""
    process = Pipeline.process

    def faulty(pipeline: Pipeline, table: Table, *more: Any) -> Any:
        if any(table.whole(row).get("n") == 3 for row in table.rows):
            raise RecursionError("too deep")
        return process(pipeline, table, *more)

    monkeypatch.setattr(Pipeline, "process", faulty)
    stored = [
        (f"id-{n}", {"n": n, "message": f"n {n}"} | ({"tags": ["_grokparsefailure"]} if n % 2 else {}))
        for n in range(6)
    ]
    found, counts = reprocess(GROK, stored)
    assert [event.get("number") for _, event in found] == [0, 1, 2, None, 4, 5]
    assert found[3] == stored[3]
    assert (counts.read, counts.written, counts.dropped, counts.failed, counts.were_failed) == (6, 6, 0, 1, 2)
