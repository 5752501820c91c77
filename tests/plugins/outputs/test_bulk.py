"""Bodies of bulk requests. What becomes of them on a server is in tests/e2e."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.outputs._bulk import Bulk, Retry

rows = st.lists(st.tuples(st.sampled_from([b'{"create":{}}', b'{"index":{}}']), st.sampled_from([b"{}", b'{"a":1}'])))


def body(items: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(action + b"\n" + document + b"\n" for action, document in items)


def bulk(items: list[tuple[bytes, bytes]]) -> Bulk:
    return Bulk.of([action for action, _ in items], [document for _, document in items])


@given(rows)
def test_a_line_for_each_action_and_document(items: list[tuple[bytes, bytes]]) -> None:
    assert bulk(items) == Bulk(body(items), len(items))


@given(st.lists(rows.filter(bool), min_size=1, max_size=4))
def test_joined(parts: list[list[tuple[bytes, bytes]]]) -> None:
    assert Bulk.joined([bulk(part) for part in parts]) == bulk(list(itertools.chain(*parts)))


@given(st.data(), rows.filter(bool))
def test_pick(data: st.DataObject, items: list[tuple[bytes, bytes]]) -> None:
    positions = data.draw(st.lists(st.integers(0, len(items) - 1), unique=True).map(sorted))
    assert bulk(items).pick(positions) == bulk([items[position] for position in positions])


async def test_waits_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    retry = Retry(1, 10)
    for attempt in (*range(6), 1000):
        await retry.wait(attempt)
    await retry.wait(0, at_least=30)
    bounds = [(0.5, 1), (1, 2), (2, 4), (4, 8), (5, 10), (5, 10), (5, 10), (30, 30)]
    assert all(low <= seconds <= high for seconds, (low, high) in zip(waited, bounds, strict=True))


def test_it_tries_for_ever() -> None:
    assert list(itertools.islice(Retry(1, 1).attempts(), 3)) == [0, 1, 2]
