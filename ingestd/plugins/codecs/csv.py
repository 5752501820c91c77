"""``csv``: rows of CSV text.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-csv. A row is a line: line ends in quotes
are not supported. With `autodetect_column_names` the first line of each connection or file has the names; if a restart
makes the codec continue in the middle of one, the columns are called `column1`, `column2` ...
"""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.jsontext import dumps
from ingestd.event.sprintf import to_text
from ingestd.event.table import Table
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._events import EventCollector, complete, receive_time
from ingestd.plugins.codecs._options import (
    charset_option,
    fallback_charset_option,
    line_delimiter,
    original_option,
)
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.filters.csv import Options as FilterOptions
from ingestd.plugins.filters.csv import build as build_filter
from ingestd.plugins.registry import BuildContext, FilterFn, option, plugin
from ingestd.protocols.framing.lines import LINE_FEED, split_texts

_ROW = FieldRef("[@metadata][row]")
_MAX_STREAMS = 1000
"""Of how many streams the names of the columns are known."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``csv``."""

    columns: list[str] = option([], "Names of the columns, in order; others are called `column1`, `column2` ...")
    separator: str = option(",", "Text between columns.")
    quote_char: str = option('"', "Character around columns that contain separators.")
    target: FieldRef | None = option(None, "Parent field of the columns; default: the event itself.")
    autogenerate_column_names: bool = option(True, "Keep columns without a name; otherwise they are left out.")
    autodetect_column_names: bool = option(False, "Take the names from the first line of each connection or file.")
    skip_empty_columns: bool = option(False, "Do not set fields for columns without text.")
    convert: dict[str, str] = option(
        {}, "Columns to convert, by name: to `integer`, `float`, `boolean`, `date` or `date_time`."
    )
    include_headers: bool = option(False, "Outputs: write the names of `columns` first.")
    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    ecs_compatibility: str = original_option()


class CsvCodec:
    """Decodes and encodes rows."""

    joins_streams = False

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts, self._context = opts, replace(context, common_options=lambda event: None)
        self.delimiter = line_delimiter("\n", context)
        self._text = text_decoder(opts.charset, opts.fallback_charset)
        self._readers: OrderedDict[str, FilterFn] = OrderedDict()
        self._shared = self._reader(detects=False)
        self._writes_header = opts.include_headers and bool(opts.columns)
        self._refs = [FieldRef(name) for name in opts.columns]

    def _reader(self, *, detects: bool) -> FilterFn:
        opts = self._opts
        options = FilterOptions(
            source=_ROW,
            columns=opts.columns,
            separator=opts.separator,
            quote_char=opts.quote_char,
            target=opts.target,
            autogenerate_column_names=opts.autogenerate_column_names,
            autodetect_column_names=detects,
            skip_empty_columns=opts.skip_empty_columns,
            convert=opts.convert,
        )
        reader: FilterFn = build_filter(options, self._context)
        return reader

    def _reader_of(self, chunk: Chunk) -> FilterFn:
        if not self._opts.autodetect_column_names or self._opts.columns:
            return self._shared
        if chunk.offset == 0:
            self._readers[chunk.stream_id] = self._reader(detects=True)
            if len(self._readers) > _MAX_STREAMS:
                self._readers.popitem(last=False)
        return self._readers.get(chunk.stream_id, self._shared)

    def decode(self, chunk: Chunk) -> Table:
        """Return the rows of a chunk of lines; empty lines are none."""
        records, now, offset = EventCollector(), receive_time(chunk), chunk.offset
        read = self._reader_of(chunk)
        for line in split_texts(chunk.data, self.delimiter):
            text = self._text(line.removesuffix(b"\r") if self.delimiter == LINE_FEED else line)
            if text and (event := self._event(read, text)) is not None:
                records.add(
                    None, complete(event | {k: v for k, v in chunk.fields.items() if k not in event}, now), offset
                )
            offset += len(line) + len(self.delimiter)
        return records.table()

    def _event(self, read: FilterFn, text: str) -> Event | None:
        """Return the event of a row; None: it has the names of the columns."""
        event: Event = {"@metadata": {"row": text}}
        try:
            if read(event):
                return None
        except (FieldError, ValueError):
            event = {"message": text}
            add_tag(event, "_csvparsefailure")
        _ROW.remove(event)
        if not event.get("@metadata", True):
            del event["@metadata"]
        if uses_ecs(self._opts) and "event" not in event:
            event["event"] = {"original": text}
        return event

    def encode(self, batch: Batch) -> bytes:
        """Return a line for each event: the values of ``columns``, or of all its fields."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self._opts.separator, quotechar=self._opts.quote_char, lineterminator="\n")
        if self._writes_header:
            writer.writerow(self._opts.columns)
            self._writes_header = False
        for event in batch.events():
            values = [ref.get(event) for ref in self._refs] or [v for k, v in event.items() if k != "@metadata"]
            writer.writerow([_cell(value) for value in values])
        return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    return dumps(value).decode() if isinstance(value, list | dict) else to_text(value)


@plugin("codec", "csv", Options)
def build(opts: Options, context: BuildContext) -> CsvCodec:
    """Rows of CSV text, one a line."""
    if len(opts.separator) != 1 and opts.include_headers:
        raise ValueError("separator has to be one character for an output")
    return CsvCodec(opts, context)
