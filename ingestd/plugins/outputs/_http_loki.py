"""Events as Loki's push API takes them. Pure.

Follows https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs: a stream has labels, at least one,
and entries of time (nanoseconds since the epoch, as a text), line and, if any, structured metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps
from ingestd.event.sprintf import Template
from ingestd.event.timestamp import to_epoch_ns

_NO_LABELS = {"job": "ingestd"}
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


def is_label(name: str) -> bool:
    """Return whether Loki accepts the name of a label."""
    return _LABEL.fullmatch(name) is not None


def _texts(templates: Mapping[str, Template], event: Event) -> dict[str, str]:
    """Return the texts of an event, without those that lack a field."""
    texts = {name: template.render(event) for name, template in templates.items()}
    return {name: text for name, text in texts.items() if text and "%{" not in text}


def labels(templates: Mapping[str, Template], event: Event) -> bytes:
    """Return the labels of an event's stream as JSON; ``job`` if it has none of them."""
    return dumps(_texts(templates, event) or _NO_LABELS)


def entry(event: Event, line: bytes, metadata: Mapping[str, Template], received_ns: int) -> bytes:
    """Return the entry of an event as JSON. Its time is that of the event, ``received_ns`` if it has none."""
    try:
        time_ns = to_epoch_ns(event["@timestamp"])
    except (KeyError, TypeError, ValueError):
        time_ns = received_ns
    values: list[object] = [str(time_ns), line.decode("utf-8", "replace")]
    if metadata and (texts := _texts(metadata, event)):
        values.append(texts)
    return dumps(values)


def body(streams: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the body of labels and entries: the entries of each stream together, in order."""
    by_labels: dict[bytes, list[bytes]] = {}
    for stream, value in streams:
        by_labels.setdefault(stream, []).append(value)
    parts = (b'{"stream":%b,"values":[%b]}' % (stream, b",".join(values)) for stream, values in by_labels.items())
    return b'{"streams":[%b]}' % b",".join(parts)
