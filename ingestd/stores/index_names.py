"""Names of indices: which ones a store accepts, and the day in them."""

from __future__ import annotations

import datetime
import re

from ingestd.stores.base import InvalidIndexError

_DAY = re.compile(r"(\d{4})[.-](\d\d)[.-](\d\d)\Z", re.ASCII)
_MAX_BYTES = 255
_FORBIDDEN = set('\\/*?"<>| ,#:')


def check_index(index: str) -> None:
    """Reject an invalid index name, by the rules of Elasticsearch, so that both stores accept the same names.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create. Also rejected
    is a ``%{`` that is left over from a field the event does not have, as in Logstash.

    Raises:
        InvalidIndexError: The name is invalid.
    """
    check_target(index)
    if index[0] == ".":
        raise InvalidIndexError(index, "it starts with '.'")
    if forbidden := next((char for char in index if char in _FORBIDDEN), None):
        raise InvalidIndexError(index, f"{forbidden!r} is not allowed")
    if index != index.lower():
        raise InvalidIndexError(index, "it has capital letters")


def is_index(name: str) -> bool:
    """Return whether ``name`` is a valid index name, see ``check_index``."""
    try:
        check_index(name)
    except InvalidIndexError:
        return False
    return True


def check_target(name: str) -> None:
    """Reject what no server accepts as the target of a document.

    More than the names of indices are targets: aliases may have capital letters, system indices start with a dot, and
    ``<logs-{now/d}>`` is date math.

    Raises:
        InvalidIndexError: The name is invalid.
    """
    if not name:
        raise InvalidIndexError(name, "it is empty")
    if "%{" in name:
        raise InvalidIndexError(name, "a field in the name is missing in the event")
    if name[0] in "-_+" or name in {".", ".."}:
        raise InvalidIndexError(name, f"it starts with {name[0]!r}")
    forbidden = set() if name[0] == "<" and name[-1] == ">" else _FORBIDDEN
    if bad := next((char for char in name if char in forbidden or not char.isprintable()), None):
        raise InvalidIndexError(name, f"{bad!r} is not allowed")
    if len(name.encode()) > _MAX_BYTES:
        raise InvalidIndexError(name, f"it has more than {_MAX_BYTES} bytes")


def day_of(index: str) -> datetime.date | None:
    """Return the day that an index name ends with, None if it does not end with a day."""
    match = _DAY.search(index)
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
