"""``elasticsearch``: daily indices in Elasticsearch 8 and 9 or OpenSearch 2 and 3.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-elasticsearch. Unlike there,
documents get the id of the event and are created, so that a request that is sent again makes no duplicates; what the
server refuses for good becomes a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ingestd.event.batch import Batch
from ingestd.event.event_id import EventIds
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.outputs._bulk import MAX_REQUESTS, BulkSender
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._connect import Connector
from ingestd.plugins.outputs._data_stream import data_stream_namer
from ingestd.plugins.outputs._elastic_actions import ActionWriter
from ingestd.plugins.outputs._elastic_ilm import lifecycle_settings, set_up_rollover
from ingestd.plugins.outputs._elastic_legacy import ELASTICSEARCH
from ingestd.plugins.outputs._elastic_options import Options, option_warnings
from ingestd.plugins.outputs._full_indices import FullIndices
from ingestd.plugins.outputs._naming import Naming
from ingestd.plugins.outputs._retry import Retry
from ingestd.plugins.registry import BuildContext, plugin
from ingestd.protocols.http.bulk import ACTION_SUFFIX, action_prefix, spliced_body
from ingestd.stores.elastic.connection.client import ElasticClient, import_transport
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.server import DEFAULT_TYPE
from ingestd.stores.elastic.connection.sniffing import PATH as SNIFFING_PATH
from ingestd.stores.elastic.template import TEMPLATE_NAME
from ingestd.stores.elastic.template_install import install_template
from ingestd.stores.index_names import check_target
from ingestd.tasks import BackgroundTasks

_REQUEST_BYTES = 3 << 19
"""Size of one bulk body: larger ones cost more CPU on both sides (cache, copies), smaller ones more requests."""

_FIELDS_SECONDS = 30.0
"""How often to look whether the indices being written have room for new fields."""

_RECONNECT_SECONDS = 10.0
"""How long to wait after an error of our own while we connect; what a server answers has pauses of its own."""


class ElasticsearchOutput:
    """Sends documents in bulk, several requests at a time."""

    batch_bytes = _REQUEST_BYTES

    def __init__(self, opts: Options, context: BuildContext) -> None:
        opts.check()
        self._opts, self._name = opts, context.plugin_id
        self.connection = opts.connection()
        """How to reach the server."""
        self._client = ElasticClient(self.connection)
        self._existing: set[str] = set()  # names of indices when the server first answered
        alias = Template(opts.rollover_alias) if opts.rollover_alias else opts.index
        self._naming = Naming(
            alias,
            opts.index_timezone,
            context,
            check_target,
            self._existing.__contains__,
            data_stream_namer(opts) if opts.uses_data_stream else None,
        )
        action = opts.static_action
        new = action == "create" and not opts.document_id.text
        self.concurrency = MAX_REQUESTS if action in {"create", "index"} else 1  # the order of updates counts
        self._templates: dict[str, bytes] = {}
        self._writer = None if _is_simple(opts) else ActionWriter(opts)
        retry = Retry(opts.retry_initial_interval, opts.retry_max_interval)
        self._connector = Connector(
            self._client,
            context.plugin_id,
            retry,
            opts.document_type,
            self._install_template if opts.manage_template and not opts.uses_data_stream else None,
            self._set_up_rollover if opts.rollover_alias else None,
        )
        self._sender = BulkSender(
            self._client,
            context.plugin_id,
            context.dead_letters,
            retry,
            self._connector,
            pipeline=opts.pipeline.static or None,
            own_documents=new,
        )
        self._full_indices = FullIndices(self._client, context.plugin_id)
        self._tasks = BackgroundTasks(f"output {context.plugin_id}")

    def preload(self) -> None:
        """Import what requests need; see ``Preloads``."""
        import_transport()

    async def open(self) -> None:
        """Connect in the background: an absent server delays delivery, not the start.

        Raises:
            ValueError: An option is wrong or names a file that is.
        """
        self._tasks.keep_running("connect", self._connector.run, _RECONNECT_SECONDS)
        self._tasks.keep_running("list of indices", self._list_indices, _RECONNECT_SECONDS)
        if self._opts.sniffing:
            self._tasks.keep_running("sniffing", self._sniff, _RECONNECT_SECONDS)
        if self._opts.healthcheck_path:
            self._tasks.keep_running("health check of nodes", self._check_nodes, _RECONNECT_SECONDS)
        self._tasks.keep_running("check of fields", self._check_fields, _RECONNECT_SECONDS)

    async def _install_template(self) -> None:
        opts, alias = self._opts, self._opts.rollover_alias
        await install_template(
            self._client,
            f"{alias}-%{{+YYYY}}" if alias else opts.index.text,
            template_name=opts.template_name or alias or TEMPLATE_NAME,
            template_file=opts.template or None,
            template_overwrite=opts.template_overwrite,
            document_type=opts.document_type or DEFAULT_TYPE,
            settings=lifecycle_settings(opts) if alias else {},
        )

    async def _set_up_rollover(self) -> None:
        await set_up_rollover(self._client, self._opts)

    async def _list_indices(self) -> None:
        """Find out which indices there are: events for them need no new one."""
        await self._connector.ready.wait()
        with contextlib.suppress(ElasticUnavailable, ElasticResponseError):  # delivery says so, or a privilege lacks
            rows = await self._client.request("GET", "/_cat/indices", {"format": "json", "h": "index"})
            if isinstance(rows, list):  # a proxy may answer anything
                self._existing.update(str(row["index"]) for row in rows if isinstance(row, dict) and "index" in row)

    async def _sniff(self) -> None:
        """Ask again and again which nodes there are; an answer that does not come changes nothing."""
        await self._connector.ready.wait()
        while True:
            with contextlib.suppress(
                ElasticUnavailable, ElasticResponseError
            ):  # delivery says so, or a privilege lacks
                await self._client.find_nodes(self._opts.sniffing_path or SNIFFING_PATH)
            await asyncio.sleep(max(self._opts.sniffing_delay, 1))

    async def _check_nodes(self) -> None:
        """Ask nodes that failed whether they are well again."""
        await self._connector.ready.wait()
        while True:
            await asyncio.sleep(max(self._opts.resurrect_delay, 0.1))
            await self._client.check_failed_nodes()

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
        if self._writer is not None:
            payload, unwritable = self._writer.write(batch, names)
            return Prepared(payload, len(payload.body), [*rejected, *unwritable])
        ids = batch.ids()
        payload = BulkPayload(spliced_body(self._simple_actions(names, ids), batch.pieces()), ids, names)
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
            line = action_prefix(self._opts.static_action, index) + b"%b" + ACTION_SUFFIX
            template = self._templates[index] = b"\n" + line + b"\n"
        return template

    async def close(self) -> None:
        """Close the connections."""
        await self._tasks.close()
        await self._client.close()


def _is_simple(opts: Options) -> bool:
    """Return whether an action line has an index and an id of our own, and nothing else."""
    templates = (opts.document_id, opts.routing, opts.version, opts.parent)
    static = opts.static_action in {"create", "index"} and opts.pipeline.static is not None
    return static and not any(template.text for template in templates) and not opts.uses_data_stream


@plugin(
    "output", "elasticsearch", Options, touches=Options.touch, option_warnings=option_warnings, legacy=ELASTICSEARCH
)
def build(opts: Options, context: BuildContext) -> ElasticsearchOutput:
    """Elasticsearch or OpenSearch, in bulk; an index for each day unless `index` says otherwise."""
    return ElasticsearchOutput(opts, context)
