"""SQL texts that the other modules are made of: literals, and fields taken out of a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ingestd.event.fields import parse_path

PLAIN = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
"""Text that JSON writes as it is, unless it escapes what needs none."""

_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_REPLACEMENT = r"\\ufffd"  # RE2 takes the first backslash away


def text(value: str) -> str:
    """Return a string as an SQL literal."""
    quoted = "'" + value.replace("'", "''") + "'"
    return quoted if "\0" not in value else "(" + quoted.replace("\0", "' || chr(0) || '") + ")"


def one_of(operand: str, values: Iterable[str]) -> str:
    """Return the test that an expression is one of some texts."""
    literals = [text(value) for value in values]
    return f"{operand} = {literals[0]}" if len(literals) == 1 else f"{operand} IN ({', '.join(literals)})"


def places(field: str) -> list[tuple[str, ...]]:
    """Return where a field may be: ``[a][b]`` is there, ``a.b`` is the field of this name or ``[a][b]``.

    Raises:
        FieldError: The brackets do not pair.
    """
    path = parse_path(field)
    parts = tuple(field.split("."))
    if len(path) == 1 and "[" not in field and len(parts) > 1 and all(parts):
        return [path, parts]
    return [path]


def extract(paths: Sequence[tuple[str, ...]], function: str = "json_extract") -> str:
    """Return the values at several places of the column ``doc``, a list of JSON; NULL if that is no JSON.

    DuckDB takes a lone surrogate for broken JSON; such a document is read with U+FFFD in its place.
    """
    pointers = ["".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path) for path in paths]
    what = "[" + ", ".join(map(text, pointers)) + "]"
    mended = f"regexp_replace(doc, {text(_SURROGATE)}, {text(_REPLACEMENT)}, 'g')"
    return f"coalesce(TRY({function}(doc, {what})), TRY({function}({mended}, {what})))"


def mention(needles: Iterable[str], escape: str = "\\u", document: str = "doc") -> str:
    """Return the test that the document's text has one of ``needles``, or an escape that could hide one.

    ``contains`` on the raw text costs next to nothing beside reading JSON: conditions bring, where one exists,
    such a test that every matching document passes.
    """
    tests = [f"contains({document}, {text(needle)})" for needle in needles]
    return "(" + " OR ".join([*tests, f"contains(doc, {text(escape)})"]) + ")"
