"""Which columns a sealed file has, and which parts of a document are in none of them.

A column holds the values that one field has of one type; an object is a struct of its members. ``rest`` is the JSON
text of what columns cannot hold as it came: rare fields, values of another type than the column's, ``null`` (a column's
NULL means that the field is missing), numbers that are not written as their value is (``1.50``, ``1e2``, more than 64
bits). A field is either in its column or in ``rest``, an object as a whole. A document that is not an object, not valid
JSON, or has a key twice, is in ``rest`` as a whole, after a space.

So every document comes back with the same values: only the order of its keys, blanks between tokens and the escapes in
its strings may differ.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, Union

import msgspec
import orjson

Type: TypeAlias = Union[str, "Columns"]
"""``VARCHAR``, ``BIGINT``, ``DOUBLE``, ``BOOLEAN``; ``JSON``: text, for arrays; a mapping: the members of an object."""

Columns: TypeAlias = Mapping[str, Type]
"""The fields that have columns; `TIME` is always the first."""

TIME = "@timestamp"
TIME_FORMS = {"TIMESTAMP_MS": "%Y-%m-%dT%H:%M:%S.%gZ", "TIMESTAMP": "%Y-%m-%dT%H:%M:%S.%fZ"}
"""Types of `TIME`: how nearly all times of a file are written, so that no text is needed. Otherwise it is VARCHAR."""

WHOLE_DOCUMENTS: Columns = {TIME: "VARCHAR"}
"""The columns of a file that has all documents as a whole in ``rest``."""

MAX_COLUMNS = 128
"""Maximum number of columns of a file, counting the members of objects."""

SAMPLE = 5000
"""How many documents of a file are looked at to choose its columns."""

WHOLE = " "
"""Start of a ``rest`` that is a whole document."""

_TEXT_SAMPLE = 250
_LIKE_OTHERS = re.compile(r"[-0-9\[{].*|true|false", re.DOTALL)
_RARE = 500  # a field that fewer documents have than one in this many gets no column
_MAX_DEPTH = 6
_TIME_TEXTS = {
    "TIMESTAMP_MS": re.compile(r"[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII),
    "TIMESTAMP": re.compile(r"[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII),
}
_NAME = re.compile(r"""[^\x00-\x1f\x7f"'\\/~]{1,200}""")  # needs no escapes, neither in JSON nor in SQL
_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN", list: "JSON", dict: "JSON"}
_KINDS = set(_TYPES.values())
_STRUCT = "STRUCT"
_MAX_INT = (1 << 63) - 1

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Fitted(NamedTuple):
    """A document in two parts, both JSON texts: what columns hold, and ``rest``, None if there is nothing else."""

    held: str
    rest: str | None


@dataclass(slots=True)
class _Field:
    """How often a field has a value of each type, and its members where it is an object."""

    types: Counter[str] = field(default_factory=Counter)
    members: dict[str, _Field] = field(default_factory=dict)


class _Leaf(NamedTuple):
    path: tuple[str, ...]
    type: str
    events: int


def choose_columns(documents: Iterable[str | bytes], known: Columns | None = None, most: int = MAX_COLUMNS) -> Columns:
    """Return the columns for documents like these: the most frequent fields, each with its most frequent type.

    Columns of another file that are ``known`` are kept, so that files can be merged without a look at their documents.
    """
    objects, times, count = _Objects(), Counter[str](), 0
    for document in documents:
        count += 1
        if (found := _parse(document)) is not None:
            if (time := found.pop(TIME, None)) is not None:
                times[_time_form(time)] += 1
            objects.add(found, 1)
    usual_time = str(known[TIME]) if known else "VARCHAR"
    columns = _most_frequent(objects.fields(), times, count // _RARE, usual_time, most)
    joined = _with_others(columns, known or {})
    return joined if count_columns(joined) <= most else columns


def choose_among(files: Sequence[tuple[Columns, Mapping[tuple[str, ...], int]]]) -> Columns:
    """Return the columns for the events of several files: of all their columns, those that most events have.

    Each file is given by its columns and by how many events have a value in each, by path.
    """
    fields: dict[str, _Field] = {}
    times: Counter[str] = Counter()
    for columns, events in files:
        times[str(columns[TIME])] += events.get((TIME,), 0)
        _count({name: kind for name, kind in columns.items() if name != TIME}, (), events, fields)
    return _most_frequent(fields, times, 0)


def _count(
    columns: Columns, path: tuple[str, ...], events: Mapping[tuple[str, ...], int], fields: dict[str, _Field]
) -> int:
    """Add columns to the fields; return how many events have a value in the one that most have."""
    most = 0
    for name, kind in columns.items():
        noted, own = fields.setdefault(name, _Field()), (*path, name)
        count = events.get(own, 0) if isinstance(kind, str) else _count(kind, own, events, noted.members)
        noted.types[kind if isinstance(kind, str) else _STRUCT] += count
        most = max(most, count)
    return most


def _most_frequent(
    fields: Mapping[str, _Field],
    times: Counter[str],
    min_events: int,
    usual_time: str = "VARCHAR",
    most: int = MAX_COLUMNS,
) -> Columns:
    columns: dict[str, Any] = {TIME: max(times, key=lambda kind: (times[kind], kind), default=usual_time)}
    leaves = sorted(_leaves(fields, ()), key=lambda leaf: (-leaf.events, leaf.path))
    for leaf in leaves[: most - 1]:
        if leaf.events >= min_events:
            _place(columns, leaf)
    return columns


def union(columns: Sequence[Columns]) -> Columns | None:
    """Return columns that can hold what each of several files has in its own; None if there are none."""
    joined: Columns = {}
    for others in columns:
        joined = _with_others(others, joined)
    fits_all = all(is_part(others, joined) for others in columns) and count_columns(joined) <= MAX_COLUMNS
    return joined if fits_all else None


def is_part(columns: Columns, of: Columns) -> bool:
    """Return whether ``of`` has all columns, with the same types."""
    return all(name in of and _is_part(kind, of[name]) for name, kind in columns.items())


def _is_part(kind: Type, of: Type) -> bool:
    if isinstance(kind, str) or isinstance(of, str):
        return kind == of
    return is_part(kind, of)


def _with_others(columns: Columns, others: Columns) -> Columns:
    """Return ``others`` with the types of ``columns`` where both have a field, then what else ``columns`` has."""
    joined: dict[str, Type] = {}
    for name, kind in others.items():
        new = columns.get(name, kind)
        joined[name] = new if isinstance(new, str) or isinstance(kind, str) else _with_others(new, kind)
    used = {name.lower() for name in joined}
    return joined | {name: kind for name, kind in columns.items() if name.lower() not in used}


def are_valid(columns: Columns) -> bool:
    """Return whether these can be the columns of a file, as what a manifest says may be anything."""
    return columns.get(TIME) in (*TIME_FORMS, "VARCHAR") and all(
        _is_valid(name, kind) for name, kind in columns.items() if name != TIME
    )


def _is_valid(name: str, kind: object) -> bool:
    if isinstance(kind, dict):
        return bool(kind) and _NAME.fullmatch(name) is not None and all(map(_is_valid, kind, kind.values()))
    return kind in _KINDS and _NAME.fullmatch(name) is not None


def count_columns(columns: Columns) -> int:
    """Return how many columns there are, with the members of objects."""
    return sum(1 if isinstance(kind, str) else count_columns(kind) for kind in columns.values())


def ambiguous_texts(documents: Sequence[str | bytes], columns: Columns) -> frozenset[tuple[str, ...]]:
    """Return the columns of texts, by path, of which one in 50 or more looks like a value of another type: "200"."""
    found: Counter[tuple[str, ...]] = Counter()
    documents = documents[:: max(1, len(documents) // _TEXT_SAMPLE)]
    for document in documents:
        found.update(_ambiguous_in(_parse(document) or {}, columns, ()))
    return frozenset(path for path, count in found.items() if count * 50 >= len(documents))


def _ambiguous_in(members: Mapping[str, Any], columns: Columns, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, kind in columns.items():
        value = members.get(name)
        if kind == "VARCHAR" and type(value) is str and _LIKE_OTHERS.fullmatch(value):
            yield *path, name
        elif not isinstance(kind, str) and type(value) is dict:
            yield from _ambiguous_in(value, kind, (*path, name))


class _Objects:
    """Counts objects by their keys and the types of their values: few of them differ."""

    def __init__(self) -> None:
        self._shapes: Counter[tuple[tuple[str, ...], tuple[type, ...]]] = Counter()
        self._members: dict[str, _Objects] = {}

    def add(self, found: Mapping[str, Any], depth: int) -> None:
        types = tuple(map(type, found.values()))
        self._shapes[tuple(found), types] += 1
        if dict in types and depth < _MAX_DEPTH:
            for name, value in found.items():
                if type(value) is dict and value:
                    self._members.setdefault(name, _Objects()).add(value, depth + 1)

    def fields(self) -> dict[str, _Field]:
        fields: dict[str, _Field] = {}
        for (names, types), count in self._shapes.items():
            for name, kind in zip(names, types, strict=True):
                if kind is not type(None):
                    fields.setdefault(name, _Field()).types[_TYPES[kind]] += count
        for name, members in self._members.items():
            noted, count = fields[name], members._shapes.total()
            noted.members = members.fields()
            noted.types["JSON"] -= count
            noted.types[_STRUCT] += count
        return fields


def _leaves(fields: Mapping[str, _Field], path: tuple[str, ...]) -> Iterator[_Leaf]:
    """Yield what columns there could be. Names of columns are the same in upper and lower case: the first gets it."""
    used = set() if path else {TIME}
    for name, noted in sorted(fields.items(), key=lambda item: (-item[1].types.total(), item[0])):
        if name.lower() in used or not _NAME.fullmatch(name):
            continue
        used.add(name.lower())
        kind, count = max(noted.types.items(), key=lambda item: (item[1], item[0]))
        members = list(_leaves(noted.members, (*path, name))) if kind == _STRUCT else []
        yield from members or [_Leaf((*path, name), "JSON" if kind == _STRUCT else kind, count)]


def _place(columns: dict[str, Any], leaf: _Leaf) -> None:
    for name in leaf.path[:-1]:
        columns = columns.setdefault(name, {})
    columns[leaf.path[-1]] = leaf.type


def fit(document: str, columns: Columns) -> Fitted:
    """Divide a document into what columns hold and the rest."""
    loaded = _load(document)
    if loaded is None or _repeats_key(document):
        return Fitted("{}", WHOLE + document)
    held: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, text in _texts(document).items():
        fits = name in columns and _fits(loaded[name], text, columns[name])
        (held if fits else rest)[name] = text
    return Fitted(_object(held), _object(rest) if rest else None)


def fields_in(rest: str) -> set[str] | None:
    """Return the fields in a ``rest``; None if it is a whole document, which may have any."""
    return None if rest.startswith(WHOLE) else set(_texts(rest))


def _texts(document: str | bytes) -> dict[str, str]:
    """Return the members of an object, each as its text."""
    return {name: bytes(text).decode() for name, text in _members.decode(document).items()}


def _object(members: Mapping[str, str]) -> str:
    """Return an object of JSON texts; `TIME` comes first, so that SQL sees whether it is there."""
    names = sorted(members, key=lambda name: (name != TIME, name))
    return "{" + ",".join(f"{orjson.dumps(name).decode()}:{members[name]}" for name in names) + "}"


def _parse(document: str | bytes) -> dict[str, Any] | None:
    """Return a document; None if it is not an object."""
    try:
        found = orjson.loads(document)
    except (orjson.JSONDecodeError, UnicodeEncodeError, RecursionError):
        return None
    return found if type(found) is dict else None


def _load(document: str) -> dict[str, Any] | None:
    """Return a document; None if it is not an object, or not valid JSON to both of our parsers."""
    try:
        _members.decode(document)  # has other bounds of depth
    except (UnicodeEncodeError, msgspec.MsgspecError, RecursionError):
        return None
    return _parse(document)


def _repeats_key(document: str) -> bool:
    """Return whether an object in a document has a key twice; also if it is nested too deep to know."""
    repeated = False

    def check(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({name for name, _ in pairs}) < len(pairs)

    try:
        json.loads(document, object_pairs_hook=check, parse_int=str)
    except (ValueError, RecursionError):
        return True
    return repeated


def _fits(value: Any, text: str, kind: Type) -> bool:
    """Return whether a column can hold a value, given also as its text, as it came."""
    if not isinstance(kind, str):
        if type(value) is not dict:
            return False
        texts = _texts(text)
        return all(name in kind and _fits(value[name], texts[name], kind[name]) for name in texts)
    if kind in TIME_FORMS:
        return _time_type(value) == kind
    if value is None or _TYPES[type(value)] != kind:
        return False
    return kind == "VARCHAR" or _all_plain(text)


def _all_plain(text: str) -> bool:
    """Return whether all numbers in a JSON text are written as their values are, and have at most 64 bits."""
    plain = True

    def check_int(number: str) -> None:
        nonlocal plain
        plain = plain and number != "-0" and len(number) < 20 and -_MAX_INT <= int(number) <= _MAX_INT

    def check_float(number: str) -> None:
        nonlocal plain
        written = orjson.dumps(float(number)).decode()
        plain = plain and number == written and "e" not in written

    json.loads(text, parse_int=check_int, parse_float=check_float)
    return plain


def _time_type(value: Any) -> str:
    """Return the type of `TIME` that can hold a time as it is written."""
    form = _time_form(value)
    return form if form != "VARCHAR" and _is_second(value[:19]) else "VARCHAR"


def _time_form(value: Any) -> str:
    """Return the type of `TIME` for times that look like this; some are none, as those of February 30."""
    if type(value) is str:
        for kind, pattern in _TIME_TEXTS.items():
            if pattern.fullmatch(value):
                return kind
    return "VARCHAR"


def _is_second(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
