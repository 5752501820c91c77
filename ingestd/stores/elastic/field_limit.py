"""Indices that have as many fields as ``index.mapping.total_fields.limit`` allows.

From then on a field that is new in the index is not indexed, so no search finds it: Elasticsearch from 8.14 with our
template stores such documents all the same, other servers reject them. One record with thousands of keys is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.server import Server

DEFAULT_LIMIT = 1000
_LIMIT = "index.mapping.total_fields.limit"


@dataclass(frozen=True, slots=True)
class FullIndex:
    """An index without room for new fields; ``rejects``: it rejects documents that have some."""

    index: str
    fields: int
    limit: int
    rejects: bool

    def __str__(self) -> str:
        """Return a sentence that says what it means and what to do."""
        effect = "events with a new field become dead letters" if self.rejects else "new fields are not searchable"
        return (
            f"index {self.index} has {self.fields} fields, {_LIMIT} is {self.limit}: {effect}; "
            "find the events with so many keys, or raise the limit"
        )


async def full_indices(client: ElasticClient, indices: str) -> list[FullIndex]:
    """Return those of some indices that have no room for new fields, by name.

    Args:
        client: The connection.
        indices: Names or patterns, separated by commas; missing ones are left out.

    Raises:
        ElasticUnavailable: No answer.
        ElasticResponseError: The server answers with an error.
    """
    server = await client.server()
    path, lenient = f"/{quote_part(indices)}", {"ignore_unavailable": True, "allow_no_indices": True}
    mappings = await client.request("GET", f"{path}/_mapping", lenient)
    settings = await client.request("GET", f"{path}/_settings/index.mapping.*", lenient | {"flat_settings": True})
    found = []
    for index, body in sorted(mappings.items()):
        own = settings.get(index, {}).get("settings", {})
        limit, fields = int(own.get(_LIMIT, DEFAULT_LIMIT)), count_fields(untyped(body.get("mappings", {}), server))
        if fields >= limit:
            ignores = own.get("index.mapping.total_fields.ignore_dynamic_beyond_limit") == "true"
            found.append(FullIndex(index, fields, limit, not ignores))
    return found


def untyped(mappings: Mapping[str, Any], server: Server) -> Mapping[str, Any]:
    """Return the mappings of an index without their mapping type, if the server has types."""
    return next(iter(mappings.values()), {}) if server.has_types else mappings


def count_fields(mapping: Mapping[str, Any]) -> int:
    """Return how many fields a mapping has as the servers count them: objects and subfields are fields too."""
    own: Mapping[str, Any] = mapping.get("properties", {})
    inner = sum(1 + len(field.get("fields", ())) + count_fields(field) for field in own.values())
    return inner + len(mapping.get("runtime", ()))
