"""The documents of records: their text without what filters changed, the text of what they added, or both decoded.

``UNSET`` stands for a field that is absent: see ``table.ABSENT``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, dumps, loads, without_member


def cut_member(records: list[bytes], positions: Sequence[int], name: str) -> list[int]:
    """Cut a member out of some records, those that are text, and return the positions of those where that failed."""
    positions = [position for position in positions if records[position]]
    failed = []
    texts = without_member([records[position] for position in positions], name) if positions else ()
    for position, text in zip(positions, texts, strict=True):
        if text is None:
            failed.append(position)
        else:
            records[position] = text
    return failed


def document(event: Event) -> bytes:
    """Return an event as JSON without ``@metadata``. It is copied: orjson leaves each text a buffer of 4 KB or more."""
    if "@metadata" in event:
        event = event.copy()
        del event["@metadata"]
    return b"%b" % dumps(event)


def patched(raw: bytes, event: Event, decoded: Event) -> Event:
    """Return a record with all its fields.

    Args:
        raw: Its text, without the last brace.
        event: Its fields that were decoded, as filters left them.
        decoded: The same, as they were decoded.
    """
    try:
        full: Event = loads(raw + b"}")
    except NotJsonError:  # a field that was not decoded before is nested too deeply
        full = decoded | {"message": (raw + b"}").decode("utf-8", "replace"), "tags": ["_jsonparsefailure"]}
    for name in decoded.keys() - event.keys():
        full.pop(name, None)
    full.update(event)
    return full


def set_all(events: Sequence[Event], name: str, column: Sequence[Any]) -> None:
    """Set a field in events, or remove it where ``column`` has ``UNSET``."""
    if UnsetType not in {*map(type, column)}:
        for event, value in zip(events, column, strict=True):
            event[name] = value
        return
    for event, value in zip(events, column, strict=True):
        if value is UNSET:
            event.pop(name, None)
        else:
            event[name] = value


def encode_additions(names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> list[bytes]:
    """Return n objects of JSON, each without its first brace: those of the fields ``names`` that are not absent."""
    try:
        return (b"\n" + _encode_lines([*map(_object(names), *columns)])[:-1]).split(b"\n{")[1:]
    except (TypeError, ValueError, RecursionError):  # a lone surrogate, or nested too deeply
        rows = zip(*columns, strict=True)
        return [
            dumps({name: value for name, value in zip(names, row, strict=True) if value is not UNSET})[1:]
            for row in rows
        ]


_encode_lines = msgspec.json.Encoder().encode_lines


@lru_cache(1024)
def _object(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return a class of objects with these fields; it is made and encoded faster than a dict."""
    attributes = {f"f{number}": name for number, name in enumerate(names)}
    fields = [(attribute, Any, UNSET) for attribute in attributes]
    return msgspec.defstruct("Additions", fields, rename=attributes, gc=False)
