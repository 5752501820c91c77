"""``csv``: split a row of CSV text into fields.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-csv and the plugin's version 3.1.
More lenient than that: the conversion to a boolean leaves an empty column null, and a column whose name is not a field
reference is the field of that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.plugins.csv_values import Convert, converter
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option
from ingestd.protocols.records.csv_rows import CsvReader, Row

_EMPTY_ROW_TAG = "_csvskippedemptyfield"
_KEPT_COLUMNS = 4096  # a row with more must not stay in memory forever


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``csv``."""

    source: FieldRef = option(FieldRef("message"), "Field with the row.")
    columns: list[str] = option([], "Names of the columns, in order; others are called `column1`, `column2` ...")
    separator: str = option(",", "Text between columns; for a tab write the tab itself.")
    quote_char: str = option('"', "Character around columns that contain separators or line ends; `\\x00`: none.")
    target: FieldRef | None = option(None, "Parent field of the columns; default: the event itself.")
    autogenerate_column_names: bool = option(True, "Keep columns without a name; otherwise they are left out.")
    autodetect_column_names: bool = option(
        False,
        "Without `columns`, take the names from the first row that this process sees, and drop that event and others "
        "with the same row. All rows must reach a single worker.",
    )
    skip_header: bool = option(False, "Drop events whose columns are the names of the columns.")
    skip_empty_columns: bool = option(False, "Do not set fields for columns without text.")
    skip_empty_rows: bool = option(False, f"Tag empty rows with `{_EMPTY_ROW_TAG}` instead of `_csvparsefailure`.")
    convert: dict[str, str] = option(
        {}, "Columns to convert, by name: to `integer`, `float`, `boolean`, `date` or `date_time`."
    )


def _touches(options: Options) -> Touch:
    reads = frozenset([options.source.text])
    if options.target is not None:
        return Touch(reads=reads | {options.target.text}, sets=frozenset([options.target.text, "tags"]))
    if options.autogenerate_column_names or not options.columns:
        return Touch(unknown="csv names fields after columns that the config does not name")
    names = frozenset(FieldRef.named(name).text for name in options.columns)
    return Touch(reads=reads | names, sets=names | {"tags"})


@filter_plugin("csv", Options, touches=_touches, outcome="one_or_none", failure_tag="_csvparsefailure")
def build(options: Options, context: BuildContext) -> FilterFn:
    """Split a row of CSV text into fields.

    An empty column is null, one with empty quotes is empty text. Of a text with several rows, the first is read. A
    text that is not CSV gets the tag `_csvparsefailure`; the common options run for all others.
    """
    reader = CsvReader(options.separator, "\0" if options.quote_char == "\\x00" else options.quote_char)
    columns = _Columns(options)
    source, common_options = options.source, context.common_options
    skip_empty_rows, tagged_empty = options.skip_empty_rows, _EMPTY_ROW_TAG

    def csv(event: Event) -> bool:
        text = source.get(event)
        if text is None or text is False:
            return False
        if type(text) is not str:
            raise FieldError("the source is not text")
        row = reader.row(text)
        if row is not None and columns.is_header(row):
            return True
        if row is None:
            if not skip_empty_rows:
                raise FieldError("the source is empty")
            add_tag(event, tagged_empty)
            return False
        columns.store(event, row)
        common_options(event)
        return False

    return csv


@dataclass(frozen=True, slots=True)
class _Column:
    ref: FieldRef
    convert: Convert | None


class _Columns:
    """Sets the fields of rows; with ``autodetect_column_names`` it takes their names from the first row."""

    def __init__(self, options: Options) -> None:
        self._target = options.target
        self._names: Row = [*options.columns]
        self._detects = options.autodetect_column_names and not options.columns
        # also detected names come again: an output that is behind gets the same events a second time
        self._skips_header, self._skips_empty = options.skip_header or self._detects, options.skip_empty_columns
        self._generates = options.autogenerate_column_names
        self._convert = {name: converter(kind) for name, kind in options.convert.items()}
        self._columns: list[_Column | None] = []

    def is_header(self, row: Row) -> bool:
        """Return whether a row holds the names of the columns, and its event is to be dropped."""
        if self._detects and not self._names and row:
            self._names = row
            self._columns.clear()
            return True
        return self._skips_header and bool(self._names) and row == self._names

    def store(self, event: Event, row: Row) -> None:
        """Set the fields of a row.

        Raises:
            FieldError: A field does not accept its value; those of the columns before it are set.
        """
        if self._target is None:
            self._fill(event, row)
            return
        held = self._target.get(event)
        if held is not None and type(held) is not dict:
            raise FieldError(f"{self._target} holds a value that has no fields")
        parent: dict[str, Any] = {**(held or {})}
        self._fill(parent, row)
        if parent:
            target(self._target).set(event, parent)

    def _fill(self, parent: dict[str, Any], row: Row) -> None:
        for column, value in zip(self._upto(len(row)), row, strict=True):
            if column is None or (self._skips_empty and not value):
                continue
            converted = value if value is None or column.convert is None else column.convert(value)
            column.ref.set(parent, converted)

    def _upto(self, count: int) -> Iterator[_Column | None]:
        """Return the first ``count`` columns."""
        known = len(self._columns)
        for position in range(known, min(count, _KEPT_COLUMNS)):
            self._columns.append(self._column(position))
        yield from self._columns[:count]
        for position in range(_KEPT_COLUMNS, count):
            yield self._column(position)

    def _column(self, position: int) -> _Column | None:
        """Return the column at ``position``, None if it is left out."""
        name = self._names[position] if position < len(self._names) else None
        if not name:
            if not self._generates:
                return None
            name = f"column{position + 1}"
        ref = FieldRef.named(name)
        return _Column(target(ref) if self._target is None else ref, self._convert.get(name))
