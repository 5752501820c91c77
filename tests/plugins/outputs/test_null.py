"""The output ``null`` takes every event, and they count as delivered."""

from __future__ import annotations

from tests.plugins.outputs.outputs import batch, build


async def test_null() -> None:
    output = build("null { }")
    await output.open()
    prepared = output.prepare(batch({"n": 1}, {"n": 2}))
    assert prepared.rejected == ()
    assert await output.deliver([prepared.payload]) is None
    await output.close()
