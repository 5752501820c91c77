"""``ingestd sql``: read-only SQL on the events of the built-in store."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import itertools
import re
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import Value, csv_options, json_option, limit_option, store_options
from ingestd.cli.common.queries import time_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write, write_table
from ingestd.event.jsontext import mend
from ingestd.settings import Settings
from ingestd.stores.base import QueryMemoryError
from ingestd.stores.open import is_builtin
from ingestd.stores.query import INDEX_FIELD, Condition, Gap, Like, Or, Query
from ingestd.units import DURATION

_BOM = "\ufeff"
_MEMORY_BYTES = 3 << 30
"""What a statement may take: four times DuckDB's limit, as threads reserve more than they use."""

_NUMBERS = (int, float, Decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode


@click.command()
@click.argument("statement")
@click.option("--index", "pattern", metavar="PATTERN", help="Only these indices: 'logstash-2026.11.*'.  [default: all]")
@time_options
@limit_option(1000, "Print at most this many rows; 0: all.", minimum=0)
@click.option("--timeout", type=Value(DURATION), default="5m", show_default=True, help="Give up after this time.")
@store_options
@json_option
@csv_options
def sql(  # noqa: PLR0913 -- click passes one argument for each option
    settings: Settings,
    statement: str,
    pattern: str | None,
    since: str | None,
    until: str | None,
    *,
    limit: int,
    timeout: float,
    as_json: bool,
    as_csv: bool,
    bom: bool,
) -> None:
    """Run a SELECT in DuckDB's SQL on the events of the built-in store, also while the daemon runs.

    \b
    ingestd sql 'SELECT level, count(*) FROM events GROUP BY level'
    ingestd sql --since 1d 'SELECT request_path, avg(duration_ms) AS ms FROM events GROUP BY ALL ORDER BY ms DESC'
    ingestd sql 'SELECT geoip.country_name, "user-agent" FROM events WHERE status_code >= 500' --csv

    The view events has a column for each field, a.b for a field in an object; names with characters other than letters,
    digits and _ are quoted: "user-agent". A column is BIGINT, DOUBLE or BOOLEAN if all its values are, else VARCHAR.
    There are also "@timestamp" (UTC), _index, _id and _source, the document as JSON. * stands for the fields of the
    newest events.

    SQL can read events and nothing else: no file, no network, no environment. --json prints a line for each row.
    """
    if not is_builtin(settings.store or settings.elasticsearch):
        raise click.UsageError("SQL runs on the built-in store only; on a server use its own")
    query = Query(since, until, None if pattern is None else _in_indices(pattern))
    with opened_store(settings, timeout) as store:
        from ingestd.stores.local import LocalStore  # noqa: PLC0415 -- DuckDB only where it is needed
        from ingestd.stores.local.query.statement import StatementError  # noqa: PLC0415

        assert isinstance(store, LocalStore)  # noqa: S101 -- is_builtin
        write_rows = _write_json if as_json else functools.partial(_write_csv, bom=bom) if as_csv else _write_table
        try:
            with _bounded_memory():
                rows = store.select(statement, query, limit and limit + 1)
                if (names := next(rows, None)) is not None:
                    write_rows(names, _limited(rows, limit))
        except StatementError as error:
            raise _StatementFailed(str(error)) from None
        except MemoryError:
            raise QueryMemoryError("the rows need too much memory; choose fewer, or fewer columns") from None
        if names is None:
            report_no_match(store, settings, query)


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Limit the memory of the process: DuckDB's own limit does not count a single value, such as a long list."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not Linux
        yield
        return
    old, most = resource.getrlimit(resource.RLIMIT_AS)
    limits = [value for value in (pages * resource.getpagesize() + _MEMORY_BYTES, old, most) if value >= 0]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (old, most))


class _StatementFailed(click.ClickException):
    exit_code = 2


def _in_indices(patterns: str) -> Condition:
    """Return the condition for indices: names with wildcards, separated by commas."""
    gaps = {gap.value: gap for gap in Gap}
    pieces = (
        tuple(gaps.get(piece, piece) for piece in re.split(r"([*?])", pattern)) for pattern in patterns.split(",")
    )
    return Or(tuple(Like(INDEX_FIELD, parts) for parts in pieces))


def _limited(rows: Iterator[Any], limit: int) -> Iterator[Any]:
    """Yield at most ``limit`` rows, and say on stderr if there are more."""
    for number, row in enumerate(rows):
        if limit and number == limit:
            sys.stdout.flush()
            click.echo(f"there are more rows than {limit:,}: --limit shows them", err=True)
            return
        yield row


def _write_json(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    unique = _unique(names)
    for row in rows:
        write(_encode(dict(zip(unique, (_json_value(value) for value in row), strict=True))))


def _unique(names: Sequence[str]) -> list[str]:
    """Return the names, those that stand there again with a number."""
    taken = set(names)
    unique: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in itertools.count(1))
        free = next(other for other in numbered if other not in taken) if name in unique else name
        taken.add(free)
        unique[free] = None
    return list(unique)


def _json_value(value: Any) -> Any:
    """Return a value as JSON types; a DECIMAL, such as ``n * 0.5``, is a number."""
    return mend(msgspec.to_builtins(value, str_keys=True, builtin_types=[Decimal], enc_hook=str))


def _write_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], *, bom: bool) -> None:
    text = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="", write_through=True)
    text.write(_BOM if bom else "")
    lines = csv.writer(text)
    lines.writerow(names)
    lines.writerows([_text(value) for value in row] for row in rows)
    text.detach()


def _write_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    numbers, rows = 0, list(rows)
    for column in reversed(list(zip(*rows, strict=True))):
        if not all(value is None or type(value) in _NUMBERS for value in column):
            break
        numbers += 1
    write_table(names, ([_text(value) for value in row] for row in rows), numbers)


def _text(value: Any) -> str:
    """Return a value as a cell: nothing for NULL, JSON for what has parts, a BLOB as in JSON: base64."""
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        return _encode(_json_value(value)).decode()
    return str(_json_value(value) if isinstance(value, bytes) else value)
