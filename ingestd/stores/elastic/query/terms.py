"""The values of a field for an aggregation ``terms``: of the field, or made of it by a script."""

from __future__ import annotations

from typing import Any

from ingestd.stores.elastic.query.mapping import FieldMapping, FieldType

_PATHS = """
def paths = new HashSet();
if (doc.containsKey(params.field)) {
  for (def value : doc[params.field]) {
    int end = value.indexOf('?');
    paths.add(end < 0 ? value : value.substring(0, end));
  }
}
return new ArrayList(paths);
"""
"""The values of a field without their query strings: neither server keeps them as a field of their own."""

NO_SCRIPTS = ("script_lang not supported", "cannot execute [inline] scripts")
"""What servers without scripts say."""


def terms_source(mapping: FieldMapping, *, paths: bool) -> dict[str, Any]:
    """Return what a ``terms`` aggregation counts: the values of a field, with ``paths`` without their query strings."""
    source: dict[str, Any] = {"field": mapping.name}
    if cuts_paths(mapping, paths=paths):
        source = {"script": {"source": _PATHS, "params": {"field": mapping.name}}}
    return source | ({"exclude": [""]} if mapping.type is FieldType.KEYWORD else {})


def cuts_paths(mapping: FieldMapping, *, paths: bool) -> bool:
    """Return whether the values are made by a script: others than texts have no query string."""
    return paths and mapping.type is FieldType.KEYWORD
