"""The formats of an export: NDJSON, CSV, Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.stores.base import StoreError
from ingestd.stores.export.columns import Columns, getter, text, typed, unique
from ingestd.stores.export.excel import excel_text
from ingestd.stores.local.duckdb.core import connect, load_duckdb
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES

Writer = Callable[[Iterable[bytes], IO[bytes], Sequence[str], Path], None]
"""``write(documents, target, fields, folder)``: no ``fields``: all that occur; ``folder``: for temporary files."""

_MEMORY = "512MB"


def write_ndjson(documents: Iterable[bytes], target: IO[bytes], fields: Sequence[str], folder: Path) -> None:
    """Write one document per line, as the store returns it; with ``fields``, an object with only these."""
    if not fields:
        for document in documents:
            target.write(document + b"\n")
        return
    getters = {field: getter(field) for field in fields}
    for event in _events(documents):
        found = {field: value for field, get in getters.items() if (value := get(event)) is not None}
        target.write(dumps(found) + b"\n")


def write_csv(documents: Iterable[bytes], target: IO[bytes], fields: Sequence[str], folder: Path) -> None:
    """Write a table with a header line (RFC 4180), in UTF-8; arrays and objects as JSON."""
    _write_table(documents, target, fields, folder, text)


def write_excel_csv(documents: Iterable[bytes], target: IO[bytes], fields: Sequence[str], folder: Path) -> None:
    """Write a table for Excel: with a byte order mark, without which it takes UTF-8 for something else.

    Texts that Excel would run as formulas are protected, see `excel_text`.
    """
    target.write(codecs.BOM_UTF8)
    _write_table(documents, target, fields, folder, lambda value: excel_text(text(value)))


def _write_table(
    documents: Iterable[bytes], target: IO[bytes], fields: Sequence[str], folder: Path, cell: Callable[[Any], str]
) -> None:
    with tempfile.TemporaryFile(dir=folder) as spool:
        lines: Iterable[bytes] = documents
        if not fields:
            fields = _spool(documents, spool).names()
            lines = spool
        getters = [getter(field) for field in fields]
        wrapped = io.TextIOWrapper(target, "utf-8", errors="replace", newline="")
        try:
            table = csv.writer(wrapped)
            table.writerow(map(cell, fields))
            table.writerows([cell(get(event)) for get in getters] for event in _events(lines))
        finally:
            wrapped.detach()  # the caller closes the target


def write_parquet(documents: Iterable[bytes], target: IO[bytes], fields: Sequence[str], folder: Path) -> None:
    """Write typed columns: booleans, numbers, times if all values of a column are, else text.

    Raises:
        StoreError: DuckDB cannot write it.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as work:
        events, rows, made = (Path(work) / name for name in ("events.ndjson", "rows.ndjson", "table.parquet"))
        with events.open("w+b") as file:
            columns = _spool(documents, file)
            names = list(fields) or columns.names()
            kinds = columns.types(names)
            with rows.open("wb") as out:
                for row in _rows(file, names, kinds):
                    out.write(row + b"\n")
        with connect({"memory_limit": _MEMORY, "temp_directory": work}) as connection:
            try:
                connection.execute(_copy(names, kinds, rows, made))
            except load_duckdb().Error as error:
                raise StoreError(f"cannot write Parquet: {str(error).splitlines()[0]}") from error
        with made.open("rb") as file:
            while data := file.read(1 << 20):
                target.write(data)


WRITERS: dict[str, Writer] = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            yield loads(line)
        except NotJsonError:  # nested too deeply to be parsed
            yield {"message": line.decode(errors="replace")}


def _spool(documents: Iterable[bytes], file: IO[bytes]) -> Columns:
    """Write documents to a file, one per line; return their columns, and rewind the file."""
    columns = Columns()

    def kept() -> Iterator[bytes]:
        for document in documents:
            file.write(document + b"\n")
            yield document

    for event in _events(kept()):
        columns.learn(event)
    file.seek(0)
    return columns


def _rows(lines: Iterable[bytes], names: Sequence[str], kinds: Sequence[str]) -> Iterator[bytes]:
    """Yield JSON objects with the keys ``c0``, ``c1`` ..., which no field name can clash with."""
    cells: list[tuple[str, Callable[[Event], Any], str]] = [
        (f"c{at}", getter(name), kind) for at, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    for event in _events(lines):
        yield dumps({key: typed(get(event), kind) for key, get, kind in cells})


def _copy(names: Sequence[str], kinds: Sequence[str], rows: Path, target: Path) -> str:
    if not names:
        return f"COPY (SELECT NULL::VARCHAR AS message WHERE false) TO {_quoted(target)} (FORMAT parquet)"
    heads = [name.replace('"', '""') for name in unique(names)]
    chosen = ", ".join(f'c{at} AS "{head}"' for at, head in enumerate(heads))
    columns = ", ".join(f"c{at}: '{kind}'" for at, kind in enumerate(kinds))
    source = (
        f"read_json({_quoted(rows)}, format = 'newline_delimited', columns = {{{columns}}}, "
        f"maximum_object_size = {2 * MAX_DOCUMENT_BYTES})"
    )
    return f"COPY (SELECT {chosen} FROM {source}) TO {_quoted(target)} (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
