"""What a search server says about itself: version, health, index template, disks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestd.stores.elastic.connection.errors import ElasticResponseError
from ingestd.stores.elastic.field_limit import FullIndex, full_indices
from ingestd.stores.elastic.template import TEMPLATE_NAME, VERSION

if TYPE_CHECKING:
    from ingestd.stores.elastic.connection.client import ElasticClient


@dataclass(frozen=True, slots=True)
class SearchServer:
    """Elasticsearch or OpenSearch.

    Attributes:
        flavour: ``elasticsearch`` or ``opensearch``.
        version: ``(0, 0, 0)``: it hides it.
        health: ``green``, ``yellow`` or ``red``; empty: unknown.
        template: ``current``, ``older``, ``foreign`` (not ours) or ``missing``; empty: unknown.
        disk_percent: How full the fullest node's disk is; None: unknown.
        full_indices: Which of the newest indices have no room for new fields.
    """

    flavour: str
    version: tuple[int, int, int]
    health: str = ""
    template: str = ""
    disk_percent: int | None = None
    full_indices: tuple[FullIndex, ...] = ()


async def server_state(client: ElasticClient, indices: Sequence[str] = ()) -> SearchServer:
    """Ask a server for its state. What the account may not see is left unknown.

    ``indices``: those in which to look whether there is room for new fields.

    Raises:
        ElasticUnavailable: No answer.
        ElasticResponseError: The credentials are wrong, or it is neither of the two.
    """
    server = await client.server()
    health = await _get(client, "/_cluster/health")
    disks = await _get(client, "/_cat/allocation?format=json&h=disk.percent")
    return SearchServer(
        server.flavour,
        server.version,
        str(health.get("status", "")) if isinstance(health, dict) else "",
        await _template(client, composable=server.composable_templates),
        _fullest(disks),
        await _full_indices(client, indices),
    )


async def _full_indices(client: ElasticClient, indices: Sequence[str]) -> tuple[FullIndex, ...]:
    if indices:
        with contextlib.suppress(ElasticResponseError):
            return tuple(await full_indices(client, ",".join(indices)))
    return ()


async def _get(client: ElasticClient, target: str) -> Any:
    """Return the answer to a request, None if it is refused."""
    with contextlib.suppress(ElasticResponseError):
        return await client.request("GET", target)
    return None


async def _template(client: ElasticClient, *, composable: bool) -> str:
    kind = "_index_template" if composable else "_template"
    try:
        answer = await client.request("GET", f"/{kind}/{TEMPLATE_NAME}")
    except ElasticResponseError as error:
        return "missing" if error.status == 404 else ""
    if not composable:  # has no _meta: ours by its name
        return "current" if answer[TEMPLATE_NAME].get("version", 0) >= VERSION else "older"
    found = answer["index_templates"][0]["index_template"]
    if found.get("_meta", {}).get("managed_by") != "ingestd":
        return "foreign"
    return "current" if found.get("version", 0) >= VERSION else "older"


def _fullest(rows: Any) -> int | None:
    """Return the highest percentage of the nodes; unassigned shards have a row without one."""
    found = [row.get("disk.percent") for row in rows] if isinstance(rows, list) else []
    return max((int(text) for text in found if text), default=None)
