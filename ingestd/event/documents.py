"""The documents of records: their text without what filters changed, and the text of what they added.

A value that is ``UNSET`` is none: see ``table.ABSENT``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps, without_member


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
    """Return the text of an event, in memory of its own size: orjson leaves each text a buffer of 4 KB and more."""
    if "@metadata" in event:
        event = event.copy()
        del event["@metadata"]
    return b"%b" % dumps(event)


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
