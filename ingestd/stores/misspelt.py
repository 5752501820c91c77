"""Why a query finds nothing: what it names does not exist, with what was probably meant, or was not searched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ingestd.event.jsontext import NotJsonError, loads
from ingestd.stores.base import LogStore
from ingestd.stores.known_fields import LEVEL_FIELDS, LEVELS
from ingestd.stores.query import (
    INDEX_FIELD,
    And,
    Condition,
    Equal,
    Exists,
    Like,
    Not,
    Or,
    Query,
    Range,
    names_index,
)
from ingestd.suggest import did_you_mean

_SAMPLE = 200
"""Events whose fields are suggested."""

_MAX_CHECKED = 20


def misspelt(store: LogStore, condition: Condition | None, also: Sequence[str] = ()) -> list[str]:
    """Return a sentence for each field, level and index that does not exist, of a query that found nothing.

    Args:
        store: Any store.
        condition: That of the query.
        also: Further fields that were asked for.

    Raises:
        StoreError: The store does not answer.
    """
    leaves = list(_leaves(condition))
    fields = dict.fromkeys([*also, *(leaf.field for leaf in leaves)])
    always = {"@timestamp", INDEX_FIELD}
    indices = tuple(leaf for leaf in leaves if leaf.field == INDEX_FIELD)
    where: tuple[Condition, ...] = (Or(indices),) if indices else ()
    checked = [name for name in fields if name not in always][:_MAX_CHECKED]
    unknown = _asked_alone([name for name in checked if not _any(store, *where, Exists(name))], fields)
    known = _known_fields(store, *where) if unknown else set()
    sentences = [_unknown_field(name, known) for name in unknown]
    levels = dict.fromkeys(leaf.value for leaf in leaves if isinstance(leaf, Equal) and leaf.field == "level")
    for level in levels:
        if level.upper() not in LEVELS and "level" not in unknown and not _any(store, *where, Equal("level", level)):
            sentences.append(f"no event has the level {level}{_suggestion(level.upper(), LEVELS)}")
    asked = dict.fromkeys(leaf.value for leaf in leaves if isinstance(leaf, Equal) and leaf.field == INDEX_FIELD)
    names = [info.index for info in store.indices()] if asked else []
    sentences += [f"there is no index {name}{_suggestion(name, names)}" for name in asked if name not in names]
    return sentences


def _asked_alone(unknown: Sequence[str], asked: Collection[str]) -> list[str]:
    """Return the fields that do not exist without those that were asked for as another name of the level."""
    first = next((name for name in LEVEL_FIELDS if name in asked and name not in unknown), LEVEL_FIELDS[0])
    others = {name for name in LEVEL_FIELDS if name != first and first in asked}
    return [name for name in unknown if name not in others]


def not_searched(store: LogStore, condition: Condition | None) -> list[str]:
    """Return a sentence if a query left out indices that were restored under another name.

    Raises:
        StoreError: The store does not answer.
    """
    indices = [info.index for info in store.indices() if info.restored_from]
    left_out = [index for index in indices if not names_index(condition, index)]
    if not left_out:
        return []
    number = "an index" if len(left_out) == 1 else f"{len(left_out)} indices"
    example = left_out[0]
    return [f"not searched: {number} restored under another name; to search such an index, name it: _index:{example}"]


def _leaves(condition: Condition | None) -> Iterator[Equal | Like | Range | Exists]:
    """Yield the parts of a condition that name a field, but not what is excluded."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)
        case Equal() | Like() | Range() | Exists():
            yield condition
        case Not() | _:
            return


def _unknown_field(name: str, known: set[str]) -> str:
    if name in known:  # a server keeps fields beyond its limit, but does not index them
        return f"events have a field {name} which the server did not index; for the reason: ingestd doctor"
    return f"no event has a field {name}{_suggestion(name, known)}"


def _any(store: LogStore, *conditions: Condition) -> bool:
    return next(iter(store.search(Query(condition=And(conditions)), 1)), None) is not None


def _known_fields(store: LogStore, *conditions: Condition) -> set[str]:
    """Return the fields of the newest events that have a value; those of an object as ``a.b``."""
    found: set[str] = set()
    for hit in store.search(Query(condition=And(conditions)), _SAMPLE):
        try:
            found.update(_names(loads(hit.document)))
        except NotJsonError:
            continue
    return found


def _names(event: object, prefix: str = "") -> Iterator[str]:
    if isinstance(event, dict):
        for name, value in event.items():
            if value not in (None, [], {}):
                yield prefix + name
            yield from _names(value, f"{prefix}{name}.")


def _suggestion(word: str, candidates: Iterable[str]) -> str:
    meant = did_you_mean(word, candidates)
    return f"; did you mean {meant}?" if meant and meant != word else ""
