"""``cef``: records in ArcSight's Common Event Format, one a line.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-cef. Keys get the full names of the
standard (`src` is `sourceAddress`), with ECS those of the Elastic Common Schema. Unlike there, outputs end each record
with a line feed unless `delimiter` says otherwise.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.jsontext import dumps
from ingestd.event.sprintf import Template, to_text
from ingestd.event.table import Table
from ingestd.event.timestamp import from_epoch, normalise
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._events import EventCollector, complete, receive_time
from ingestd.plugins.codecs._options import (
    charset_option,
    delimiter_option,
    fallback_charset_option,
    line_delimiter,
)
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.registry import BuildContext, ignored, option, plugin
from ingestd.protocols.framing.lines import LINE_FEED, split_texts
from ingestd.protocols.records.cef import ECS, KEYS, CefRecord, header_text, parse_cef, value_text


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``cef``."""

    vendor: Template = option(Template("Elasticsearch"), "Outputs: vendor in the header; may hold %{field}.")
    product: Template = option(Template("Logstash"), "Outputs: product in the header; may hold %{field}.")
    version: Template = option(Template("1.0"), "Outputs: version in the header; may hold %{field}.")
    signature: Template = option(Template("Logstash"), "Outputs: signature in the header; may hold %{field}.")
    name: Template = option(Template("Logstash"), "Outputs: name in the header; may hold %{field}.")
    severity: Template = option(Template("6"), "Outputs: severity in the header, 0 to 10; may hold %{field}.")
    fields: list[str] = option([], "Outputs: fields to write as key and value.")
    reverse_mapping: bool = option(False, "Outputs: write the standard's short keys instead of its full names.")
    delimiter: str = delimiter_option("a record")
    raw_data_field: FieldRef | None = option(None, "Field for the record as it came.")
    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, fields are those of the Elastic Common Schema.")


_SEVERITIES = {*map(str, range(11))}


class CefCodec:
    """Decodes and encodes records."""

    joins_streams = False

    def __init__(self, opts: Options, delimiter: bytes) -> None:
        self._opts, self._ecs, self.delimiter = opts, uses_ecs(opts), delimiter
        self._text = text_decoder(opts.charset, opts.fallback_charset)
        self._short = {full: short for short, full in KEYS.items()} if opts.reverse_mapping else {}
        self._header = (opts.vendor, opts.product, opts.version, opts.signature, opts.name)

    def decode(self, chunk: Chunk) -> Table:
        """Return the records of a chunk of lines; other lines get the tag ``_cefparsefailure``."""
        records, now, offset = EventCollector(), receive_time(chunk), chunk.offset
        for line in split_texts(chunk.data, self.delimiter):
            text = self._text(line.removesuffix(b"\r") if self.delimiter == LINE_FEED else line)
            if text.strip():
                event = self._event(text)
                records.add(None, complete(chunk.fields | event, now), offset)
            offset += len(line) + len(self.delimiter)
        return records.table()

    def _event(self, text: str) -> Event:
        record = parse_cef(text)
        event: Event = {"message": text, "tags": ["_cefparsefailure"]} if record is None else self._fields(record)
        if self._opts.raw_data_field is not None:
            self._opts.raw_data_field.set(event, text)
        return event

    def _fields(self, record: CefRecord) -> Event:
        event: Event = {}
        names = {"syslog": "[log][syslog][header]", "cefVersion": "[cef][version]"} | ECS if self._ecs else {}
        values = (
            {"syslog": record.syslog, "cefVersion": record.version} if record.syslog else {"cefVersion": record.version}
        )
        for key, value in (values | record.header | record.extension).items():
            full = KEYS.get(key, key)
            name = names.get(full, f"[cef][{full}]" if self._ecs else full)
            known = _time(value) if name == "@timestamp" else value
            if known is None:
                continue
            with contextlib.suppress(FieldError):  # two keys of a record may exclude each other
                FieldRef.named(name).set(event, known)
        return event

    def encode(self, batch: Batch) -> bytes:
        """Return the records, ``delimiter`` after each."""
        return b"".join([self._record(event).encode("utf-8", "replace") + self.delimiter for event in batch.events()])

    def _record(self, event: Event) -> str:
        header = [header_text(template.render(event)) for template in self._header]
        severity = self._opts.severity.render(event)
        header.append(severity if severity in _SEVERITIES else "6")
        pairs = [(name, FieldRef.named(name).get(event)) for name in self._opts.fields]
        extension = " ".join(
            f"{self._key(name)}={value_text(_shown(value))}" for name, value in pairs if value is not None
        )
        return "|".join(["CEF:0", *header, extension])

    def _key(self, name: str) -> str:
        key = "".join(char for char in name if char.isalnum() and char.isascii())
        return self._short.get(key, key)


def _time(value: str) -> str | None:
    """Return a receipt time, in milliseconds since the epoch or ISO 8601; None: it is written in another way."""
    if value.isascii() and value.isdigit() and len(value) < 16:
        return from_epoch(int(value) / 1000)
    return normalise(value)


def _shown(value: Any) -> str:
    return dumps(value).decode() if isinstance(value, list | dict) else to_text(value)


_LEGACY = {
    "sev": ignored("use severity"),
    "default_timezone": ignored("times with an offset, or since the epoch, are read"),
    "locale": ignored("times with an offset, or since the epoch, are read"),
    "device": ignored("the addresses of devices are those of the observer"),
}


@plugin("codec", "cef", Options, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> CefCodec:
    """Records in the Common Event Format, one a line."""
    return CefCodec(opts, line_delimiter(opts.delimiter, context))
