"""Bodies of bulk requests. What becomes of them on a server is in tests/e2e."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.tally import Tally
from ingestd.plugins.outputs._bulk import _Attempt
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._retry import Retry

rows = st.lists(st.tuples(st.sampled_from([b'{"create":{}}', b'{"index":{}}']), st.sampled_from([b"{}", b'{"a":1}'])))


def body(items: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(action + b"\n" + document + b"\n" for action, document in items)


def attempt(parts: list[list[tuple[bytes, bytes]]]) -> _Attempt:
    """Return an attempt with a payload for each part; the ids say where each document was."""
    payloads = []
    for number, items in enumerate(parts):
        ids = [f"{number}-{position}" for position in range(len(items))]
        payloads.append(BulkPayload(body(items), ids, ["i"] * len(items)))
    return _Attempt(payloads, [Tally(delivered=len(items)) for items in parts])


@given(st.lists(rows, max_size=4))
def test_a_line_for_each_action_and_document_of_all_payloads(parts: list[list[tuple[bytes, bytes]]]) -> None:
    found = attempt(parts)
    items = list(itertools.chain(*parts))
    assert (b"".join(found.body()), len(found)) == (body(items), len(items))


@given(st.data(), st.lists(rows, min_size=1, max_size=4).filter(any))
def test_pick(data: st.DataObject, parts: list[list[tuple[bytes, bytes]]]) -> None:
    whole, items = attempt(parts), list(itertools.chain(*parts))
    ids = [event_id for payload in whole.payloads for event_id in payload.ids]
    positions = data.draw(st.lists(st.integers(0, len(items) - 1), unique=True).map(sorted))
    picked = whole.pick(positions)
    assert b"".join(picked.body()) == body([items[position] for position in positions])
    assert [event_id for payload in picked.payloads for event_id in payload.ids] == [ids[n] for n in positions]
    for payload, tally in zip(picked.payloads, picked.tallies, strict=True):
        assert tally is whole.tallies[int(payload.ids[0].partition("-")[0])]


@given(rows)
def test_other_documents_under_the_same_ids(items: list[tuple[bytes, bytes]]) -> None:
    whole = attempt([items, items])
    changed = whole.with_documents([b"%d" % n for n in range(2 * len(items))])
    assert b"".join(changed.body()) == body([(action, b"%d" % n) for n, (action, _) in enumerate([*items, *items])])
    assert b"".join(whole.body()) == body([*items, *items])
    assert [payload.documents for payload in whole.payloads] == [[document for _, document in items]] * 2


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
