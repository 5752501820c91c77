"""The requests of all parts to a cluster, whose nodes are used in turn.

Nothing is retried here: only the caller knows whether that is harmless.

Importing this module takes 0.1 s: only `ElasticClient.connect` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import orjson

from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.errors import ElasticUnavailable, parse_body
from ingestd.stores.elastic.connection.node import Answer, Node
from ingestd.stores.elastic.connection.node_pool import NodePool
from ingestd.stores.elastic.connection.options import ElasticOptions

_JSON = "application/json"
_MEDIA_TYPES = frozenset({"", _JSON, "application/x-ndjson", "text/plain", "text/html"})
"""Of answers; the text ones come from what is in between."""

_WELL = frozenset({400, 401, 402, 403, 404, 409})
"""Error statuses that say something about the request, not about the node."""


class Transport:
    """The nodes of a cluster, used in turn; those that fail are left out for a while.

    Raises:
        ValueError: A certificate or key file is missing or invalid.
    """

    def __init__(self, options: ElasticOptions) -> None:
        context = options.tls_context()
        nodes = [Node(host, options, context) for host in options.resolve()]
        self.pool, self._first = NodePool(nodes, by_time=not options.healthcheck_path), nodes[0]
        self._parameters = options.parameters
        self._healthcheck = options.healthcheck_path, options.absolute_healthcheck_path
        self._connections = asyncio.Semaphore(options.pool_max)

    def add_nodes(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Use these nodes too, with the scheme, the credentials and the limits of the first one."""
        known = {(node.host.name, node.host.port) for node in self.pool.nodes}
        for address in dict.fromkeys(addresses):
            if address not in known:
                self.pool.add(self._first.at(*address))

    async def check_failed_nodes(self) -> None:
        """Use excluded nodes again that answer the health check."""
        path, absolute = self._healthcheck
        for node in self.pool.left_out:
            async with self._connections:
                healthy = await node.is_healthy(path, absolute=absolute)
            if healthy:
                self.pool.succeeded(node)

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        timeout_s: float | None = None,
    ) -> tuple[Answer, Any]:
        """Send a request; return the answer, and what it says: None if it is empty. See `send`.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: A status that is not 2xx, or not JSON.
        """
        answer = await self.send(method, target, headers=headers, body=body, timeout_s=timeout_s)
        parsed = parse_body(answer.body)
        if method != "HEAD" and (not 200 <= answer.status < 300 or isinstance(parsed, str)):
            raise answer.error(parsed)
        return answer, parsed

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request; return the unread answer, whatever its status.

        Args:
            method: ``GET``, ``PUT`` ...
            target: Path and query.
            headers: Names in lower case; the ``content-type`` is needed if there is a body.
            body: If neither bytes nor `BodyParts`, it is dumped as JSON; None: there is none.
            timeout_s: From sending to the last byte of the answer; None: that of the options.

        Raises:
            ElasticUnavailable: No answer, or one that no server of ours gives.
        """
        data = body if body is None or isinstance(body, bytes | BodyParts) else orjson.dumps(body)
        target = with_parameters(target, self._parameters)
        async with self._connections:
            node = self.pool.get()
            try:
                answer = await node.send(method, target, data, {"accept": _JSON, **headers}, timeout_s)
            except ElasticUnavailable:
                self.pool.failed(node)
                raise
        well = 200 <= answer.status < 300 or answer.status in _WELL
        (self.pool.succeeded if well else self.pool.failed)(node)
        if method != "HEAD" and answer.headers.get("content-type", "").partition(";")[0] not in _MEDIA_TYPES:
            raise ElasticUnavailable("the server is neither Elasticsearch nor OpenSearch", "network")
        return answer

    async def close(self) -> None:
        """Close all connections."""
        for node in self.pool.nodes:
            await node.close()


def with_parameters(target: str, parameters: Mapping[str, str]) -> str:
    """Add query parameters to a target, except those that it has already."""
    if not parameters:
        return target
    path, _, query = target.partition("?")
    own = dict(parse_qsl(query, keep_blank_values=True))
    added = urlencode(
        {name: value for name, value in parameters.items() if name not in own}, safe="*,:", quote_via=quote
    )
    return f"{path}?{'&'.join(filter(None, (added, query)))}"
