"""The official client, `elasticsearch.AsyncElasticsearch`, on our transport: for queries and backups.

By default it rejects OpenSearch, which lacks the header ``X-Elastic-Product``, and it asks for media types
(``application/vnd.elasticsearch+json; compatible-with=8``) that only Elasticsearch 8 and 9 know. `_OfficialTransport`
sends plain ``application/json`` and adds the header. Its own transport (8.19) would also send the credentials in the
URL of the first host to all other hosts.

Importing this module takes 0.2 s and 12 MB: only `ElasticClient.api` does, and no process that events pass through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig, TransportApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import AsyncElasticsearch

from ingestd.stores.elastic.connection.node import Answer
from ingestd.stores.elastic.connection.transport import Transport

_VENDOR_TYPE = re.compile(r"application/vnd\.elasticsearch\+([\w-]+);\s*compatible-with=\d+")


def official_client(transport: Transport) -> AsyncElasticsearch:
    """Return a client that sends its requests over ``transport``."""
    urls = [node.host.url for node in transport.pool.nodes]
    adapter = _OfficialTransport(transport)
    return AsyncElasticsearch(urls, transport_class=cast("Any", lambda *_nodes, **_settings: adapter))


class _OfficialTransport:
    """What the client calls in place of its own transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def perform_request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | DefaultType = DEFAULT,
        body: Any = None,
        request_timeout: float | DefaultType | None = DEFAULT,
        **_settings: Any,
    ) -> TransportApiResponse:
        """Send a request of the client; return the parsed answer. ``_settings`` are about retries, and for tracing.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: A status that is not 2xx, or not JSON. The client's ``ignore_status``
                comes too late for it.
        """
        given = {} if isinstance(headers, DefaultType) else headers
        plain = {name.lower(): _VENDOR_TYPE.sub(r"application/\1", value) for name, value in given.items()}
        timeout_s = None if isinstance(request_timeout, DefaultType) else request_timeout
        answer, parsed = await self._transport.request(method, target, headers=plain, body=body, timeout_s=timeout_s)
        return TransportApiResponse(_meta(answer), parsed)


def _meta(answer: Answer) -> ApiResponseMeta:
    """Make the client accept any server, and keep warnings about deprecated features out of the log."""
    headers = HttpHeaders(answer.headers)
    headers["x-elastic-product"] = "Elasticsearch"
    headers.pop("warning", None)
    host = answer.node.host
    return ApiResponseMeta(answer.status, "1.1", headers, 0.0, NodeConfig(host.scheme, host.name, host.port))
