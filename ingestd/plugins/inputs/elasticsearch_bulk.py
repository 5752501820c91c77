"""``elasticsearch_bulk``: documents from clients that speak to Elasticsearch, which are pointed here instead.

Logstash has no such input. It answers ``_bulk`` and requests for single documents, and everything that Filebeat,
Vector, Fluent Bit, the clients of Elasticsearch and log handlers built on them ask a server for first: its version, its
license, templates, data streams, pipelines and lifecycle policies, which are acknowledged and not kept.

Documents become events; the filters and outputs of the pipeline decide where they go. The fields of their action are in
`[@metadata]`: `[@metadata][_index]`, `[@metadata][_id]`, `[@metadata][action]` and, if given, `[@metadata][pipeline]`
and others. To keep the index names in the output: `index => "%{[@metadata][_index]}"`.

A request is answered only when its documents are in the journal and on the disk. A document with an `_id` that is sent
again gets the same id for its event, so Elasticsearch, OpenSearch and the built-in store keep it once, in the version
that came first; without an `_id`, the events of a request that a client sends again after it got no answer may be
stored twice. Documents cannot be updated or deleted. One that is too long, or not a JSON object, is refused and becomes
a dead letter, as does a request that cannot be read. While the journal is full the answer is 429. A request of more
than 500,000 documents is answered with 413.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from ingestd.event.event_id import event_id
from ingestd.event.jsontext import dumps
from ingestd.plugins.inputs._bulk_codec import BulkCodec
from ingestd.plugins.inputs._http_server import Frames, HttpServerInput, HttpServerOptions, Reply, Request, parsed
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.registry import BuildContext, OptionError, option, plugin
from ingestd.protocols.http.bulk_requests import (
    BulkAction,
    BulkError,
    TooManyLinesError,
    error_body,
    parse_bulk,
    results,
    single,
    single_result,
)

_HEADERS = MappingProxyType({"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"})
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_ERROR_TYPES = {
    400: "illegal_argument_exception",
    401: "security_exception",
    404: "resource_not_found_exception",
    405: "illegal_argument_exception",
    413: "content_too_long_exception",
    429: "es_rejected_execution_exception",
}
_SETUP = frozenset(
    {
        *("_template", "_index_template", "_component_template", "_ilm", "_data_stream", "_ingest", "_alias"),
        *("_aliases", "_security", "_ml", "_rollup", "_slm", "_scripts", "_plugins", "_opendistro", "_cluster"),
    }
)
"""Paths of what clients set up: accepted, and never there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HttpServerOptions):
    """Options of the input ``elasticsearch_bulk``."""

    port: int = option(9200, "Port to listen on; 0 takes a free one.")
    version: str = option(
        "8.19.0",
        "Version reported to clients. Beats need one that is not older than theirs, or "
        "`output.elasticsearch.allow_older_versions: true`; the Python client wants the same major version.",
    )


class BulkInput(HttpServerInput):
    """Answers as Elasticsearch does."""

    def __init__(self, opts: Options, context: BuildContext) -> None:
        super().__init__(opts, context, self._answer_request, _refusal)
        self.codec = BulkCodec(context)
        """Decodes what it puts."""
        self._fixed = _fixed_answers(opts.version)

    async def _answer_request(self, request: Request) -> Reply:
        head = request.head
        parts = [unquote(part) for part in head.path.split("/") if part]
        if head.method in ("POST", "PUT") and parts and parts[-1] == "_bulk":
            return await self._bulk(request, parts[0] if len(parts) > 1 else "")
        if head.method in ("POST", "PUT") and len(parts) > 1 and not parts[0].startswith("_"):
            return await self._single(request, parts)
        return self._of_server(head.method, parts)

    async def _bulk(self, request: Request, index: str) -> Reply:
        started = asyncio.get_running_loop().time()
        try:
            parse = partial(parse_bulk, index=index, max_bytes=self._max_line_bytes)
            actions = await parsed(parse, request.body)
        except BulkError as error:
            return await self.reject_body(request, _refusal(400, str(error)), str(error))
        except TooManyLinesError as error:
            return _refusal(413, str(error))
        if not actions:
            return _refusal(400, "the request has no documents")
        ids = self._ids(actions, request)
        if (refusal := await self._store(actions, request)) is not None:
            return refusal
        took_ms = round((asyncio.get_running_loop().time() - started) * 1000)
        return _reply(200, results(actions, ids, took_ms))

    async def _single(self, request: Request, parts: Sequence[str]) -> Reply:
        """Take in one document: ``/INDEX/_doc``, ``/INDEX/_doc/ID``, ``/INDEX/_create/ID``, ``/INDEX/TYPE/ID``."""
        index, kind, *rest = parts
        if kind.startswith("_") and kind not in ("_doc", "_create"):
            return self._of_server(request.head.method, parts)
        name = "create" if kind == "_create" or rest[1:] == ["_create"] else "index"
        action = single(name, index, rest[0] if rest else "", request.body, self._max_line_bytes)
        [id_] = self._ids([action], request)
        if (refusal := await self._store([action], request)) is not None:
            return refusal
        if action.error:
            return _refusal(400, action.error)
        return _reply(201, single_result(action, id_))

    def _ids(self, actions: Sequence[BulkAction], request: Request) -> list[str]:
        """Return the ids of documents: their own, or those of their events."""
        stream, offset = self.stream_of(request, {})
        if stream.id == request.connection.stream.id:  # dead letters have the places before
            offset += sum(len(action.line) + 1 for action in actions if action.kept)
        ids: list[str] = []
        for action in actions:
            ids.append(action.id or ("" if action.error else event_id(stream.id, offset)))
            offset += 0 if action.error else len(action.line) + 1
        return ids

    async def _store(self, actions: Sequence[BulkAction], request: Request) -> Reply | None:
        """Put the documents, and make dead letters of those that are none; None: they are on the disk."""
        fields = request.connection.stream.fields
        lines = [action.line for action in actions if not action.error]
        if not all(self.reject(request, action.line, action.error) for action in actions if action.kept):
            return self.busy("a dead letter cannot be written")
        return await self.store(request, [Frames(b"\n".join(lines), len(lines))] if lines else [], fields)

    def _of_server(self, method: str, parts: Sequence[str]) -> Reply:
        """Return the answer to a request that brings no document."""
        path = "/".join(parts)
        if method in ("GET", "HEAD") and path in self._fixed:
            return _reply(200, dumps(self._fixed[path]))
        if not parts or not (parts[0] in _SETUP or (len(parts) == 1 and not path.startswith("_"))):
            return _refusal(400, f"{method} /{path} is not possible here: this server only accepts documents")
        if method in ("GET", "HEAD"):
            return _refusal(404, f"there is no {path}")
        return _reply(200, dumps({"acknowledged": True, "shards_acknowledged": True, "index": parts[-1]}))


def _reply(status: int, body: bytes) -> Reply:
    return Reply(status, body, _HEADERS)


def _refusal(status: int, message: str) -> Reply:
    """Return an error as Elasticsearch writes it."""
    return _reply(status, error_body(status, _ERROR_TYPES.get(status, "illegal_argument_exception"), message))


def _fixed_answers(version: str) -> Mapping[str, Any]:
    """Return what the server says of itself, by path."""
    license_ = {"status": "active", "uid": "ingestd", "type": "basic", "mode": "basic", "issuer": "elasticsearch"}
    health = {"cluster_name": "ingestd", "status": "green", "timed_out": False, "number_of_nodes": 1}
    available = {"available": True, "enabled": True}
    return {
        "": {
            "name": "ingestd",
            "cluster_name": "ingestd",
            "cluster_uuid": "ingestd",
            "version": {
                "number": version,
                "build_flavor": "default",
                "build_type": "tar",
                "build_hash": "unknown",
                "build_date": "2025-01-01T00:00:00.000Z",
                "build_snapshot": False,
                "lucene_version": "9.12.0",
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "You Know, for Search",
        },
        "_license": {"license": license_},
        "_xpack": {"license": license_, "features": {"ilm": available, "security": available}},
        "_cluster/health": health,
    }


@plugin("input", "elasticsearch_bulk", Options, listens=True, legacy=TLS_LEGACY, option_warnings=tls_warnings)
def build(opts: Options, context: BuildContext) -> BulkInput:
    """Documents from clients of Elasticsearch, acknowledged when they are on the disk."""
    if not _VERSION.fullmatch(opts.version):
        raise OptionError(f"version {opts.version!r} is not a version such as 8.19.0", opts.version)
    return BulkInput(opts, context)
