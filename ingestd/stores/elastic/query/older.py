"""Searches as Elasticsearch before 7.10 understands them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PARTS = re.compile(r"\\.|\[(?:\\.|[^\\\]])*\]|.", re.DOTALL)
"""Of a regular expression: an escaped character, a class in brackets, or any other character."""

MAX_STATES = 100_000
"""Of the automaton of a regular expression; the servers' own limit, 10,000, is low for texts with several gaps."""


def without_case_insensitive(clause: Any) -> Any:
    """Return a clause in which each wildcard and regular expression that ignores case spells out both cases."""
    if isinstance(clause, list):
        return [without_case_insensitive(part) for part in clause]
    if not isinstance(clause, dict):
        return clause
    if "wildcard" in clause:
        [(field, wildcard)] = clause["wildcard"].items()
        return _regexp(field, "".join(_regexp_parts(wildcard["value"]))) if _ignores_case(wildcard) else clause
    if "regexp" in clause:
        [(field, regexp)] = clause["regexp"].items()
        return _regexp(field, "".join(_both_cases(regexp["value"]))) if _ignores_case(regexp) else clause
    return {key: without_case_insensitive(part) for key, part in clause.items()}


def with_interval(aggs: Any) -> Any:
    """Return aggregations with ``interval`` in place of ``fixed_interval``."""
    if isinstance(aggs, list):
        return [with_interval(part) for part in aggs]
    if not isinstance(aggs, dict):
        return aggs
    return {"interval" if key == "fixed_interval" else key: with_interval(part) for key, part in aggs.items()}


def _ignores_case(options: dict[str, Any]) -> bool:
    return bool(options.get("case_insensitive"))


def _regexp(field: str, value: str) -> dict[str, Any]:
    return {"regexp": {field: {"value": value, "flags": "NONE", "max_determinized_states": MAX_STATES}}}


def _regexp_parts(wildcard: str) -> Iterator[str]:
    """Yield the parts of a regular expression: ``*`` and ``?`` are gaps unless a backslash precedes them."""
    chars = iter(wildcard)
    for char in chars:
        if char == "*":
            yield ".*"
        elif char == "?":
            yield "."
        else:
            yield _either_case(next(chars, "\\") if char == "\\" else char)


def _both_cases(regexp: str) -> Iterator[str]:
    """Yield the parts of a regular expression, with both cases of each letter that is not in brackets or escaped."""
    for part in _PARTS.findall(regexp):
        yield _either_case(part) if part.isalpha() else part


def _either_case(char: str) -> str:
    cases = sorted({case for case in (char, char.lower(), char.upper()) if len(case) == 1})
    if len(cases) > 1:
        return f"[{''.join(cases)}]"
    return char if char.isalnum() else f"\\{char}"
