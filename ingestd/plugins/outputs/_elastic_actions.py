"""Action lines and documents of bulk requests that are more than a new document: ids, updates, scripts, deletes.

Follows the options of Logstash's output elasticsearch. An action may be sent twice, after a crash or a lost answer:
``create`` and ``index`` with the same id then change nothing, nor does an update with fields, nor a delete (a document
that is gone already counts as deleted); a script runs twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ingestd.event.batch import Batch
from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.event.sprintf import Template
from ingestd.plugins.interfaces import Rejection
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._data_stream import with_data_stream
from ingestd.plugins.outputs._elastic_options import ACTIONS, Options
from ingestd.protocols.http.bulk import action_line, bulk_body

_MAX_VERSION = 2**63 - 1
_MAX_DIGITS = len(str(_MAX_VERSION))


class _UnwritableError(ValueError):
    """There is no action for an event; the text is the reason."""


class _Written(NamedTuple):
    """What one event becomes: its action line and the line after it, both without line ends, and the document's id."""

    action: bytes
    source: bytes
    document_id: str


class ActionWriter:
    """Writes the lines of each event as its fields say.

    Raises:
        ValueError: An option is wrong.
    """

    def __init__(self, opts: Options) -> None:
        self._opts = opts
        self._fields = sorted(opts.touch().tops())
        self._join = FieldRef(opts.join_field) if opts.parent.text else None
        if opts.upsert.static:
            _json_object(opts.upsert.static)

    def write(self, batch: Batch, names: Sequence[str]) -> tuple[BulkPayload, list[Rejection]]:
        """Return the lines of a batch, given the index of each event, and the events that have no action."""
        documents, ids = batch.documents(), batch.ids()
        written, kept, rejected = list[_Written](), list[int](), list[Rejection]()
        rows = zip(names, ids, batch.fields(self._fields), documents, strict=True)
        for position, (name, event_id, event, document) in enumerate(rows):
            try:
                written.append(self._write(name, event_id, event, document))
                kept.append(position)
            except (_UnwritableError, FieldError) as error:
                rejected.append(Rejection(str(error), document, event_id, name))
        return _payload(written, [(ids[n], names[n], documents[n]) for n in kept]), rejected

    def _write(self, index: str, event_id: str, event: Event, document: bytes) -> _Written:
        action = self._opts.static_action or self._opts.action.render(event)
        if action not in ACTIONS:
            raise _UnwritableError(f"the action {action!r} of the event is not one of {', '.join(ACTIONS)}")
        document_id = self._document_id(action, event_id, event)
        line = action_line(action, index, document_id, **self._metadata(action, event))
        return _Written(line[:-1], self._source(action, event, document), document_id)

    def _document_id(self, action: str, event_id: str, event: Event) -> str:
        text = _filled("document_id", self._opts.document_id, event)
        if not text and action in {"update", "delete"}:
            raise _UnwritableError(f"the event has no document_id for its action {action}")
        return text or event_id

    def _metadata(self, action: str, event: Event) -> dict[str, str | int]:
        opts, metadata = self._opts, dict[str, str | int]()
        if opts.routing.text:
            metadata["routing"] = opts.routing.render(event)
        if self._join is not None:
            metadata["routing"] = _filled("parent", opts.parent, event)
        if opts.pipeline.static is None and action in {"create", "index"}:
            metadata["pipeline"] = opts.pipeline.render(event)
        if opts.version.text:
            metadata["version"] = _number(_filled("version", opts.version, event))
        if opts.version_type:
            metadata["version_type"] = opts.version_type
        if action == "update":
            metadata["retry_on_conflict"] = opts.retry_on_conflict
        return metadata

    def _source(self, action: str, event: Event, document: bytes) -> bytes:
        """Return the line after an action line; after a delete it is empty, which servers skip."""
        if action == "delete":
            return b""
        if self._join is not None:
            document = self._joined(self._join, event, document)
        if self._opts.uses_data_stream and self._opts.data_stream_sync_fields:
            document = with_data_stream(self._opts, event, document)
        return document if action != "update" else self._update(event, document)

    def _joined(self, join: FieldRef, event: Event, document: bytes) -> bytes:
        whole = loads(document)
        join.set(whole, {"name": join.get(event), "parent": self._opts.parent.render(event)})
        return dumps(whole)

    def _update(self, event: Event, document: bytes) -> bytes:
        opts = self._opts
        if not opts.script.text:
            more = b',"doc_as_upsert":true' if opts.doc_as_upsert else self._upsert(event)
            return b'{"doc":' + document + more + b"}"
        script: dict[str, Any] = {"id" if opts.script_type == "indexed" else "source": opts.script.render(event)}
        if opts.script_lang and opts.script_type == "inline":
            script["lang"] = opts.script_lang
        params = b',"params":{' + dumps(opts.script_var_name) + b":" + document + b"}}"
        if opts.scripted_upsert:
            more = b',"scripted_upsert":true,"upsert":{}'
        else:
            more = b',"upsert":' + document if opts.doc_as_upsert else self._upsert(event)
        return b'{"script":' + dumps(script)[:-1] + params + more + b"}"

    def _upsert(self, event: Event) -> bytes:
        upsert = self._opts.upsert
        return b',"upsert":' + _json_object(upsert.render(event)) if upsert.text else b""


def _payload(written: Sequence[_Written], events: Sequence[tuple[str, str, bytes]]) -> BulkPayload:
    """Return the payload of events, given the id, the index and the document of each."""
    sources = [line.source for line in written]
    documents = [document for _, _, document in events]
    return BulkPayload(
        bulk_body([([line.action for line in written], sources)]),
        [event_id for event_id, _, _ in events],
        [name for _, name, _ in events],
        [line.document_id for line in written],
        () if documents == sources else documents,
    )


def _filled(option: str, template: Template, event: Event) -> str:
    """Return the text of a template, which must lack no field."""
    text = template.render(event)
    if "%{" in text and template.static is None:
        raise _UnwritableError(f"the event lacks a field of its {option} {text}")
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) <= _MAX_VERSION):
        raise _UnwritableError(f"the version {text!r:.100} of the event is not a number from 0 to {_MAX_VERSION}")
    return int(text)


def _json_object(text: str) -> bytes:
    try:
        value = loads(text.encode())
    except NotJsonError:
        value = None
    if not isinstance(value, dict):
        raise _UnwritableError(f"upsert is not a JSON object: {text[:100]}")
    return dumps(value)
