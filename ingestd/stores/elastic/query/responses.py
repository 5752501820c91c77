"""The answer to a search, and the cursor of a page: base64 of the sort values of its last hit."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import msgspec

from ingestd.stores.base import StoreError
from ingestd.stores.elastic.query.mapping import FieldMapping, FieldType


class SortKey(msgspec.Struct, array_like=True, frozen=True):
    """The sort values of a hit, and the documents with these values that were returned already."""

    time: int
    index: str
    number: int
    ids: tuple[str, ...] = ()

    def is_of(self, hit: SearchHit) -> bool:
        """Whether a hit has these sort values."""
        return hit.sort == (self.time, self.index, self.number)


class SearchHit(msgspec.Struct, kw_only=True):
    """A hit with its document undecoded, and the sort values of ``SORT`` in the store."""

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source")
    sort: tuple[int, str, int]


class Hits(msgspec.Struct):
    """The part ``hits`` of an answer."""

    hits: list[SearchHit] = []


class SearchAnswer(msgspec.Struct):
    """An answer to ``_search``; ``timed_out``: hits are missing."""

    hits: Hits
    timed_out: bool = False


ANSWER = msgspec.json.Decoder(SearchAnswer)
_SORT_KEY = msgspec.json.Decoder(SortKey)


def to_cursor(sort_key: SortKey) -> str:
    """Return the cursor of the page that follows ``sort_key``."""
    return base64.urlsafe_b64encode(msgspec.json.encode(sort_key)).decode().rstrip("=")


def parse_cursor(cursor: str) -> SortKey:
    """Return the sort key of a cursor; raises ValueError if it is none."""
    try:
        return _SORT_KEY.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:  # msgspec's errors and base64's are of this kind
        raise ValueError(f"{cursor!r} is not a cursor of this store") from None


T = TypeVar("T")
P = ParamSpec("P")


def with_usual_answers(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method raise StoreError where the server answers as neither Elasticsearch nor OpenSearch does."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except (KeyError, TypeError, AttributeError, IndexError, msgspec.DecodeError, UnicodeDecodeError) as error:
            text = "the server answers as neither Elasticsearch nor OpenSearch does; is something in between?"
            raise StoreError(f"{text} {error!r}") from error

    return call


def bucket_counts(bucket: Any, mapping: FieldMapping | None) -> Iterator[tuple[str, int]]:
    """Yield the values of the field in one bucket of time, and how many documents have them."""
    if mapping is None:
        yield "", bucket["doc_count"]
        return
    for value in bucket["values"]["buckets"]:
        key = bucket_value(value, mapping.type)
        yield str(key).lower() if isinstance(key, bool) else str(key), value["doc_count"]
    if bucket["none"]["doc_count"]:
        yield "", bucket["none"]["doc_count"]


def bucket_value(bucket: Any, field_type: FieldType) -> str | int | float | bool:
    """Return the value of a field that a bucket of an aggregation stands for."""
    key: str | int | float = bucket["key"]
    match field_type:
        case FieldType.BOOLEAN:
            return bool(key)
        case FieldType.INTEGER:
            return int(key)
        case FieldType.DATE:
            return str(bucket["key_as_string"])
    return key
