"""Comparing documents."""

from __future__ import annotations

import json


def exact(document: str) -> object:
    """Return a document so that two are equal if all their values are: numbers as text, keys as often as they stand."""
    try:
        return json.loads(
            document,
            parse_int=lambda text: ("number", text),
            parse_float=lambda text: ("number", text),
            parse_constant=lambda text: ("constant", text, document),
            object_pairs_hook=lambda pairs: ("object", sorted(pairs, key=repr)),
        )
    except (ValueError, RecursionError):
        return ("text", document)
