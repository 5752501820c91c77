"""The transport of the official client, for OpenSearch and for every supported Elasticsearch.

By default the client rejects OpenSearch, which lacks the header ``X-Elastic-Product``, and it asks for media types
(``application/vnd.elasticsearch+json; compatible-with=8``) that only Elasticsearch 8 and 9 know. `Transport` sends
plain ``application/json`` and adds the header. It also takes its nodes from `ElasticOptions`: the client (8.19)
sends the credentials in the URL of the first host to all other hosts.

Nothing is retried here: only the caller knows whether that is harmless.

Importing this module takes 0.15 s: only `ElasticClient.connect` does.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from elastic_transport import (
    ApiResponseMeta,
    AsyncTransport,
    HttpHeaders,
    NodeConfig,
    NodePool,
    Serializer,
    TransportApiResponse,
    TransportError,
)
from elastic_transport.client_utils import DEFAULT, DefaultType

from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.errors import ElasticUnavailable, parse_body, response_error
from ingestd.stores.elastic.connection.node import AiohttpNode
from ingestd.stores.elastic.connection.options import ElasticOptions

JSON = "application/json"
NDJSON = "application/x-ndjson"
_MEDIA_TYPES = (JSON, NDJSON, "text/plain", "text/html")
_VENDOR_TYPE = re.compile(r"application/vnd\.elasticsearch\+([\w-]+);\s*compatible-with=\d+")


class RawSerializer(Serializer):
    """Dumps what is no body yet; passes responses through, as most of them need no parsing."""

    mimetype = JSON

    def dumps(self, data: Any) -> bytes:
        """Return ``data`` as it is if it is bytes or `BodyParts`, else as JSON."""
        return cast("bytes", data) if isinstance(data, bytes | BodyParts) else orjson.dumps(data)

    def loads(self, data: bytes) -> bytes:
        """Return ``data``."""
        return data


class CheckedNodePool(NodePool):
    """The nodes of a cluster. ``checks``: one that failed is used again once it is marked as live, not by time."""

    checks = False

    def resurrect(self, force: bool = False) -> Any:
        """Return a node that failed, if it may be used again; ``force``: there is no other one."""
        if self.checks and not force:
            return None
        return super().resurrect(force=True) if force else super().resurrect()

    def failed(self) -> list[AiohttpNode]:
        """Return the nodes that are left out."""
        return [cast(AiohttpNode, node) for node in self.all() if node.config not in self._alive_nodes]


class Transport(AsyncTransport):
    """The nodes of a cluster, used in turn; those that fail are left out for a while.

    Raises:
        ValueError: A certificate or key file is missing or invalid.
    """

    def __init__(self, options: ElasticOptions) -> None:
        nodes = _node_configs(options)
        self._first, self._proxy = nodes[0], options.proxy
        super().__init__(
            nodes,
            node_class=AiohttpNode,
            node_pool_class=CheckedNodePool,
            serializers=dict.fromkeys(_MEDIA_TYPES, RawSerializer()),
            default_mimetype=JSON,
            max_retries=0,
            meta_header=False,
        )
        self._parameters = options.parameters
        self._healthcheck = options.healthcheck_path, options.absolute_healthcheck_path
        cast(CheckedNodePool, self.node_pool).checks = bool(options.healthcheck_path)
        self._connections = asyncio.Semaphore(options.pool_max)
        self.add_nodes(())
        # Our errors contain all that it would log, and at level DEBUG it logs whole documents.
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)

    def add_nodes(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Use these nodes too, with the scheme, the credentials and the limits of the first one."""
        first = self._first
        for host, port in addresses:
            self.node_pool.add(replace(first, host=host, port=port))
        for node in self.node_pool.all():
            cast(AiohttpNode, node).proxy = self._proxy

    async def check_failed_nodes(self) -> None:
        """Use those nodes again that were left out and answer the health check."""
        path, absolute = self._healthcheck
        for node in cast(CheckedNodePool, self.node_pool).failed():
            async with self._connections:
                healthy = await node.is_healthy(path, absolute=absolute)
            if healthy:
                self.node_pool.mark_live(node)

    async def perform_request(  # type: ignore[override]  # of the options only those that the client passes
        self, method: str, target: str, *, headers: Mapping[str, Any] | DefaultType = DEFAULT, **options: Any
    ) -> TransportApiResponse:
        """Send a request of `AsyncElasticsearch`; return the parsed answer.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: A status that is not 2xx, or not JSON. The client's ``ignore_status``
                comes too late for it.
        """
        given = {} if isinstance(headers, DefaultType) else headers
        plain = {name: _VENDOR_TYPE.sub(r"application/\1", value) for name, value in given.items()}
        meta, data = await self.send(method, target, headers=plain, **options)
        answer = parse_body(data)
        if method != "HEAD" and (not 200 <= meta.status < 300 or isinstance(answer, str)):
            raise response_error(meta, answer)
        return TransportApiResponse(_accepted(meta), answer)

    async def send(
        self, method: str, target: str, *, headers: Mapping[str, str], **options: Any
    ) -> tuple[ApiResponseMeta, bytes]:
        """Send a request; return the unread answer, whatever its status.

        Args:
            method: ``GET``, ``PUT`` ...
            target: Path and query.
            headers: The ``content-type`` is needed if there is a ``body``.
            options: Those of `AsyncTransport.perform_request`. A ``body`` that is neither bytes nor
                `BodyParts` is dumped as JSON.

        Raises:
            ElasticUnavailable: No answer.
        """
        try:
            async with self._connections:
                return await super().perform_request(
                    method, with_parameters(target, self._parameters), headers={"accept": JSON, **headers}, **options
                )
        except TransportError as error:
            if isinstance(error.message, ElasticUnavailable):  # from `AiohttpNode`
                raise error.message from None
            raise ElasticUnavailable("the server is neither Elasticsearch nor OpenSearch", "network") from None


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


def _accepted(meta: ApiResponseMeta) -> ApiResponseMeta:
    """Make the client accept any server, and keep warnings about deprecated features out of the log."""
    headers = HttpHeaders(meta.headers)
    headers["x-elastic-product"] = "Elasticsearch"
    headers.pop("warning", None)
    return replace(meta, headers=headers)


def _node_configs(options: ElasticOptions) -> list[NodeConfig]:
    context = options.tls_context()
    shared = {"accept-encoding": "identity", "user-agent": "ingestd"} | dict(options.custom_headers)
    return [
        NodeConfig(
            scheme=host.scheme,
            host=host.name,
            port=host.port,
            path_prefix=host.path,
            headers=shared | ({"authorization": host.authorization} if host.authorization else {}),
            connections_per_node=options.pool_max_per_route,
            request_timeout=options.timeout,
            ssl_context=context if host.scheme == "https" else None,
        )
        for host in options.resolve()
    ]
