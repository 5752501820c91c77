# ruff: noqa: S608 - building SQL is what this module is for
"""SQL of a user on the events of indices: a SELECT on the view ``events``, which has a column for each field.

*What it can do.* DuckDB's own parser must know the statement as a single SELECT. While it runs, DuckDB opens only the
files of the view and its own folder for what does not fit into memory, loads nothing, and has its settings locked.

*Times.* ``@timestamp`` is in UTC, and so is the session: only then does DuckDB compare it correctly with a TIMESTAMP
WITH TIME ZONE, such as ``now()``, whatever the zone of the machine. A result has TIMESTAMPs only: to make Python
objects of the others, DuckDB needs pytz.

*Columns.* `EVENT_COLUMNS`, and one for each field that the statement names, or with ``*`` for each field of the newest
events. The type of a column is the one that holds all values of the field in these files: BIGINT, DOUBLE or BOOLEAN if
all of them are such, else VARCHAR: texts as they are, anything else as JSON. So a query finds out the types first, of
what the manifests do not say, and the same statement has the same columns however the events are stored. A field in an
object is ``a.b``, a STRUCT, unless ``a`` is named as well.

*What is read.* ``@timestamp``, and a field that all its files have in a column of the same type, are columns of the
files to DuckDB as well: it reads no rows that cannot meet a condition on them.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestd.event.fields import FieldError
from ingestd.stores.base import StoreError
from ingestd.stores.local.duckdb.core import connect, load_duckdb
from ingestd.stores.local.duckdb.sql import quoted_name
from ingestd.stores.local.query.columns import INDEX_NAME, MISSING, SourceColumns
from ingestd.stores.local.query.engine import QueryFailedError, QuerySession, VanishedError
from ingestd.stores.local.query.sql import ID_COLUMN, TIME_COLUMN, FileGroup
from ingestd.stores.local.query.values import value_rows
from ingestd.stores.query import INDEX_FIELD, Query, check_field

VIEW = "events"
EVENT_COLUMNS = (INDEX_FIELD, "_id", "_source", "@timestamp")
"""The columns of every event: its index, its id, the whole document as JSON, and its time in UTC."""

_EVENT_KEYS = {(name.lower(),) for name in EVENT_COLUMNS}

MAX_COLUMNS = 500

_QUALIFIERS: tuple[Path, ...] = ((), ("main",), ("memory", "main"))
"""What may stand before the name of a table: nothing, its schema, its database and schema."""

_UNKNOWN_COLUMN = re.compile(r'Referenced (?:column|table) "(.*)" not found')
_TIME = "TIMESTAMP"
_ZONED = f"{_TIME} WITH TIME ZONE"
_INTEGER, _NUMBER, _TRUTH, _OTHER = 1, 2, 4, 8
_KINDS = {"BIGINT": _INTEGER, "DOUBLE": _NUMBER, "BOOLEAN": _TRUTH, "VARCHAR": _OTHER}
_TYPES = {_INTEGER: "BIGINT", _NUMBER: "DOUBLE", _INTEGER | _NUMBER: "DOUBLE", _TRUTH: "BOOLEAN"}


class StatementError(StoreError):
    """A statement is wrong, or is not one that is allowed; the text says why."""


class UnknownColumnError(StatementError):
    """A statement names a column that does not exist."""

    def __init__(self, text: str, column: str) -> None:
        super().__init__(text)
        self.column = column


Path = tuple[str, ...]
"""The names of a column, and of a member of it: ``("a", "b")`` is the field ``a.b`` as a member of ``a``."""


@dataclass(slots=True)
class Statement:
    """A SELECT: its text, the columns that it may name, and whether it asks for all (``*``)."""

    text: str
    columns: list[Path] = field(default_factory=list)
    star: bool = False


def parse(text: str) -> Statement:
    """Parse a statement.

    Raises:
        StatementError: It is not a single SELECT, or names too many columns.
    """
    try:
        with connect({}) as connection:
            ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
        tree = json.loads(serialized)
    except load_duckdb().Error as error:
        raise StatementError(_sentence(str(error))) from error
    except RecursionError:
        raise StatementError("the statement is nested too deeply") from None
    if tree["error"]:
        if tree["error_type"] == "parser":
            raise StatementError(tree["error_message"])
        raise StatementError("only a SELECT is allowed")
    if len(tree["statements"]) != 1:
        raise StatementError("only a single SELECT is allowed")
    nodes = list(_nodes(tree))
    tables = {VIEW, *(str(node.get(key)).lower() for node in nodes for key in ("alias", "table_name"))}
    statement = Statement(text.strip().rstrip(";"))
    for node in nodes:
        statement.star |= node.get("class") == "STAR"
        if node.get("class") == "COLUMN_REF":
            names = tuple(node["column_names"])
            statement.columns.append(_without_table(names, tables))
    if len(set(statement.columns)) > MAX_COLUMNS:
        raise StatementError(f"a statement may name {MAX_COLUMNS} columns")
    return statement


def _without_table(names: Path, tables: Collection[str]) -> Path:
    """Return the names of a column without that of its table, its schema and its database."""
    for at, qualifier in enumerate(_QUALIFIERS):
        before = _key(names[: at + 1])
        if len(names) > at + 1 and before[:-1] == qualifier and before[-1] in tables:
            return names[at + 1 :]
    return names


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all objects in a JSON value."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
        if isinstance(node, dict | list):
            pending += node.values() if isinstance(node, dict) else node


def run(
    session: QuerySession, statement: Statement, more: Sequence[Path], query: Query, groups: Sequence[FileGroup]
) -> Iterator[Any]:
    """Yield the names of the columns, then the rows of a statement; the session is of no use for anything else then.

    Args:
        session: An open one.
        statement: A parsed one.
        more: Further columns, for ``*``.
        query: Which events are in the view: their range of time.
        groups: Their files.

    Raises:
        StatementError: The statement is wrong.
        VanishedError: A file no longer exists.
        StoreError: See `QuerySession.run`.
    """
    _create_view(session, list(_searchable([*statement.columns, *more])), query, groups)
    files = [file for group in groups for file in group.files]
    session.restrict(files)
    names, text = _without_zones(session, statement.text)
    rows = _as_statement_errors(session.run(text), files)
    first = next(rows, None)
    yield names or session.columns
    if first is not None:
        yield first
        yield from rows


def leaf_names(event: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of the fields of an event that have a value; those in an object as ``a.b``."""
    for name, value in event.items() if isinstance(event, dict) else ():
        if isinstance(value, dict) and value:
            yield from leaf_names(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name


def _searchable(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield each path once, but none that cannot be a field."""
    seen: set[Path] = set()
    for path in paths:
        if path not in seen and _key(path) not in _EVENT_KEYS and len(seen) < MAX_COLUMNS:
            seen.add(path)
            with contextlib.suppress(FieldError):
                check_field(".".join(path))
                yield path


def _key(path: Path) -> Path:
    """Return a path as names in SQL are compared: in any case."""
    return tuple(name.lower() for name in path)


def _create_view(session: QuerySession, paths: Sequence[Path], query: Query, groups: Sequence[FileGroup]) -> None:
    kinds = _kinds(session, [".".join(path) for path in paths], query, groups)
    existing: dict[Path, tuple[Path, str]] = {}
    for path, kind in zip(paths, kinds, strict=True):
        if kind:
            existing.setdefault(_key(path), (path, _TYPES.get(kind, "VARCHAR")))
    typed = list(existing.values())

    def values(at: int, type_name: str) -> Mapping[str, str]:
        """Return a column as it is if possible: then what a statement compares it with is what DuckDB reads of it."""
        wanted = typed[at][1]
        return {f"v{at}": f"c{at}" if type_name == wanted else f"TRY_CAST(t{at} AS {wanted})"}

    rows = value_rows(groups, query, [".".join(path) for path, _ in typed], _event_columns, values)
    columns = _Columns()
    for at, (path, _) in sorted(enumerate(typed), key=lambda item: len(item[1][0])):
        columns.add(path, f"v{at}")
    selected = ", ".join([*map(quoted_name, EVENT_COLUMNS), *columns.select()])
    list(session.run(f"CREATE VIEW {VIEW} AS SELECT {selected} FROM ({rows})"))


def _kinds(session: QuerySession, fields: Sequence[str], query: Query, groups: Sequence[FileGroup]) -> list[int]:
    """Return the kinds of values that each field has. What is only in columns need not be read: they have types."""
    kinds, selects = [0] * len(fields), []
    for group in groups:
        columns = [(group.columns or SourceColumns()).find(field) for field in fields]
        known = [_KINDS.get(column.type, 0) if column is not None else 0 for column in columns]
        kinds = [kind | of_group for kind, of_group in zip(kinds, known, strict=True)]
        unknown = [at for at, kind in enumerate(known) if not kind and columns[at] != MISSING]
        if unknown:
            found = {at: f"bit_or({_kind(f't{number}', f'o{number}')})" for number, at in enumerate(unknown)}
            selected = ", ".join(f"{found.get(at, '0')} AS k{at}" for at in range(len(fields)))
            rows = value_rows([group], query, [fields[at] for at in unknown], lambda _: {})
            selects.append(f"SELECT {selected} FROM ({rows})")
    if selects:
        found_kinds = ", ".join(f"coalesce(bit_or(k{at}), 0)" for at in range(len(fields)))
        ((*others,),) = session.run(f"SELECT {found_kinds} FROM ({' UNION ALL '.join(selects)})")
        kinds = [kind | other for kind, other in zip(kinds, others, strict=True)]
    return kinds


def _event_columns(group: FileGroup) -> dict[str, str]:
    return dict(zip(EVENT_COLUMNS, (INDEX_NAME, ID_COLUMN, "doc", TIME_COLUMN), strict=True))


def _kind(text: str, other: str) -> str:
    """Return the expression for the kind of a value, 0 if it is missing."""
    is_integer = f"TRY_CAST({text} AS BIGINT) IS NOT NULL AND NOT regexp_matches({text}, '[.eE]')"
    return (
        f"CASE WHEN {text} IS NULL THEN 0 WHEN NOT {other} THEN {_OTHER} "
        f"WHEN {text} IN ('true', 'false') THEN {_TRUTH} WHEN {is_integer} THEN {_INTEGER} "
        f"WHEN isfinite(TRY_CAST({text} AS DOUBLE)) THEN {_NUMBER} ELSE {_OTHER} END"
    )


@dataclass(slots=True)
class _Columns:
    """The columns of the view by name: an expression, or the members of a STRUCT."""

    members: dict[str, str | _Columns] = field(default_factory=dict)

    def add(self, path: Path, expression: str) -> None:
        """Add a field; a member of what is a field itself becomes a column of its own, ``a.b``."""
        inside = self.members
        for name in path[:-1]:
            member = inside.setdefault(name, _Columns())
            if isinstance(member, str):
                self.members.setdefault(".".join(path), expression)
                return
            inside = member.members
        inside[path[-1]] = expression

    def select(self) -> Iterator[str]:
        """Yield the columns of a SELECT."""
        for name, member in self.members.items():
            yield f"{_expression(member)} AS {quoted_name(name)}"


def _expression(member: str | _Columns) -> str:
    if isinstance(member, str):
        return member
    packed = ", ".join(f"{quoted_name(name)} := {_expression(inner)}" for name, inner in member.members.items())
    return f"struct_pack({packed})"


def _without_zones(session: QuerySession, text: str) -> tuple[list[str], str]:
    """Return a statement whose result has TIMESTAMPs instead of times with a zone, and its columns if it is another."""
    try:
        described = [(str(name), str(kind)) for name, kind, *_ in session.run(f"DESCRIBE {text}")]
    except (QueryFailedError, VanishedError):  # it is a DESCRIBE itself, or running it says what is wrong
        return [], text
    if not any(_ZONED in kind for _, kind in described):
        return [], text
    values = ", ".join(f"CAST(c{at} AS {kind.replace(_ZONED, _TIME)})" for at, (_, kind) in enumerate(described))
    columns = ", ".join(f"c{at}" for at in range(len(described)))
    return [name for name, _ in described], f"SELECT {values} FROM (\n{text}\n) AS result({columns})"


def _as_statement_errors(rows: Iterator[Any], files: Sequence[str]) -> Iterator[Any]:
    """Yield rows; errors that are those of the statement are raised as StatementError."""
    duckdb = load_duckdb()
    own = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException)
    try:
        yield from rows
    except (QueryFailedError, VanishedError) as error:
        if isinstance(error.__cause__, own):
            text = _sentence(str(error.__cause__))
            if any(file in text for file in files):  # it was removed: DuckDB then looks for a folder, which it may not
                raise VanishedError(f"cannot read the store: {text}") from error
            if unknown := _UNKNOWN_COLUMN.search(text):
                raise UnknownColumnError(f'there is no column "{unknown[1]}"', unknown[1]) from error
            raise StatementError(text) from error
        raise


def _sentence(text: str) -> str:
    """Return DuckDB's text of an error on a line, with what it suggests."""
    first, *others = text.splitlines()
    hints = [line.strip() for line in others if line.startswith(("Candidate bindings", "Did you mean"))]
    return "; ".join([first, *hints])
