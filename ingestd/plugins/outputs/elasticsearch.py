"""``elasticsearch``: daily indices in Elasticsearch 8 and 9 or OpenSearch 2 and 3.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-elasticsearch. Unlike there,
documents get the id of the event and are created, so that a request that is sent again makes no duplicates; what the
server refuses for good becomes a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.event_id import EventIds
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.outputs._bulk import MAX_REQUESTS, BulkSender
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._connect import Connector
from ingestd.plugins.outputs._elastic_legacy import ELASTICSEARCH
from ingestd.plugins.outputs._full_indices import FullIndices
from ingestd.plugins.outputs._index_check import index_warnings
from ingestd.plugins.outputs._naming import Naming
from ingestd.plugins.outputs._retry import Retry
from ingestd.plugins.registry import BuildContext, OptionWarning, Touch, option, plugin
from ingestd.protocols.bulk import ACTION_SUFFIX, action_line, action_prefix, spliced_body
from ingestd.stores.elastic.connection.client import ElasticClient, import_official_client
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import DEFAULT_TYPE
from ingestd.stores.elastic.template_install import install_template
from ingestd.stores.index_names import check_target
from ingestd.tasks import BackgroundTasks

_REQUEST_BYTES = 3 << 19
"""Size of one bulk body: larger ones cost more CPU on both sides (cache, copies), smaller ones more requests."""

_FIELDS_SECONDS = 30.0
"""How often to look whether the indices being written have room for new fields."""

_RECONNECT_SECONDS = 10.0
"""How long to wait after an error of our own while we connect; what a server answers has pauses of its own."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``elasticsearch``."""

    hosts: list[str] = option(["127.0.0.1"], "URLs of the nodes; port 9200 unless named.")
    index: Template = option(Template("logstash-%{+YYYY.MM.dd}"), "The index of an event; may hold %{field}.")
    index_timezone: str = option("", "Time zone of the days in `index`; default: the setting index_timezone.")
    action: str = option(
        "", "`create` or `index`; default: create, but index where document_id is given.", choices=("create", "index")
    )
    document_id: Template = option(Template(""), "Id of the document; may hold %{field}. Default: an id of our own.")
    routing: Template = option(Template(""), "Routing of the document; may hold %{field}.")
    pipeline: Template = option(Template(""), "Ingest pipeline of the server; may hold %{field}.")
    user: str = option("", "User name.")
    password: str = option("", "Password.")
    cloud_auth: str = option("", "user:password, another spelling of the two.")
    api_key: str = option("", "id:key, or the same in base64.")
    cloud_id: str = option("", "Names an Elastic Cloud deployment, instead of hosts.")
    path: str = option("", "Goes before the path of every request.")
    bulk_path: str = option("", "Path of the bulk requests, if it is not /_bulk.")
    parameters: dict[str, str] = option({}, "Query parameters of every request.")
    custom_headers: dict[str, str] = option({}, "Headers of every request.")
    proxy: str = option("", "URL of an HTTP proxy.")
    timeout: float = option(60, "Seconds for one request.")
    http_compression: bool = option(True, "Compress bulk bodies; false is compression_level 0.")
    compression_level: int = option(-1, "gzip level, 0 to 9; -1: 1, but 0 if every host is this machine.")
    ssl_enabled: bool | None = option(None, "Use https for hosts without a scheme.")
    ssl_verification_mode: str = option("full", "`none` believes whoever answers.", choices=("full", "none"))
    ssl_certificate_authorities: list[str] = option([], "PEM files to trust; default: the system's.")
    ssl_certificate: str = option("", "PEM file that proves who we are.")
    ssl_key: str = option("", "PEM file with its key.")
    ssl_supported_protocols: list[str] = option(
        [], "TLS versions to use; default: those of the system.", choices=("TLSv1.1", "TLSv1.2", "TLSv1.3")
    )
    pool_max_per_route: int = option(100, "Connections to one node.")
    manage_template: bool = option(True, "Install an index template at the first contact.")
    template: str = option("", "JSON file with a template of your own.")
    template_name: str = option("ingestd", "Name of the template.")
    document_type: str = option("", "Mapping type with Elasticsearch 6, ignored by newer servers; default: doc.")
    template_overwrite: bool = option(False, "Replace a template of that name, whoever made it.")
    retry_initial_interval: float = option(2, "Seconds before the first retry; doubled each time.")
    retry_max_interval: float = option(64, "Most seconds between two retries.")
    ilm_enabled: str = option("false", "Accepted when false: days are indices here.", choices=("false", "auto"))
    data_stream: str = option("false", "Accepted when false: days are indices here.", choices=("false", "auto"))


def touches(opts: Options) -> Touch:
    """Return the fields that index, id, routing and pipeline are made of."""
    return Touch(reads=opts.index.reads | opts.document_id.reads | opts.routing.reads | opts.pipeline.reads)


class ElasticsearchOutput:
    """Sends documents in bulk, several requests at a time."""

    concurrency = MAX_REQUESTS
    batch_bytes = _REQUEST_BYTES

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts, self._name = opts, context.plugin_id
        self.connection = _connection(opts)
        """How to reach the server."""
        self._client = ElasticClient(self.connection)
        self._existing: set[str] = set()  # names of indices when the server first answered
        self._naming = Naming(opts.index, opts.index_timezone, context, check_target, self._existing.__contains__)
        self._action = opts.action or ("index" if opts.document_id.text else "create")
        self._templates: dict[str, bytes] = {}
        self._fields = sorted(touches(opts).tops())
        self._simple = not (opts.document_id.text or opts.routing.text or opts.pipeline.static is None)
        retry = Retry(opts.retry_initial_interval, opts.retry_max_interval)
        self._connector = Connector(
            self._client,
            context.plugin_id,
            retry,
            opts.document_type,
            self._install_template if opts.manage_template else None,
        )
        self._sender = BulkSender(
            self._client,
            context.plugin_id,
            context.dead_letters,
            retry,
            self._connector,
            pipeline=opts.pipeline.static or None,
            own_documents=self._action == "create" and not opts.document_id.text,
        )
        self._full_indices = FullIndices(self._client, context.plugin_id)
        self._tasks = BackgroundTasks(f"output {context.plugin_id}")

    def preload(self) -> None:
        """Import the official client; see ``Preloads``."""
        import_official_client()

    async def open(self) -> None:
        """Connect in the background: an absent server delays delivery, not the start.

        Raises:
            ValueError: An option is wrong or names a file that is.
        """
        self._tasks.keep_running("connect", self._connector.run, _RECONNECT_SECONDS)
        self._tasks.keep_running("list of indices", self._list_indices, _RECONNECT_SECONDS)
        self._tasks.keep_running("check of fields", self._check_fields, _RECONNECT_SECONDS)

    async def _install_template(self) -> None:
        await install_template(
            self._client,
            self._opts.index.text,
            template_name=self._opts.template_name,
            template_file=self._opts.template or None,
            template_overwrite=self._opts.template_overwrite,
            document_type=self._opts.document_type or DEFAULT_TYPE,
        )

    async def _list_indices(self) -> None:
        """Find out which indices there are: events for them need no new one."""
        await self._connector.ready.wait()
        with contextlib.suppress(ElasticUnavailable, ElasticResponseError):  # delivery says so, or a privilege lacks
            rows: Any = (await self._client.api.cat.indices(format="json", h="index")).body
            if isinstance(rows, list):  # a proxy may answer anything
                self._existing.update(str(row["index"]) for row in rows if isinstance(row, dict) and "index" in row)

    async def _check_fields(self) -> None:
        """Find the indices of the last events that have no room for new fields."""
        while True:
            await asyncio.sleep(_FIELDS_SECONDS)
            await self._full_indices.check()

    def problems(self) -> list[str]:
        """Return what needs attention, in sentences."""
        return [*self._connector.problems(), *self._sender.problems(), *self._full_indices.problems()]

    def retry_reason(self) -> str:
        """Return why the server has not taken the events yet; see ``WithRetries``."""
        return self._connector.retry_reason() or self._sender.retry_reason()

    def prepare(self, batch: Batch) -> Prepared[BulkPayload]:
        """Return the documents of ``batch`` with their action lines, and the events for which there is no index."""
        batch, names, rejected = self._naming(batch)
        ids, document_ids = batch.ids(), list[str]()
        if self._simple:
            actions = self._simple_actions(names, ids)
        else:
            events = batch.fields(self._fields)
            rendered = [self._opts.document_id.render(event) for event in events]
            document_ids = [text or own for text, own in zip(rendered, ids, strict=True)]
            actions = [self._action_line(*row) for row in zip(names, document_ids, events, strict=True)]
        payload = BulkPayload(spliced_body(actions, batch.pieces()), ids, names, document_ids)
        return Prepared(payload, len(payload.body), rejected)

    async def deliver(self, payloads: Sequence[BulkPayload]) -> list[Tally]:
        """Return when every document is stored or a dead letter; retries for as long as that takes."""
        await self._connector.ready.wait()
        for payload in payloads:
            self._full_indices.written.update(payload.indices)
        return await self._sender.deliver(payloads)

    def _simple_actions(self, names: list[str], ids: EventIds) -> list[bytes]:
        filled = {name: ids.fill(self._template(name)) for name in set(names)}
        if len(filled) == 1:
            return filled[names[0]]
        return [filled[name][position] for position, name in enumerate(names)]

    def _template(self, index: str) -> bytes:
        """Return the action line of an index between line ends, ``%b`` in place of the id."""
        template = self._templates.get(index)
        if template is None:
            line = action_prefix(self._action, index) + b"%b" + ACTION_SUFFIX
            template = self._templates[index] = b"\n" + line + b"\n"
        return template

    def _action_line(self, index: str, document_id: str, event: dict[str, Any]) -> bytes:
        opts = self._opts
        metadata: dict[str, str | int] = {}
        if opts.routing.text:
            metadata["routing"] = opts.routing.render(event)
        if opts.pipeline.static is None:
            metadata["pipeline"] = opts.pipeline.render(event)
        return b"\n" + action_line(self._action, index, document_id, **metadata)

    async def close(self) -> None:
        """Close the connections."""
        await self._tasks.close()
        await self._client.close()


def _connection(opts: Options) -> ElasticOptions:
    level = None if opts.compression_level < 0 else opts.compression_level
    connection = ElasticOptions(
        hosts=tuple(opts.hosts),
        user=opts.user or None,
        password=opts.password if opts.user else None,
        cloud_auth=opts.cloud_auth or None,
        api_key=opts.api_key or None,
        cloud_id=opts.cloud_id or None,
        path=opts.path or None,
        bulk_path=opts.bulk_path or None,
        parameters=opts.parameters,
        ssl_enabled=opts.ssl_enabled,
        ssl_certificate_authorities=tuple(opts.ssl_certificate_authorities),
        ssl_verification_mode=opts.ssl_verification_mode,
        ssl_certificate=opts.ssl_certificate or None,
        ssl_key=opts.ssl_key or None,
        ssl_supported_protocols=tuple(opts.ssl_supported_protocols),
        custom_headers=opts.custom_headers,
        proxy=opts.proxy or None,
        timeout=opts.timeout,
        compression_level=level if opts.http_compression else 0,
        pool_max_per_route=opts.pool_max_per_route,
    )
    connection.tls_context()  # reads the files now, so that a wrong one is reported at the start
    return connection


def option_warnings(opts: Options) -> Iterator[OptionWarning]:
    """Yield what may be a mistake."""
    yield from index_warnings(opts.index)
    if opts.document_type:
        text = "the option 'document_type' has an effect with Elasticsearch 6 only: later servers have no types"
        yield OptionWarning("document_type", text, "leave it out; a field [type] of the events can take its place")


@plugin("output", "elasticsearch", Options, touches=touches, option_warnings=option_warnings, legacy=ELASTICSEARCH)
def build(opts: Options, context: BuildContext) -> ElasticsearchOutput:
    """Elasticsearch or OpenSearch, in bulk; an index for each day unless `index` says otherwise."""
    return ElasticsearchOutput(opts, context)
