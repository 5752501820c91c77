"""Requests to Elasticsearch's ``_bulk``, as a server reads and answers them.

Follows https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk. Only documents are taken in: the
actions ``index`` and ``create``. An action has a result of its own, so a bad one does not stop the others.

A document that is taken in becomes a line: what its action says, a tab, the document. See ``metadata_of``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

MAX_LINES = 1_000_000
"""Of a request, two for each document: each takes 350 bytes of memory until the request is answered."""

_RESULTS = 1000
"""How many results are joined at a time: joined at once, all of them would be there twice more."""

_NAMES = ("index", "create", "update", "delete")
_DONE = b'"_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1'


class _Nothing(msgspec.Struct, gc=False):
    """An object of which nothing is kept: it is only checked, which takes a quarter of the time."""


class _Given(msgspec.Struct, gc=False):
    """What an action says of its document, as far as it is looked at."""

    index_name: str | int | None = msgspec.field(name="_index", default=None)
    id: str | int | None = msgspec.field(name="_id", default=None)


_decode_action = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_check_json = msgspec.json.Decoder(_Nothing).decode
_decode_given = msgspec.json.Decoder(_Given).decode
_decode_metadata = msgspec.json.Decoder(dict[str, Any]).decode
_BLANKS = bytes.maketrans(b"\t\r", b"  ")
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BulkError(ValueError):
    """The request as a whole cannot be read; status 400."""


class TooManyLinesError(ValueError):
    """The request has more lines than are allowed; status 413."""


class BulkAction(NamedTuple):
    """One document of a request."""

    name: str
    """``index`` or ``create``, or that of an action that is refused."""
    index_name: str
    id: str
    """Empty if the client leaves it to the server."""
    line: bytes
    """The document with its metadata, without a line end; of a refused one as it came."""
    error: str = ""
    """Why it is refused: a sentence."""
    kept: bool = False
    """Whether a refused one is a document that would be lost."""


class _Metadata(NamedTuple):
    """A line with an action."""

    name: str
    index_name: str
    id: str
    prefix: bytes


def parse_bulk(body: bytes, index: str = "", max_bytes: int = 1 << 20) -> list[BulkAction]:
    """Return the actions of a request.

    Args:
        body: Lines; empty ones between actions are skipped.
        index: For actions that name none.
        max_bytes: Longest document with its metadata; longer ones are refused.

    Raises:
        BulkError: A line that should be an action is none, so that it is not known what the lines after it are.
        TooManyLinesError: There are more than ``MAX_LINES``.
    """
    if (count := body.count(b"\n")) > MAX_LINES:
        raise TooManyLinesError(f"the request has {count:,} lines: at most {MAX_LINES:,} are allowed; send it in parts")
    actions: list[BulkAction] = []
    known: dict[bytes, _Metadata] = {}
    lines = enumerate(body.split(b"\n"), 1)
    for number, text in lines:
        if not text.strip():
            continue
        if (metadata := known.get(text)) is None:
            metadata = _metadata(text, index, number)
            if not metadata.id:
                known[text] = metadata
        if metadata.name == "delete":
            actions.append(BulkAction(*metadata[:3], b"", "documents cannot be deleted here"))
            continue
        _, document = next(lines, (0, b""))
        if not document.strip():
            raise BulkError(f"the action in line {number} has no document")
        actions.append(_action(metadata, document, max_bytes))
    return actions


def _action(metadata: _Metadata, document: bytes, max_bytes: int) -> BulkAction:
    name, index, id_, prefix = metadata
    text = document.strip()
    if name == "update":
        return BulkAction(name, index, id_, text, "documents cannot be updated here: send them with index or create")
    if not (text.startswith(b"{") and text.endswith(b"}") and _is_json(text)):
        return BulkAction(name, index, id_, text, "the document is not a JSON object", kept=True)
    if len(prefix) + len(text) > max_bytes:
        error = f"the document is too long: {len(text)} of {max_bytes} bytes allowed (max_line_bytes)"
        return BulkAction(name, index, id_, text, error, kept=True)
    return BulkAction(name, index, id_, prefix + text)


def _is_json(text: bytes) -> bool:
    """Return whether the codec can read a text: also with NaN, lone surrogates and bytes that are not UTF-8."""
    try:
        _check_json(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            json.loads(text.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return False
    return True


def _metadata(text: bytes, index: str, number: int) -> _Metadata:
    try:
        [(name, given_raw)] = _decode_action(text).items()
        given, raw = _decode_given(given_raw), bytes(given_raw)
    except (*_ERRORS, ValueError):
        raise BulkError(f"malformed action in line {number}: it is not a JSON object with one action") from None
    if name not in _NAMES:
        raise BulkError(f"malformed action in line {number}: there is no action {name!r}")
    id_ = "" if given.id is None else str(given.id)
    if (given.index_name is None and index) or b"null" in raw:
        prefix = _completed(name, raw, index)
    else:  # the text as it came, which takes a third of the time
        inner = raw[1:-1].translate(_BLANKS).strip()
        prefix = b'{"action":"%b"%b%b}\t' % (name.encode(), b"," if inner else b"", inner)
    return _Metadata(name, index if given.index_name is None else str(given.index_name), id_, prefix)


def _completed(name: str, raw: bytes, index: str) -> bytes:
    """Return what goes before a document, with the index of the path and without what is null."""
    found = {"action": name, **({"_index": index} if index else {})}
    found |= {key: value for key, value in _decode_metadata(raw).items() if value is not None}
    return msgspec.json.encode(found) + b"\t"


def single(name: str, index: str, id_: str, document: bytes, max_bytes: int = 1 << 20) -> BulkAction:
    """Return the action of a request for one document, whose body it is; line ends in it become spaces."""
    found = {"action": name, "_index": index} | ({"_id": id_} if id_ else {})
    text = document.replace(b"\r", b" ").replace(b"\n", b" ")
    return _action(_Metadata(name, index, id_, orjson.dumps(found) + b"\t"), text, max_bytes)


class MetadataReader:
    """Splits lines of documents; what the actions of a batch have in common is decoded once."""

    def __init__(self) -> None:
        self._last, self._metadata = b"", dict[str, Any]()

    def split(self, line: bytes) -> tuple[dict[str, Any], bytes]:
        """Return what the action of a line says, not to be changed, and the document.

        A line that no request brought, as one that a user wants traced, is a document alone.
        """
        text, tab, document = line.partition(b"\t")
        if not tab or not text.startswith(b'{"action":'):
            return {}, line
        if text != self._last:
            try:
                self._metadata, self._last = _decode_metadata(text), text
            except _ERRORS:
                return {}, line
        return self._metadata, document


def results(actions: Sequence[BulkAction], ids: Sequence[str], took_ms: int) -> bytes:
    """Return the answer: a result for each action.

    Args:
        actions: Of the request.
        ids: The ids of their documents.
        took_ms: How long it took.
    """
    failed = b"true" if any(action.error for action in actions) else b"false"
    parts = [
        b",".join(map(_result, actions[start : start + _RESULTS], ids[start : start + _RESULTS]))
        for start in range(0, len(actions), _RESULTS)
    ]
    parts[:1] = [b'{"took":%d,"errors":%b,"items":[%b' % (took_ms, failed, b"".join(parts[:1]))]
    parts[-1] += b"]}"
    return b",".join(parts)


def _result(action: BulkAction, id_: str) -> bytes:
    index, text = orjson.dumps(action.index_name), orjson.dumps(id_)
    name = action.name.encode()
    if not action.error:
        return b'{"%b":{"_index":%b,"_id":%b,%b,"status":201}}' % (name, index, text, _DONE)
    kind = b"mapper_parsing_exception" if action.kept else b"illegal_argument_exception"
    error = b'{"type":"%b","reason":%b}' % (kind, orjson.dumps(action.error))
    return b'{"%b":{"_index":%b,"_id":%b,"status":400,"error":%b}}' % (name, index, text, error)


def single_result(action: BulkAction, id_: str) -> bytes:
    """Return the answer to a request for one document that was taken in."""
    return b'{"_index":%b,"_id":%b,%b}' % (orjson.dumps(action.index_name), orjson.dumps(id_), _DONE)


def error_body(status: int, kind: str, reason: str) -> bytes:
    """Return an error as Elasticsearch writes it."""
    cause = {"type": kind, "reason": reason}
    return orjson.dumps({"error": {"root_cause": [cause], **cause}, "status": status})
