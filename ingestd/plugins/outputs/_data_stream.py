"""Names of data streams, ``logs-generic-default``, and the fields of documents that repeat their parts.

https://www.elastic.co/docs/reference/ecs/ecs-data_stream has the characters that are not allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps, loads
from ingestd.plugins.outputs._elastic_options import Options

PARTS = ("type", "dataset", "namespace")


def data_stream_namer(opts: Options) -> Callable[[Batch], list[str]]:
    """Return a function from the n events of a batch to their n data streams."""
    fixed = "-".join(_defaults(opts).values())
    if not opts.data_stream_auto_routing:
        return lambda batch: [fixed] * len(batch)
    return lambda batch: [
        "-".join(_parts(opts, event).values()) if event else fixed for event in batch.fields(["data_stream"])
    ]


def with_data_stream(opts: Options, event: Event, document: bytes) -> bytes:
    """Return a document whose fields ``data_stream`` are the parts of its stream's name."""
    parts = _parts(opts, event)
    if "data_stream" not in event:
        return document[:-1] + b',"data_stream":' + dumps(parts) + b"}"
    held = event["data_stream"]
    if isinstance(held, dict) and parts.items() <= held.items():
        return document
    more = held if isinstance(held, dict) else {}
    return dumps(loads(document) | {"data_stream": more | parts})


def _defaults(opts: Options) -> dict[str, str]:
    return dict(zip(PARTS, (opts.data_stream_type, opts.data_stream_dataset, opts.data_stream_namespace), strict=True))


def _parts(opts: Options, event: Event) -> dict[str, str]:
    """Return the parts of the name: the event's own, where it has them as text."""
    parts, held = _defaults(opts), event.get("data_stream")
    if not opts.data_stream_auto_routing or not isinstance(held, dict):
        return parts
    own: dict[str, Any] = {part: held[part] for part in PARTS if isinstance(held.get(part), str) and held[part]}
    return parts | own
