"""Names of indices: which ones a store accepts, and the day in them."""

from __future__ import annotations

import datetime
import re

from ingestd.stores.base import InvalidIndexError

_DAY = re.compile(r"(\d{4})[.-](\d\d)[.-](\d\d)\Z", re.ASCII)
_FORBIDDEN = set('\\/*?"<>| ,#:')


def check_index(index: str) -> None:
    """Reject an invalid index name, by the rules of Elasticsearch, so that both stores accept the same names.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create. Also rejected
    is a ``%{`` that is left over from a field the event does not have, as in Logstash.

    Raises:
        InvalidIndexError: The name is invalid.
    """
    if not index:
        raise InvalidIndexError(index, "it is empty")
    if "%{" in index:
        raise InvalidIndexError(index, "a field in the name is missing in the event")
    if index[0] in ".-_+":
        raise InvalidIndexError(index, f"it starts with {index[0]!r}")
    if forbidden := next((char for char in index if char in _FORBIDDEN or not char.isprintable()), None):
        raise InvalidIndexError(index, f"{forbidden!r} is not allowed")
    if index != index.lower():
        raise InvalidIndexError(index, "it has capital letters")
    if len(index.encode()) > 255:
        raise InvalidIndexError(index, "it has more than 255 bytes")


def day_of(index: str) -> datetime.date | None:
    """Return the day that an index name ends with, None if it does not end with a day."""
    match = _DAY.search(index)
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
