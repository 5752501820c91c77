"""Indices that are older than retention keeps: announced once, marked after they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ingestd.event.batch import Batch
from ingestd.event.payload import Payload
from ingestd.event.tally import Tally
from ingestd.jobs.import_old_days import KeepOldDays, OldDays
from ingestd.plugins.interfaces import Prepared
from ingestd.stores.base import StoreError


class Recorder:
    """An output that notes the order of what happens."""

    concurrency, batch_bytes = 3, 1000

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[Payload]:
        raise NotImplementedError

    async def deliver(self, payloads: Sequence[Payload]) -> list[Tally]:
        self.seen += [f"stored {index}" for payload in payloads for index in payload.indices]
        return []

    async def close(self) -> None:
        pass


def payload(*indices: str) -> Payload:
    return Payload([b"{}"] * len(indices), ["id"] * len(indices), indices)


async def test_order() -> None:
    inner = Recorder()
    old_days = OldDays(lambda index: index < "b", lambda index: inner.seen.append(f"announced {index}"))
    output = KeepOldDays(inner, old_days, lambda index: inner.seen.append(f"marked {index}"))
    await output.deliver([payload("c", "a2"), payload("a1")])
    await output.deliver([payload("a1", "a3")])
    stored = ["stored c", "stored a2", "stored a1", "marked a1", "marked a2"]
    assert inner.seen == ["announced a1", *stored, "stored a1", "stored a3", "marked a3"]
    assert old_days.indices == {"a1", "a2", "a3"}
    assert (output.concurrency, output.batch_bytes) == (3, 1000)


async def test_a_delivery_that_fails_is_marked_when_it_comes_again() -> None:
    """Once, and only the indices that were stored."""
    inner, failures = Recorder(), iter([KeyError("odd")])
    store = inner.deliver

    async def failing(payloads: Sequence[Payload]) -> list[Tally]:
        for error in failures:
            raise error
        return await store(payloads)

    inner.deliver = failing  # type: ignore[method-assign]
    old_days = OldDays(lambda index: True, lambda index: inner.seen.append(f"announced {index}"))
    output = KeepOldDays(inner, old_days, lambda index: inner.seen.append(f"marked {index}"))
    with pytest.raises(KeyError):
        await output.deliver([payload("a", "b")])
    for index in ("a", "b", "a"):
        await output.deliver([payload(index)])
    assert inner.seen == ["announced a", "stored a", "marked a", "stored b", "marked b", "stored a"]


@pytest.mark.parametrize("error", [StoreError("no disk"), KeyError("odd")], ids=["disk", "defect"])
async def test_a_mark_that_fails_loses_nothing(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    def fail(index: str) -> None:
        raise error

    inner = Recorder()
    output = KeepOldDays(inner, OldDays(lambda index: True, lambda index: None), fail)
    await output.deliver([payload("a")])
    assert inner.seen == ["stored a"]
    assert "could not be marked" in caplog.text
