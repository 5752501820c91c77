"""What outputs say became of each load, when several are delivered as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins.interfaces import Outcome
from ingestd.plugins.outputs._bulk import Bulk, BulkSender, Retry
from ingestd.plugins.outputs._fates import Fates
from ingestd.stores.elastic.client import BulkAnswer
from ingestd.stores.elastic.errors import ElasticUnavailable
from tests.plugins.outputs.outputs import Letters, batch, build


def test_everything_is_delivered_until_told_otherwise() -> None:
    fates = Fates([3, 0, 2], [{"a": 2, "b": 1}, {}, {}])
    fates.duplicate(0, "a")
    fates.dead(0, "b")
    fates.dead(2, "c")
    assert fates.outcomes() == [Outcome(1, 1, 1, {"a": 1}), Outcome(0), Outcome(1, 0, 1, {})]


class Server:
    """Answers with one status for each document, by its id; but first not at all, as often as told."""

    def __init__(self, statuses: dict[str, int], no_answers: int = 0, max_documents: int = 100) -> None:
        self.statuses, self.no_answers, self.max_documents = statuses, no_answers, max_documents

    async def bulk(self, body: bytes, *, pipeline: str | None = None) -> BulkAnswer:
        if self.no_answers:
            self.no_answers -= 1
            raise ElasticUnavailable("no answer", "timeout")
        ids = [line.split(b'"')[-2].decode() for line in body.splitlines()[::2]]
        if len(ids) > self.max_documents:
            return BulkAnswer(413, b"")
        found = [self.statuses.get(one, 201) for one in ids]
        self.statuses = {one: 201 if status == 429 else status for one, status in self.statuses.items()}
        items = ",".join(f'{{"create":{{"status":{one}}}}}' for one in found)
        return BulkAnswer(200, f'{{"errors":true,"items":[{items}]}}'.encode())


def load(*ids: str) -> Bulk:
    actions = [f'{{"create":{{"_index":"i{one[0]}","_id":"{one}"}}}}'.encode() for one in ids]
    indices: dict[str, int] = {}
    for one in ids:
        indices[f"i{one[0]}"] = indices.get(f"i{one[0]}", 0) + 1
    return Bulk.of(actions, [b"{}"] * len(ids), indices=indices)


LOADS = [load("a1", "a2"), load(), load("a3", "b1", "b2"), load("b3")]


@pytest.mark.parametrize("max_documents", [100, 4, 1], ids=["whole", "halves", "each"])
@pytest.mark.parametrize(
    ("statuses", "no_answers", "expected"),
    [
        pytest.param({}, 0, [(2, 0, 0), (0, 0, 0), (3, 0, 0), (1, 0, 0)], id="good"),
        pytest.param({"a2": 409, "b1": 409}, 0, [(1, 1, 0), (0, 0, 0), (2, 1, 0), (1, 0, 0)], id="there already"),
        pytest.param({"a2": 409, "b3": 409}, 1, [(2, 0, 0), (0, 0, 0), (3, 0, 0), (1, 0, 0)], id="there by ourselves"),
        pytest.param({"a3": 404, "b3": 404}, 0, [(2, 0, 0), (0, 0, 0), (2, 0, 1), (0, 0, 1)], id="refused"),
        pytest.param({"a1": 429, "b2": 429, "b1": 404}, 0, [(2, 0, 0), (0, 0, 0), (2, 0, 1), (1, 0, 0)], id="later"),
    ],
)
async def test_bulk(
    statuses: dict[str, int], no_answers: int, expected: list[tuple[int, int, int]], max_documents: int
) -> None:
    client: Any = Server(dict(statuses), no_answers, max_documents)
    letters = Letters()
    outcomes = await BulkSender(client, "elasticsearch_0", letters, Retry(0.001, 0.001)).deliver(LOADS)
    assert [(one.delivered, one.duplicates, one.dead) for one in outcomes] == expected
    assert [sum(one.indices.values()) for one in outcomes] == [one.delivered for one in outcomes]
    assert len(letters.letters) == sum(one.dead for one in outcomes)


async def test_store(tmp_path: Path) -> None:
    """Also after a crash between append and commit."""
    text = "store { index => '%{app}' }"
    first, second = batch({"app": "a"}, {"app": "no/index"}), batch({"app": "b"}, {"app": "a"}, first=2)
    more = batch({"app": "a"}, first=4)
    output = build(text, tmp_path)
    await output.open()
    assert await output.deliver([output.prepare(first), output.prepare(second)]) == [
        Outcome(1, 0, 1, {"a": 1}),
        Outcome(2, 0, 0, {"a": 1, "b": 1}),
    ]
    await output.close()
    output = build(text, tmp_path)
    await output.open()
    assert await output.deliver([output.prepare(second), output.prepare(more)]) == [
        Outcome(0, 2),
        Outcome(1, 0, 0, {"a": 1}),
    ]
    await output.close()
