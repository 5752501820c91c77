"""The output ``elasticsearch`` looks at the indices that it writes: do they have room for new fields?"""

from __future__ import annotations

import logging

import pytest

from ingestd.plugins.outputs import elasticsearch as module
from tests.e2e.servers import SearchServer
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.waiting import eventually

SERVERS = ["elasticsearch-9.5.3", "opensearch-3.8.0", "elasticsearch-7.17.29", "elasticsearch-6.8.23"]
FULL = "an index has no room for new fields"


@pytest.mark.parametrize("search_server", SERVERS, indirect=True)
async def test_a_full_index_is_reported_until_it_has_room(
    search_server: SearchServer, index_prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FIELDS_SECONDS", 0.05)
    url, index, other = search_server.url, f"{index_prefix}a", f"{index_prefix}b"
    output = build(
        f'elasticsearch {{ hosts => ["{url}"] index => "{index_prefix}%{{name}}" template_name => "{index_prefix}t" }}'
    )
    await output.open()
    try:
        await deliver(output, batch({"name": "a", "n": 1}, {"name": "b", "n": 1}))
        assert output.problems() == []
        limit(search_server, index, 10)  # less than our own fields
        await deliver(output, batch({"name": "a", "n": 2}, first=2))
        await eventually(lambda: len(output.problems()) == 1)
        [problem] = output.problems()
        assert f"index {index} has " in problem
        keeps = search_server.flavour == "elasticsearch" and search_server.version >= (8, 14, 0)
        assert ("new fields are not searchable" if keeps else "become dead letters") in problem
        checked = logged(caplog)
        await deliver(output, batch({"name": "b", "n": 3}, first=3))
        await eventually(lambda: not output._full_indices.written)
        assert output.problems() == [problem], "the other index was written meanwhile"
        limit(search_server, index, 5000)
        await eventually(lambda: output.problems() == [])
        assert (checked, logged(caplog)) == (1, 1)
    finally:
        await output.close()
    search_server.call("DELETE", f"/{index},{other}")


def limit(server: SearchServer, index: str, fields: int) -> None:
    """Set how many fields an index may have."""
    server.call("PUT", f"/{index}/_settings", {"index.mapping.total_fields.limit": fields})


def logged(caplog: pytest.LogCaptureFixture) -> int:
    """Return how often the log names a full index."""
    return sum(record.message == FULL and record.levelno == logging.ERROR for record in caplog.records)
