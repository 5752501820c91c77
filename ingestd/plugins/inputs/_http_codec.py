"""The codec of an input that reads HTTP: the media type of a request chooses one of several.

A chunk is a message, or lines if the codec reads lines; its fields are those of the request (``_http_fields``), and the
media type. Events of text get all of the fields; of records that hold fields of their own only those that the config
mentions, and that they lack: the headers of each request in each event would double what most sites store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.table import ABSENT, Table, is_absent
from ingestd.plugins.codecs.json import JsonCodec
from ingestd.plugins.interfaces import Codec
from ingestd.plugins.registry import BuildContext

MEDIA_TYPE = "@media_type"
"""The name among a chunk's fields; no event has it."""


class HttpCodec:
    """Decodes the bodies of requests.

    Args:
        default: For all other media types.
        additional: For certain media types, in lower case.
        always: Fields of the request that every event gets, whatever it has there: the config names them.
        context: Which fields the config reads.
    """

    delimiter = b"\n"
    joins_streams = False

    def __init__(
        self, default: Codec, additional: Mapping[str, Codec], always: Sequence[FieldRef], context: BuildContext
    ) -> None:
        self._default, self._additional, self._always = default, additional, always
        self._mentioned, self._reads = context.fields, context.reads

    def of(self, media_type: str) -> Codec:
        """Return the codec for a media type."""
        return self._additional.get(media_type, self._default)

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a message, or of lines."""
        fields = dict(chunk.fields)
        codec = self.of(fields.pop(MEDIA_TYPE, ""))
        chunk = chunk._replace(fields=fields)
        decode = codec.decoder.lines if isinstance(codec, JsonCodec) and chunk.frames != 1 else codec.decode
        table = decode(chunk)
        for name, value in fields.items():
            if self._adds(name, value):
                _complete(table, name, value)
        for ref in self._always:
            _set(table, ref, ref.get(fields))
        return table

    def _adds(self, name: str, value: Any) -> bool:
        """Return whether records get a field; text only where the config wants no hash, see ``Projection.reads``."""
        if type(value) is dict:
            return self._mentioned is None or name in self._mentioned
        return name in self._reads

    def encode(self, batch: Batch) -> bytes:
        """Return what the default codec makes of events."""
        return self._default.encode(batch)


def _complete(table: Table, name: str, value: Any) -> None:
    """Give a field to the events that lack it, and what an object lacks to those that have it as an object."""
    column = table.column(name)
    if is_absent(column):
        table.fill(name, table.rows, [value] * len(table))
    else:
        table.replace(name, table.rows, [_merged(held, value) for held in column])


def _merged(held: Any, value: Any) -> Any:
    if held is ABSENT:
        return value
    if type(held) is not dict or type(value) is not dict or value.items() <= held.items():
        return held
    return value | {name: _merged(inner, value.get(name, ABSENT)) for name, inner in held.items()}


def _set(table: Table, ref: FieldRef, value: Any) -> None:
    put = table.setter(ref)
    for row in table.rows:
        with suppress(FieldError):  # a record has text where an object should be
            put(row, value)
