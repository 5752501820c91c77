"""What is set up before the first event of an alias that ILM rolls over; no server of the test bed has ILM."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.plugins.outputs._elastic_ilm import lifecycle_settings, set_up_rollover
from ingestd.plugins.outputs._elastic_options import Options
from ingestd.stores.elastic.connection.errors import ElasticResponseError
from ingestd.stores.elastic.connection.server import Server

POLICY, ALIAS, INDEX = "/_ilm/policy/logstash-policy", "/_alias/logs", "/%3Clogs-%7Bnow%2Fd%7D-000001%3E"
PUT_POLICY = (
    "PUT",
    POLICY,
    {"policy": {"phases": {"hot": {"actions": {"rollover": {"max_size": "50gb", "max_age": "30d"}}}}}},
)
PUT_INDEX = ("PUT", INDEX, {"aliases": {"logs": {"is_write_index": True}}})


class Client:
    """A server that has some paths, and refuses others with a status."""

    def __init__(self, existing: set[str], refused: dict[str, ElasticResponseError], flavour: str) -> None:
        self.existing, self.refused, self.flavour, self.changes = existing, refused, flavour, list[Any]()

    async def server(self) -> Server:
        return Server(self.flavour)

    async def request(self, method: str, path: str, *, body: Any = None) -> None:
        if path in self.refused:
            raise self.refused[path]
        if method == "PUT":
            self.changes.append((method, path, body))
        elif path not in self.existing:
            raise ElasticResponseError("not found", 404)


THERE = ElasticResponseError("resource_already_exists_exception: index [logs-2026.11.29-000001] exists", 400)
CASES: list[tuple[str, set[str], dict[str, Any], list[Any]]] = [  # id, what there is, what is refused, what is made
    ("new", set(), {}, [PUT_POLICY, PUT_INDEX]),
    ("policy_exists", {POLICY}, {}, [PUT_INDEX]),
    ("alias_exists", {POLICY, ALIAS}, {}, []),
    ("another_process_was_faster", {POLICY}, {INDEX: THERE}, []),
]


@pytest.mark.parametrize(
    ("existing", "refused", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_set_up(existing: set[str], refused: dict[str, Any], changes: list[Any]) -> None:
    client: Any = Client(existing, refused, "elasticsearch")
    await set_up_rollover(client, Options(ilm_rollover_alias="logs"))
    assert client.changes == changes


async def test_a_policy_of_ones_own_is_not_made() -> None:
    client: Any = Client(set(), {}, "elasticsearch")
    await set_up_rollover(client, Options(ilm_rollover_alias="logs", ilm_policy="mine", ilm_pattern="000001"))
    assert client.changes == [("PUT", "/%3Clogs-000001%3E", PUT_INDEX[2])]


REFUSED = [
    pytest.param("opensearch", {}, "OpenSearch has no ILM", id="opensearch"),
    pytest.param("elasticsearch", {INDEX: ElasticResponseError("no rights", 403)}, "no rights", id="no_rights"),
    pytest.param("elasticsearch", {POLICY: ElasticResponseError("no handler", 400)}, "no handler", id="no_ilm"),
]


@pytest.mark.parametrize(("flavour", "refused", "message"), REFUSED)
async def test_nothing_is_written_until_it_is_set_up(flavour: str, refused: dict[str, Any], message: str) -> None:
    """The connector waits while this raises: a document would make an index that has the name of the alias."""
    client: Any = Client(set(), refused, flavour)
    with pytest.raises(ElasticResponseError, match=message):
        await set_up_rollover(client, Options(ilm_rollover_alias="logs"))


def test_settings_of_the_template() -> None:
    options = Options(ilm_rollover_alias="logs", ilm_policy="mine")
    assert lifecycle_settings(options) == {"lifecycle": {"name": "mine", "rollover_alias": "logs"}}
