"""The output ``store``: events in daily indices of the built-in store, refused ones among the dead letters."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingestd.event.batch import Batch
from ingestd.event.event_id import own_id
from ingestd.stores.local import LocalStore
from ingestd.stores.local.index.layout import store_root
from ingestd.stores.query import Query
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.outputs import RECEIVED_NS, STAMP, batch, build, deliver


async def test_daily_indices(tmp_path: Path) -> None:
    output = build("store { }", tmp_path)
    await output.open()
    await deliver(
        output,
        batch({"n": 1}, {"n": 2, "@timestamp": "2026-11-23T00:00:00.000Z"}),
        batch({"n": 3}, first=2),
    )
    await output.close()
    root = store_root(tmp_path)
    assert {path.name for path in root.iterdir() if path.is_dir()} >= {"logstash-2026.11.22", "logstash-2026.11.23"}


async def test_index_of_a_field(tmp_path: Path) -> None:
    output = build('store { index => "%{app}-%{+YYYY}" }', tmp_path)
    await output.open()
    await deliver(output, batch({"n": 1, "app": "web"}))
    await output.close()
    assert (store_root(tmp_path) / "web-2026").is_dir()


async def test_an_index_that_cannot_be_makes_dead_letters(tmp_path: Path) -> None:
    letters = MemoryDeadLetters()
    output = build('store { index => "%{app}" }', tmp_path, letters)
    await output.open()
    (store_root(tmp_path) / "taken").write_text("a file is where the folder should be")
    events: list[dict[str, Any]] = [
        {"n": 1, "app": "../up"},
        {"n": 2, "app": "good"},
        {"n": 3},
        {"n": 4, "app": "taken"},
    ]
    rejected = await deliver(output, batch(*events))
    await output.close()
    assert [json.loads(letter["raw"])["n"] for letter in letters.letters] == [4]
    assert [json.loads(rejection.raw)["n"] for rejection in rejected] == [1, 3]
    assert {letter["stage"] for letter in letters.letters} == {"output"}
    assert (store_root(tmp_path) / "good").is_dir()


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first, second = build("store { }", tmp_path), build("store { }", tmp_path)
    await first.open()
    with pytest.raises(OSError, match="w0"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_events_that_come_again_to_another_worker(tmp_path: Path) -> None:
    """They are duplicates, and counted so; those of connections have other ids each time."""
    first, second = build("store { }", tmp_path), build("store { id => other }", tmp_path)
    names = [own_id(b"file", number) for number in range(4)]
    events = [{**STAMP, "n": number} for number in range(4)]

    def sent(*numbers: int) -> Batch:
        return Batch.of_events([events[n] for n in numbers], [names[n] for n in numbers], "s", RECEIVED_NS)

    async def tallies(output: Any, *batches: Batch) -> list[tuple[int, int]]:
        found = await output.deliver([output.prepare(part).payload for part in batches])
        return [(tally.delivered, tally.duplicates) for tally in found]

    await first.open()
    await second.open()
    assert await tallies(first, sent(0, 1), batch({"n": 9})) == [(2, 0), (1, 0)]
    assert await tallies(second, sent(1, 2), batch({"n": 9}, first=1), sent(2, 3)) == [(1, 1), (1, 0), (1, 1)]
    assert await tallies(first, sent(0, 1, 2, 3)) == [(0, 4)]
    await first.close()
    await second.close()
    found = Counter(json.loads(hit.document)["n"] for hit in LocalStore(store_root(tmp_path)).search(Query(), 100))
    assert found == {0: 1, 1: 1, 2: 1, 3: 1, 9: 2}
