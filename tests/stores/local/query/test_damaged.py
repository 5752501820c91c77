"""A damaged file harms its own index only: the other days answer exactly, and the answer says what it lacks."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner

from ingestd.cli.main import main
from ingestd.stores.base import take_missing
from ingestd.stores.local import LocalStore, store_root
from ingestd.stores.local.duckdb.core import connect
from ingestd.stores.local.query.engine import Engine, QueryFailedError
from ingestd.stores.query import Query
from tests.random_cases import sampled
from tests.stores.local.damage import AFTER, BEFORE, DAMAGED, EVENTS, FAULTS, LOGGED, SEALED, Fault, fill, names_outside

pytestmark = pytest.mark.usefixtures("shared_duckdb")

REST = EVENTS - SEALED
CASES = [  # id, file, fault, events of the damaged day that are left; None: some
    *((f"sealed_{fault.__name__}", "sealed-00001.parquet", fault, REST) for fault in FAULTS),
    *(
        (f"manifest_{fault.__name__}", "sealed.json", fault, LOGGED if fault is Path.unlink else 0)
        for fault in [*FAULTS, names_outside]
    ),
    *((f"log_{fault.__name__}", "tail-w0-00003.ndjson", fault, None) for fault in FAULTS),
    *((f"ids_{fault.__name__}", "ids-w0-00002.txt", fault, EVENTS) for fault in FAULTS),
]


SOME = sampled(CASES, usual=2)


@pytest.mark.parametrize(("name", "fault", "left"), [case[1:] for case in SOME], ids=[case[0] for case in SOME])
def test_every_answer(tmp_path: Path, name: str, fault: Fault, left: int | None) -> None:
    fault(fill(tmp_path) / name)
    store = LocalStore(store_root(tmp_path))
    hits = list(store.search(Query(), 0))
    days = Counter(hit.index for hit in hits)
    assert (days[BEFORE], days[AFTER]) == (EVENTS, EVENTS)
    assert 2 * SEALED <= days[DAMAGED] < EVENTS if left is None else days[DAMAGED] == left
    missing = take_missing(store)
    if left is None or left == EVENTS:
        assert all(name in text for text in missing)
    else:
        [text] = missing
        assert text.startswith(f"{DAMAGED}/{name} ")
    found = len(hits)
    assert store.count(Query()) == found
    assert {top.value: top.count for top in store.top("day", Query())}.items() >= {"21": EVENTS, "23": EVENTS}.items()
    timed = sum("@timestamp" in _parsed(hit.document) for hit in hits)
    assert sum(sum(bucket.counts.values()) for bucket in store.histogram(Query(), 3600)) == timed
    newest = list(store.search(Query(), 1000))
    assert Counter(hit.index for hit in newest)[AFTER] == EVENTS
    infos = {info.index: info.events for info in store.indices()}
    assert (infos[BEFORE], infos[AFTER]) == (EVENTS, EVENTS)
    if left is not None:
        assert infos[DAMAGED] == left
    assert take_missing(store) == missing, "every answer lacks the same"
    assert list(store.search(Query(until="2026-11-22T00:00:00Z"), 0)) != []
    if name.endswith(".parquet"):
        assert take_missing(store) == [], "what is not asked for is not missing"


def test_files_are_not_damaged_because_duckdb_fails(tmp_path: Path) -> None:
    fill(tmp_path)
    store = LocalStore(store_root(tmp_path))
    everything = store.count(Query())
    closed = connect({})
    closed.close()
    with mock.patch.object(Engine, "_cursor", return_value=closed), pytest.raises(QueryFailedError):
        store.count(Query())
    assert store.count(Query()) == everything
    assert take_missing(store) == []


def _parsed(document: bytes) -> dict[str, Any]:
    try:
        return json.loads(document)  # type: ignore[no-any-return]
    except ValueError:
        return {}


COMMANDS = [["search"], ["top", "day"], ["histogram"], ["indices"], ["export", "-o", "-"]]


@pytest.mark.sampled
@pytest.mark.parametrize("command", COMMANDS, ids="_".join)
@pytest.mark.parametrize("name", ["sealed-00001.parquet", "sealed.json"])
def test_commands(tmp_path: Path, name: str, command: list[str]) -> None:
    os.truncate(fill(tmp_path) / name, 100)
    done = CliRunner().invoke(main, [*command, "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert f"warning: incomplete: {DAMAGED}/{name}" in done.stderr
    assert done.stdout


def test_the_json_of_a_command_stays_json(tmp_path: Path) -> None:
    (fill(tmp_path) / "sealed-00001.parquet").unlink()
    done = CliRunner().invoke(main, ["indices", "--json", "--data-dir", str(tmp_path)])
    assert {entry["index"]: entry["events"] for entry in json.loads(done.stdout)} == {
        BEFORE: EVENTS,
        DAMAGED: REST,
        AFTER: EVENTS,
    }
    assert (
        done.stderr == f"warning: incomplete: {DAMAGED}/sealed-00001.parquet is missing: {SEALED} events are missing\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["sealed-00001.parquet", "sealed.json", "tail-w0-00003.ndjson", ""])
def test_no_rights(tmp_path: Path, name: str) -> None:
    path = fill(tmp_path) / name
    path.chmod(0)
    store = LocalStore(store_root(tmp_path))
    days = Counter(hit.index for hit in store.search(Query(), 0))
    assert (days[BEFORE], days[AFTER]) == (EVENTS, EVENTS)
    assert days[DAMAGED] < EVENTS
    assert "Permission denied" in take_missing(store)[0]
    path.chmod(0o700)
