"""The ``_bulk`` protocol of Elasticsearch and OpenSearch: request bodies out, one result per document in.

Follows the Bulk API pages of both servers. Observed on Elasticsearch 8.19 and 9.5 and OpenSearch 3.8:
with `FILTER_PATH` every document keeps its position in ``items``, so a failure is identified by position, and a
response without errors takes 28 bytes per document and is not parsed. (If only errors are requested, the servers
omit successful documents, and the positions are lost.)
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

FILTER_PATH = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
"""Value of the query parameter ``filter_path`` that `parse_response` requires in the request."""

ACTION_SUFFIX = b'"}}'
"""What follows a plain id after `action_prefix`; then the line ends."""

MAX_REASON_CHARS = 1000  # a reason quotes part of the document, which the dead letter has anyway

# The document is fine but its index or node is not, whatever the status: OpenSearch blocks the creation of indices
# with 403 while a disk is full.
RETRY_TYPES = frozenset({"es_rejected_execution_exception", "cluster_block_exception"})

# The index of a new day fails with 400 if the cluster is at its shard limit (`cluster.max_shards_per_node`).
SHARD_LIMIT_TYPE = "validation_exception"
SHARD_LIMIT_REASON = "shards open"

SECURITY_TYPE = "security_exception"

WRONG_VERSION_REASONS = ("type is missing", "no handler found for uri")
"""What Elasticsearch 6 says of documents without a mapping type, and newer versions of a path that names one."""


class BulkVerdict(enum.Enum):
    """The outcome of a whole request."""

    ITEMS = "items"
    """Every document has its own result."""
    RETRY = "retry"
    """Nothing is known to be stored: send everything again, later. Safe with ``create`` and our own ids."""
    PAUSE = "pause"
    """The account or the path is rejected, so every request will be: log an error, retry rarely."""
    SPLIT = "split"
    """Too large, or one document breaks the request: send it in halves. A single document is rejected."""


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """A document that the server rejects permanently. ``position`` counts from 0 within the request."""

    position: int
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The outcome of one request of n documents.

    With ``BulkVerdict.ITEMS``, ``delivered + len(retry) + len(rejected) == n``. With any other verdict
    all of them are still to be delivered, and the three are empty.

    Attributes:
        verdict: The outcome of the request.
        delivered: Stored documents, including ``duplicates``.
        duplicates: Positions of those that existed already (409 on our own id) or, of a delete, did not, ascending.
        retry: Positions to send again, ascending.
        rejected: Rejected documents, by ascending position.
        reason: The first reason for a retry, or that of the whole request; empty if none.
    """

    verdict: BulkVerdict
    delivered: int = 0
    duplicates: tuple[int, ...] = ()
    retry: tuple[int, ...] = ()
    rejected: tuple[RejectedDocument, ...] = ()
    reason: str = ""


class _Error(msgspec.Struct):
    type: Any = ""
    reason: Any = ""
    caused_by: Any = None


class _Item(msgspec.Struct):
    status: int
    error: _Error | str | None = None


class _Response(msgspec.Struct):
    errors: bool
    items: list[dict[str, _Item]]


_decode_response = msgspec.json.Decoder(_Response).decode


def action_line(action: str, index: str, document_id: str | None = None, **metadata: str | int) -> bytes:
    """Return one action line with its line end; ``metadata`` is ``routing``, ``pipeline``, ``version`` ...

    Any text is safe here. For many plain ids on one index, `action_prefix` is ten times cheaper.
    """
    target: dict[str, str | int] = {"_index": index}
    if document_id is not None:
        target["_id"] = document_id
    return orjson.dumps({action: target | metadata}) + b"\n"


def action_prefix(action: str, index: str, **metadata: str | int) -> bytes:
    """Return an action line up to its id: ``action_prefix(...) + id + ACTION_SUFFIX`` is the line without its line end.

    The id must then be plain: printable ASCII without ``"`` and backslash.
    """
    return action_line(action, index, None, **metadata)[:-3] + b',"_id":"'


def bulk_body(parts: Sequence[tuple[Sequence[bytes], Sequence[bytes]]]) -> bytes:
    """Return the body of one request, joined from parts: n action lines and their n documents, without line ends.

    Raises:
        ValueError: A part has different numbers of lines and documents.
    """
    lines: list[bytes] = [b""] * (2 * sum(len(documents) for _, documents in parts) + 1)
    at = 0
    for actions, documents in parts:
        end = at + 2 * len(documents)
        lines[at:end:2] = actions
        lines[at + 1 : end : 2] = documents
        at = end
    return b"\n".join(lines)


def spliced_body(actions: Sequence[bytes], pieces: Sequence[Sequence[bytes]]) -> bytes:
    """Return the body of one request, joined from n action lines and the pieces of their documents.

    Args:
        actions: Each with a line end before and after it.
        pieces: Columns of n texts: the first pieces of all documents, their second ones ...

    Raises:
        ValueError: There are not n of each.
    """
    width = len(pieces) + 1
    parts = [b"\n"] * (width * len(actions) + 1)
    for number, column in enumerate((actions, *pieces)):
        parts[number:-1:width] = column
    parts[0] = parts[0][1:]
    return b"".join(parts)


def parse_response(status: int, body: bytes, count: int) -> BulkResult:
    """Parse the response to a request of ``count`` documents.

    Args:
        status: HTTP status.
        body: The whole body; a response without `FILTER_PATH` is accepted as well, but has to be
            parsed.
        count: Documents in the request, at least 1.

    Never raises: a response that cannot be parsed is a retry, with the reason.
    """
    if status == 200:
        if body.startswith(b'{"errors":false') and body.count(b'"status":20') == count:
            return BulkResult(BulkVerdict.ITEMS, delivered=count)
        return _read_items(body, count)
    reason = whole_reason(status, body)
    if status == 413:
        return BulkResult(BulkVerdict.SPLIT, reason=reason)
    if status == 400 and any(text in reason for text in WRONG_VERSION_REASONS):
        return BulkResult(BulkVerdict.PAUSE, reason=reason)
    if status == 400:  # an id that is too long, an action that is not JSON: the other documents are fine
        return BulkResult(BulkVerdict.SPLIT, reason=reason)
    if status == 429 or status >= 500 or any(name in reason for name in RETRY_TYPES):
        return BulkResult(BulkVerdict.RETRY, reason=reason)
    return BulkResult(BulkVerdict.PAUSE, reason=reason)


def whole_reason(status: int, body: bytes) -> str:
    """Return ``HTTP <status>: <type>: <reason>`` of a response that is an error as a whole."""
    try:
        error = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        text = body[:200].decode("utf-8", "replace").strip()
    else:
        text = _text(error)
    return f"HTTP {status}: {text}" if text else f"HTTP {status}"


def _read_items(body: bytes, count: int) -> BulkResult:
    try:
        response = _decode_response(body)
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
    ) as error:  # also a ValidationError: not the response of a _bulk request
        return BulkResult(BulkVerdict.RETRY, reason=f"the response cannot be parsed: {error}")
    if len(response.items) != count or not all(len(entry) == 1 for entry in response.items):
        return BulkResult(
            BulkVerdict.RETRY, reason=f"the response has {len(response.items)} items for {count} documents"
        )
    duplicates: list[int] = []
    retry: list[int] = []
    rejected: list[RejectedDocument] = []
    first_reason = ""
    for position, entry in enumerate(response.items):
        ((action, item),) = entry.items()
        status = item.status
        if 200 <= status < 300:
            continue
        if _is_done_already(action, item):
            duplicates.append(position)
        elif _is_temporary(item) or status == 409:  # an update that met another one
            retry.append(position)
            first_reason = first_reason or _item_reason(item)
        else:
            rejected.append(RejectedDocument(position, status, _item_reason(item)))
    if len(rejected) == count and all(
        _error_type(next(iter(entry.values()))) == SECURITY_TYPE for entry in response.items
    ):
        return BulkResult(BulkVerdict.PAUSE, reason=rejected[0].reason)  # the account has no permissions at all
    delivered = count - len(retry) - len(rejected)
    return BulkResult(BulkVerdict.ITEMS, delivered, tuple(duplicates), tuple(retry), tuple(rejected), first_reason)


def _is_done_already(action: str, item: _Item) -> bool:
    """Return whether a document exists already, or in a later version, or is deleted already."""
    if action == "delete" and item.status == 404 and item.error is None:
        return True
    return item.status == 409 and action != "update"


def _is_temporary(item: _Item) -> bool:
    """Return whether the document is fine, and only its node, index or cluster is not."""
    kind = _error_type(item)
    full = kind == SHARD_LIMIT_TYPE and isinstance(item.error, _Error) and SHARD_LIMIT_REASON in str(item.error.reason)
    return item.status == 429 or item.status >= 500 or kind in RETRY_TYPES or full


def _error_type(item: _Item) -> Any:
    return item.error.type if isinstance(item.error, _Error) else ""


def _item_reason(item: _Item) -> str:
    error = msgspec.to_builtins(item.error) if isinstance(item.error, _Error) else item.error
    return _text(error) or f"status {item.status}"


def _text(error: Any) -> str:
    """Return the type, the reason and the first cause of an error in one line."""
    if not isinstance(error, dict):
        return str(error or "")[:MAX_REASON_CHARS]
    parts = [str(error[key]) for key in ("type", "reason") if error.get(key)]
    cause = error.get("caused_by")
    if isinstance(cause, dict) and cause.get("reason"):
        parts.append(f"caused by {cause['reason']}")
    return ": ".join(parts).replace("\n", " ")[:MAX_REASON_CHARS]
