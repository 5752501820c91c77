"""A search that reads to the end, as matches are rare, finds what one finds that stops early."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.query import store as module
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Condition, Equal, Not, Or, Query, Text, level_at_least

pytestmark = pytest.mark.usefixtures("shared_duckdb")

DAYS = [f"2026.11.{day}" for day in range(18, 23)]
TEXTS = ["Timeout", "runtime 서울", "100%", "nothing", "a_time'b", "%54ime", "/search?q=%EC%84%9C%EC%9A%B8+time"]
CONDITIONS = {
    "word": Text("time"),
    "korean": Text("서울"),
    "no_event": Text("nosuchword"),
    "phrase": Text("runtime 서울"),
    "field": Text("time", ("message",)),
    "with_others": And((level_at_least("WARNING"), Text("time"), Not(Equal("n", "3")))),
    "either": Or((Text("time"), Text("서울"))),
    "negated": Not(Text("time")),
    "everything": None,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five days, with events that have the same time, the same id, or no time, and some that are not sealed."""
    root, chance = tmp_path_factory.mktemp("store"), random.Random(1)
    for sealed in (True, True, False):
        writer = LocalWriter(root, "w0")
        for day in DAYS:
            documents = [orjson.dumps(_event(day, number % 7, chance)) for number in range(12)]
            writer.append(f"logstash-{day}", documents, [str(chance.randrange(9)) for _ in documents])
        writer.close()
        if sealed:
            seal_once(root, Policy(idle_s=0, small_files=9))
    return root


def _event(day: str, number: int, chance: random.Random) -> dict[str, object]:
    event: dict[str, object] = {"n": number, "level": chance.choice(["INFO", "ERROR"])}
    if chance.random() < 0.9:
        event["@timestamp"] = f"{day.replace('.', '-')}T10:00:0{chance.randrange(9)}.000Z"
    for field in ("message", "stack_trace", "search_word", "request_path"):
        if chance.random() < 0.5:
            event[field] = chance.choice(TEXTS)
    return event


def _pages(store: LocalStore, query: Query, limit: int) -> Iterator[list[tuple[str, str, bytes]]]:
    after = None
    while hits := list(store.search(query, limit, after)):
        yield [(hit.index, hit.id, hit.document) for hit in hits]
        after = hits[-1].cursor


@pytest.mark.sampled(usual=3)
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_pages(root: Path, monkeypatch: pytest.MonkeyPatch, condition: Condition | None) -> None:
    monkeypatch.setattr(module, "_SMALL_BYTES", 0)  # the newest day is read first
    store, found = LocalStore(root), []
    for is_rare in (True, False):
        monkeypatch.setattr(module, "_is_rare", lambda *_, answer=is_rare: answer)
        pages = _pages(store, Query(condition=condition), 50)
        found.append([*pages, list(store.search(Query("2026-11-19T10:00:03Z", None, condition), 9))])
    store.close()
    assert found[0] == found[1]


def test_what_is_rare() -> None:
    assert [module._is_rare(found, 68 << 20) for found in (0, 67, 68)] == [True, True, False]
    assert not module._is_rare(0, 15 << 20)
