"""Read all documents of an index, and write documents to one: for backups, restores and replays, not for searches."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ingestd.protocols.http.bulk import BulkVerdict, action_line, bulk_body, parse_response
from ingestd.stores.backups import BackupError, RepositoryUnavailableError
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.errors import ElasticError, ElasticUnavailable
from ingestd.stores.elastic.connection.event_loop_thread import EventLoopThread

_PAGE_HITS = 1000
_SCROLL_TIMEOUT = "5m"
_BODY_BYTES = 4 << 20
_TRIES = 8

_Action = tuple[bytes, bytes]
"""An action line and its document."""


class _Hit(msgspec.Struct):
    _id: str
    _source: msgspec.Raw


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Page(msgspec.Struct):
    _scroll_id: str
    hits: _Hits


_PAGE_DECODER = msgspec.json.Decoder(_Page)


def read_documents(client: ElasticClient, loop: EventLoopThread, index: str) -> Iterator[tuple[str, bytes]]:
    """Return the id and the document of each event of an index, byte for byte, in no order.

    Raises:
        StoreError: The server does not answer, or answers with an error.
    """
    body: dict[str, object] = {"size": _PAGE_HITS, "sort": ["_doc"], "query": {"match_all": {}}}
    path = f"/{quote_part(index)}/_search"
    params = {"scroll": _SCROLL_TIMEOUT}
    scroll = ""
    try:
        while True:
            with _store_errors():
                page = _PAGE_DECODER.decode(loop.run(client.search(path, body, params)))
            if not page.hits.hits:
                return
            yield from ((hit._id, bytes(hit._source)) for hit in page.hits.hits)
            scroll = page._scroll_id
            path, params, body = "/_search/scroll", {}, {"scroll": _SCROLL_TIMEOUT, "scroll_id": scroll}
    finally:
        if scroll:
            with contextlib.suppress(ElasticError):
                loop.run(client.api.clear_scroll(scroll_id=[scroll]))


def write_documents(
    client: ElasticClient,
    loop: EventLoopThread,
    index: str,
    documents: Iterable[tuple[str, bytes]],
    document_type: str = "",
) -> None:
    """Add documents to an index; documents with an id that it already has are left as they are.

    ``document_type``: the mapping type of the index, for a server that has types.

    Raises:
        StoreError: The server does not answer, or rejects one of them permanently.
    """
    batch: list[_Action] = []
    size = 0
    for document_id, document in documents:
        batch.append((action_line("create", index, document_id).rstrip(), document))
        size += sum(map(len, batch[-1]))
        if size >= _BODY_BYTES:
            _send(client, loop, batch, document_type)
            batch, size = [], 0
    if batch:
        _send(client, loop, batch, document_type)


def _send(client: ElasticClient, loop: EventLoopThread, batch: Sequence[_Action], document_type: str) -> None:
    """Send documents until the server has them all, with retries for a minute or two."""
    for attempt in range(_TRIES):
        actions, documents = zip(*batch, strict=True)
        with _store_errors():
            response = loop.run(client.bulk(bulk_body([(actions, documents)]), document_type=document_type))
        result = parse_response(response.status, response.body, len(batch))
        if result.rejected:
            raise BackupError(f"the server rejects a document: {result.rejected[0].reason}")
        if result.verdict is BulkVerdict.ITEMS:
            batch = [batch[position] for position in result.retry]
        elif result.verdict is BulkVerdict.SPLIT and len(batch) > 1:
            middle = len(batch) // 2
            _send(client, loop, batch[:middle], document_type)
            _send(client, loop, batch[middle:], document_type)
            return
        elif result.verdict is not BulkVerdict.RETRY:
            raise BackupError(f"the server rejects documents: {result.reason}")
        if not batch:
            return
        time.sleep(min(2**attempt * 0.2, 30))
    raise RepositoryUnavailableError(f"the server accepts no more documents: {result.reason}")


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except ElasticUnavailable as error:
        raise RepositoryUnavailableError(str(error)) from None
    except ElasticError as error:
        raise StoreError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"the server's response cannot be read: {error}") from None
