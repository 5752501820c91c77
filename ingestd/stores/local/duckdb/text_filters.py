# ruff: noqa: S608 - building SQL is what this module is for
"""The filters of the texts of a sealed file, in its footer: a search that none of its events match need not read it.

There is one for each of the fields that a text is searched in which has a column of texts (``trigrams``). A file of an
older version has none, nor has a field with too many different words; whatever cannot be read counts as missing, too.
"""

from __future__ import annotations

import base64
import functools
import itertools
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.stores.local.duckdb.session import DuckDBSession
from ingestd.stores.local.duckdb.sql import quoted_name, url_decoded
from ingestd.stores.local.index.document_columns import Columns
from ingestd.stores.local.index.trigrams import TrigramCollector, TrigramFilter, union
from ingestd.stores.query import DECODED_FIELDS, FREE_FIELDS

KEY = "ingestd.trigrams"
"""In the footer's metadata: a checksum, and JSON of the filters by field."""

_BATCH = 2048
_MAX_FOOTER_BYTES = 64 << 20
_END_BYTES = 8  # the size of the footer, and "PAR1"
_STRING = b"\x18"  # the next field of a struct is a string, in Thrift's compact protocol; its length follows
_CACHED = 512

Filters = Mapping[str, TrigramFilter]
"""By field; a field without one may have any text."""


def made(session: DuckDBSession, rows: str, columns: Columns, sources: Sequence[tuple[Path, Columns]] = ()) -> Filters:
    """Return the filters of a file with certain columns, given the FROM clause for its rows.

    ``sources``: the files that the rows come from, if they do, with their columns: filters are read from them if each
    of them has one.
    """
    found = {}
    for field in FREE_FIELDS:
        if columns.get(field) == "VARCHAR":
            own = _merged(sources, field) or _collected(session.table_rows(_texts(field, rows)))
            if own is not None:
                found[field] = own
    return found


def _texts(field: str, rows: str) -> str:
    """Return the query for the distinct texts of a field; those that are percent-encoded are searched decoded."""
    column = quoted_name(field)
    distinct = f"SELECT DISTINCT {column} AS text FROM {rows} WHERE {column} IS NOT NULL"
    return f"SELECT {url_decoded('text')} FROM ({distinct})" if field in DECODED_FIELDS else distinct


def _collected(texts: Iterator[tuple[str]]) -> TrigramFilter | None:
    """Return the filter of some texts, the rows of a query; None: they have too many different words."""
    collector = TrigramCollector()
    while not collector.is_full and (batch := [text for (text,) in itertools.islice(texts, _BATCH)]):
        collector.add(batch)
    return collector.filter()


def _merged(sources: Sequence[tuple[Path, Columns]], field: str) -> TrigramFilter | None:
    """Return the filter of a field of all of some files; None: one of them has none, or it would be of little use."""
    filters = []
    for path, columns in sources:
        if field in columns:
            if columns[field] != "VARCHAR" or (found := read(path).get(field)) is None:
                return None
            filters.append(found)
    joined = union(filters) if filters else None
    return joined if joined is not None and joined.is_useful else None


def encode(filters: Filters) -> str:
    """Return the value of `KEY`."""
    body = msgspec.json.encode(
        {field: base64.b64encode(zlib.compress(own.bits)).decode() for field, own in filters.items()}
    )
    return f"{zlib.crc32(body):08x}{body.decode()}"


def read(path: Path) -> Filters:
    """Return the filters of a sealed file."""
    try:
        stat = path.stat()
    except OSError:
        return {}
    return _read(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(_CACHED)
def _read(path: Path, *_: int) -> Filters:
    try:
        return _decode(_value(_footer(path)))
    except (OSError, ValueError, zlib.error):  # of msgspec and base64, too
        return {}


def _footer(path: Path) -> bytes:
    """Return the footer of a Parquet file. Raises OSError, or ValueError if it has none."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(os.pread(file.fileno(), 4, max(0, size - _END_BYTES)), "little")
        if not length <= min(size - _END_BYTES, _MAX_FOOTER_BYTES):
            raise ValueError("this is not the end of a Parquet file")
        return os.pread(file.fileno(), length, size - _END_BYTES - length)


def _value(footer: bytes) -> bytes:
    """Return the value of `KEY`, empty if there is none. What stands before it, of each row group, is not parsed."""
    value = footer.rpartition(KEY.encode() + _STRING)[2] if KEY.encode() in footer else b""
    size = 0
    for at, byte in enumerate(value[:5]):
        size |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return value[at + 1 : at + 1 + size]
    return b""


def _decode(value: bytes) -> Filters:
    """Return what a value says. Raises ValueError or zlib.error if it is damaged."""
    checksum, body = value[:8], value[8:]
    if not value or int(checksum, 16) != zlib.crc32(body):
        return {}
    filters = decoder(dict[str, str]).decode(body)
    return {field: TrigramFilter(zlib.decompress(base64.b64decode(bits))) for field, bits in filters.items()}
