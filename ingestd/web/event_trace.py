"""Why a stored event came out as it did: it is run through the running config once more, and each step is shown."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.diagnosis.trace import Tracing, stored_source
from ingestd.diagnosis.trace_report import trace_document
from ingestd.event.jsontext import dumps, loads
from ingestd.event.timestamp import from_epoch_ns, normalise, to_epoch_ns
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.stores.base import LogStore
from ingestd.stores.query import INDEX_FIELD, Equal, Query

_MAX_SAME_TIME = 10_000
"""Maximum number of events of one millisecond that are searched for the one that is meant."""

_MS = 1_000_000


class EventNotFoundError(Exception):
    """The store has no such event."""


def trace_event(store: LogStore, configs: bytes, index: str, event_id: str, time: str) -> dict[str, Any]:
    """Return the traces of a stored event in each pipeline, as JSON; see `trace_document`.

    Args:
        store: Where it is.
        configs: The running pipelines, see ``DashboardConfig``.
        index: Its index.
        event_id: Its id.
        time: Its ``@timestamp``.

    Raises:
        EventNotFoundError: It is not there.
        StoreError: The store cannot be queried.
    """
    document = _document(store, index, event_id, time)
    settings, pipelines = pickle.loads(configs)  # noqa: S301 -- from our parent
    return {"pipelines": [_traced(name, config, settings, document) for name, config in pipelines.items()]}


def _document(store: LogStore, index: str, event_id: str, time: str) -> bytes:
    canonical = normalise(time)
    if canonical is None:
        raise EventNotFoundError("time is not a time")
    start = to_epoch_ns(canonical) // _MS * _MS  # servers keep milliseconds
    query = Query(from_epoch_ns(start), from_epoch_ns(start + _MS), Equal(INDEX_FIELD, index))
    for hit in store.search(query, _MAX_SAME_TIME):
        if hit.id == event_id and hit.index == index:
            return hit.document
    raise EventNotFoundError(f"{index} has no event {event_id} at {canonical}; it may have been deleted")


def _traced(name: str, config: Config, settings: Settings, document: bytes) -> dict[str, Any]:
    """Return the trace in one pipeline; ``input`` is empty if the record that came is not known."""
    try:
        tracing = Tracing(config, BuildContext(settings=settings, pipeline_id=name))
        source = stored_source(loads(document), tracing.pipeline)
        if source.input:
            traces = tracing.records(source.input, source.line.encode() + b"\n", received_ns=_time_ns(source.event))
        else:
            tracing = Tracing(config, BuildContext(settings=settings, pipeline_id=name, again=True))
            traces = tracing.events(dumps(source.event) + b"\n", _time_ns(source.event))
    except ConfigErrors as errors:  # a file that it needs has gone
        return {"name": name, "error": str(errors)}
    return {"name": name, "input": source.input, "traces": [*map(trace_document, traces)]}


def _time_ns(event: Mapping[str, Any]) -> int | None:
    time = normalise(event.get("@timestamp"))
    return None if time is None else to_epoch_ns(time)
