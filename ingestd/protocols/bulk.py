"""The ``_bulk`` protocol of Elasticsearch and OpenSearch: bodies out, one verdict per document in.

Follows the Bulk API pages of both servers. What they really answer was looked at on Elasticsearch 8.19
and 9.5 and OpenSearch 3.8: with `FILTER_PATH` every document keeps its place in ``items``, so that a
failure is known by position, and a good answer costs 28 bytes a document and is never parsed. (Asked
for the errors alone, the servers leave good documents out, and the places are lost.)
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

FILTER_PATH = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
"""Value of the query parameter ``filter_path`` that `read_answer` expects of the request."""

ACTION_END = b'"}}'
"""What follows a plain id after `action_begin`; then the line ends."""

MAX_REASON_CHARS = 1000  # a reason quotes a piece of the document; a dead letter has the document anyway

# The item itself is sound and its index or node is not, whatever status these come with: OpenSearch blocks
# the creation of indices with 403 while a disk is full.
RETRY_TYPES = frozenset({"es_rejected_execution_exception", "cluster_block_exception"})

# A new day's index, with a cluster that has its fill of shards (`cluster.max_shards_per_node`), comes back with 400.
SHARD_LIMIT_TYPE = "validation_exception"
SHARD_LIMIT_REASON = "shards open"

SECURITY_TYPE = "security_exception"


class Verdict(enum.Enum):
    """What became of a whole request."""

    ITEMS = "items"
    """Every document has its own outcome."""
    RETRY = "retry"
    """Nothing is known to be stored: send all of it again, later. Harmless with ``create`` and own ids."""
    PAUSE = "pause"
    """The account or the path is refused, so every request will be: tell a human, try again seldom."""
    SPLIT = "split"
    """Too large, or one document spoils the request: send its halves. A single document is dead, with the reason."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A document that the server refuses for good. ``position`` counts from 0 within the request."""

    position: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The outcome of one request of n documents.

    With ``Verdict.ITEMS``, ``delivered + len(retry) + len(dead) == n``. With any other verdict all of
    them are still to be delivered, and the three are empty.

    Attributes:
        verdict: What became of the request.
        delivered: Documents that are stored, ``duplicates`` included.
        duplicates: Positions of those of them that were there already (409 on our own id), rising.
        retry: Positions to send again, rising.
        dead: Refused documents, by rising position.
        reason: The first reason for a retry, or that of the whole request; empty if there is none.
    """

    verdict: Verdict
    delivered: int = 0
    duplicates: tuple[int, ...] = ()
    retry: tuple[int, ...] = ()
    dead: tuple[Dead, ...] = ()
    reason: str = ""


class _Error(msgspec.Struct):
    type: Any = ""
    reason: Any = ""
    caused_by: Any = None


class _Item(msgspec.Struct):
    status: int
    error: _Error | str | None = None


class _Answer(msgspec.Struct):
    errors: bool
    items: list[dict[str, _Item]]


_decode_answer = msgspec.json.Decoder(_Answer).decode


def action_line(action: str, index: str, document_id: str | None = None, **metadata: str | int) -> bytes:
    """Return one action line with its line end; ``metadata`` is ``routing``, ``pipeline``, ``version`` ...

    Any text is safe here. For many plain ids on one index, `action_begin` is ten times cheaper.
    """
    target: dict[str, str | int] = {"_index": index}
    if document_id is not None:
        target["_id"] = document_id
    return orjson.dumps({action: target | metadata}) + b"\n"


def action_begin(action: str, index: str, **metadata: str | int) -> bytes:
    """Return an action line up to its id: ``action_begin(...) + id + ACTION_END`` is a whole one without its line end.

    The id must then be plain: printable ASCII without ``"`` and backslash.
    """
    return action_line(action, index, None, **metadata)[:-3] + b',"_id":"'


def bulk_body(parts: Sequence[tuple[Sequence[bytes], Sequence[bytes]]]) -> bytes:
    """Return the body of one request, joined out of parts: n action lines and their n documents, without line ends.

    Raises:
        ValueError: A part has more of the one than of the other.
    """
    lines: list[bytes] = [b""] * (2 * sum(len(documents) for _, documents in parts) + 1)
    at = 0
    for actions, documents in parts:
        end = at + 2 * len(documents)
        lines[at:end:2] = actions
        lines[at + 1 : end : 2] = documents
        at = end
    return b"\n".join(lines)


def read_answer(status: int, body: bytes, count: int) -> BulkResult:
    """Read the answer to a request of ``count`` documents.

    Args:
        status: HTTP status.
        body: The whole body; anything else than an answer to `FILTER_PATH` is understood as well,
            at the cost of a parse.
        count: Documents in the request, at least 1.

    Never raises: what cannot be understood is a retry, with the reason.
    """
    if status == 200:
        if body.startswith(b'{"errors":false') and body.count(b'"status":20') == count:
            return BulkResult(Verdict.ITEMS, delivered=count)
        return _read_items(body, count)
    reason = whole_reason(status, body)
    if status == 413:
        return BulkResult(Verdict.SPLIT, reason=reason)
    if status == 400:  # an id that is too long, an action that is not JSON: its neighbours are sound
        return BulkResult(Verdict.SPLIT, reason=reason)
    if status == 429 or status >= 500 or any(name in reason for name in RETRY_TYPES):
        return BulkResult(Verdict.RETRY, reason=reason)
    return BulkResult(Verdict.PAUSE, reason=reason)


def whole_reason(status: int, body: bytes) -> str:
    """Return ``HTTP <status>: <type>: <reason>`` of an answer that is an error as a whole."""
    try:
        error = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        text = body[:200].decode("utf-8", "replace").strip()
    else:
        text = _text(error)
    return f"HTTP {status}: {text}" if text else f"HTTP {status}"


def _read_items(body: bytes, count: int) -> BulkResult:
    try:
        answer = _decode_answer(body)
    except msgspec.DecodeError as error:  # also a ValidationError: not the answer of a _bulk
        return BulkResult(Verdict.RETRY, reason=f"the answer cannot be read: {error}")
    if len(answer.items) != count or not all(len(entry) == 1 for entry in answer.items):
        return BulkResult(Verdict.RETRY, reason=f"the answer has {len(answer.items)} items for {count} documents")
    duplicates: list[int] = []
    retry: list[int] = []
    dead: list[Dead] = []
    first_reason = ""
    for position, entry in enumerate(answer.items):
        (item,) = entry.values()
        status = item.status
        if 200 <= status < 300:
            continue
        if status == 409:
            duplicates.append(position)
        elif _can_heal(item):
            retry.append(position)
            first_reason = first_reason or _item_reason(item)
        else:
            dead.append(Dead(position, status, _item_reason(item)))
    if len(dead) == count and all(_error_type(next(iter(entry.values()))) == SECURITY_TYPE for entry in answer.items):
        return BulkResult(Verdict.PAUSE, reason=dead[0].reason)  # the account may do nothing at all
    delivered = count - len(retry) - len(dead)
    return BulkResult(Verdict.ITEMS, delivered, tuple(duplicates), tuple(retry), tuple(dead), first_reason)


def _can_heal(item: _Item) -> bool:
    """Return whether the document is sound, and only its node, index or cluster is not."""
    kind = _error_type(item)
    full = kind == SHARD_LIMIT_TYPE and isinstance(item.error, _Error) and SHARD_LIMIT_REASON in str(item.error.reason)
    return item.status == 429 or item.status >= 500 or kind in RETRY_TYPES or full


def _error_type(item: _Item) -> Any:
    return item.error.type if isinstance(item.error, _Error) else ""


def _item_reason(item: _Item) -> str:
    error = msgspec.to_builtins(item.error) if isinstance(item.error, _Error) else item.error
    return _text(error) or f"status {item.status}"


def _text(error: Any) -> str:
    """Put the type, the reason and the first cause of an error into one line."""
    if not isinstance(error, dict):
        return str(error or "")[:MAX_REASON_CHARS]
    parts = [str(error[key]) for key in ("type", "reason") if error.get(key)]
    cause = error.get("caused_by")
    if isinstance(cause, dict) and cause.get("reason"):
        parts.append(f"caused by {cause['reason']}")
    return ": ".join(parts).replace("\n", " ")[:MAX_REASON_CHARS]
