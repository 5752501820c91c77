"""What outputs report of each payload, when several are delivered as one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingestd.event.tally import Tally
from ingestd.plugins.outputs._bulk import BulkSender
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._connect import Connector
from ingestd.plugins.outputs._retry import Retry
from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.client import BulkAnswer
from ingestd.stores.elastic.connection.errors import ElasticUnavailable
from ingestd.stores.local.index.layout import store_root
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.outputs import batch, build


def tally(delivered: int, *, duplicates: int = 0, dead: int = 0, **indices: int) -> Tally:
    return Tally(delivered=delivered, duplicates=duplicates, dead=dead, indices=Counter(indices))


class Server:
    """Answers with one status for each document, by its id; but first not at all, as often as told."""

    def __init__(self, statuses: dict[str, int], no_answers: int = 0, max_documents: int = 100) -> None:
        self.statuses, self.no_answers, self.max_documents = statuses, no_answers, max_documents

    async def bulk(self, body: BodyParts, *, pipeline: str | None = None, document_type: str = "") -> BulkAnswer:
        if self.no_answers:
            self.no_answers -= 1
            raise ElasticUnavailable("no answer", "timeout")
        ids = [line.split(b'"')[-2].decode() for line in b"".join(body).splitlines()[::2]]
        if len(ids) > self.max_documents:
            return BulkAnswer(413, b"")
        found = [self.statuses.get(document_id, 201) for document_id in ids]
        self.statuses = {one: 201 if status == 429 else status for one, status in self.statuses.items()}
        items = ",".join(f'{{"create":{{"status":{status}}}}}' for status in found)
        return BulkAnswer(200, f'{{"errors":true,"items":[{items}]}}'.encode())


def payload(*ids: str) -> BulkPayload:
    body = "".join(
        f'{{"create":{{"_index":"i{document_id[0]}","_id":"{document_id}"}}}}\n{{}}\n' for document_id in ids
    )
    return BulkPayload(body.encode(), ids, [f"i{document_id[0]}" for document_id in ids])


PAYLOADS = [payload("a1", "a2"), payload(), payload("a3", "b1", "b2"), payload("b3")]


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
    letters = MemoryDeadLetters()
    retry = Retry(0.001, 0.001)
    connector = Connector(client, "elasticsearch_0", retry, "", None)
    tallies = await BulkSender(client, "elasticsearch_0", letters, retry, connector).deliver(PAYLOADS)
    assert [(tally.delivered, tally.duplicates, tally.dead) for tally in tallies] == expected
    assert [sum(tally.indices.values()) for tally in tallies] == [tally.delivered for tally in tallies]
    assert len(letters.letters) == sum(tally.dead for tally in tallies)


async def test_store(tmp_path: Path) -> None:
    """Also after a crash between append and commit."""
    text = "store { index => '%{app}' }"
    first, second = batch({"app": "a"}, {"app": "taken"}), batch({"app": "b"}, {"app": "a"}, first=2)
    more = batch({"app": "a"}, first=4)
    output = build(text, tmp_path)
    await output.open()
    (store_root(tmp_path) / "taken").touch()
    assert await output.deliver([output.prepare(first).payload, output.prepare(second).payload]) == [
        tally(1, dead=1, a=1),
        tally(2, a=1, b=1),
    ]
    await output.close()
    output = build(text, tmp_path)
    await output.open()
    assert await output.deliver([output.prepare(second).payload, output.prepare(more).payload]) == [
        tally(0, duplicates=2),
        tally(1, a=1),
    ]
    await output.close()
