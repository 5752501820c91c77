"""The events that an audit finds in the indices, against those that were delivered."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ingestd.lifecycle.state import State
from ingestd.pipeline.audit import Account, IndexCount, delivered_to
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.index_names import day_of
from ingestd.stores.local.index.layout import index_folders, store_root
from ingestd.stores.local.sealing.inspection import inspector
from ingestd.stores.open import SERVER_OUTPUTS

_CLOSED = "index_closed_exception"


def index_counts(
    accounts: Iterable[Account],
    data_dir: Path,
    url: str | None = None,
    day: datetime.date | None = None,
    *,
    deep: bool = False,
) -> list[IndexCount]:
    """Return delivered and found events of each index of the built-in store, then of the server at ``url``.

    Indices of the built-in store to which nothing was delivered are in the result, too.

    Args:
        accounts: What was delivered.
        data_dir: The data folder.
        url: Also count the indices of this server.
        day: Only the indices of this day.
        deep: Compare the files of the built-in store with their checksums, and look for events that are there twice.

    Raises:
        StoreError: A store does not answer, or refuses.
        ValueError: The URL is wrong.
    """
    accounts = list(accounts)
    deleted = State.load(data_dir).deleted
    counts = _local_counts(_delivered(accounts, ("store",), day), deleted, data_dir, day, deep=deep)
    if url:
        counts += server_counts(_delivered(accounts, SERVER_OUTPUTS, day), url, deleted)
    return counts


def server_counts(delivered: Mapping[str, int], url: str, deleted: Mapping[str, int] | None = None) -> list[IndexCount]:
    """Return delivered and found events of each index of the server at ``url``.

    Args:
        delivered: Events that were delivered to each index.
        url: The server.
        deleted: Events that indices had when they were deleted before.

    Raises:
        StoreError: The server does not answer, or refuses.
        ValueError: The URL is wrong.
    """
    try:
        return asyncio.run(_elastic_counts(delivered, deleted or {}, url))
    except (ElasticUnavailable, ElasticResponseError) as error:
        raise StoreError(str(error)) from None


def _delivered(accounts: list[Account], plugins: Iterable[str], day: datetime.date | None) -> dict[str, int]:
    delivered = sum((delivered_to(accounts, plugin) for plugin in plugins), Counter[str]())
    return {index: number for index, number in sorted(delivered.items()) if day is None or day_of(index) == day}


def _local_counts(
    delivered: dict[str, int], deleted: dict[str, int], data_dir: Path, day: datetime.date | None, *, deep: bool
) -> list[IndexCount]:
    folders = {folder.index: folder for folder in index_folders(store_root(data_dir)) if day in (None, folder.day)}
    counts = []
    with inspector(deep=deep) as inspect:
        for index in sorted({*delivered, *folders}):
            number = delivered.get(index, 0)
            if index not in folders:
                counts.append(IndexCount(index, number, None))
                continue
            found = inspect(folders[index], delivered.get(index))
            count = IndexCount(index, number, found.events, deleted=deleted.get(index, 0))
            counts.append(count._replace(faults=tuple(found.faults), repeated=found.repeated))
    return counts


async def _elastic_counts(delivered: Mapping[str, int], deleted: Mapping[str, int], url: str) -> list[IndexCount]:
    async with ElasticClient(ElasticOptions(hosts=(url,))) as client:
        return [
            (await _index_count(client, index, number))._replace(deleted=deleted.get(index, 0))
            for index, number in delivered.items()
        ]


async def _index_count(client: ElasticClient, index: str, delivered: int) -> IndexCount:
    try:
        return IndexCount(index, delivered, await _count(client, index))
    except ElasticResponseError as error:
        if _CLOSED not in str(error):
            raise
        return IndexCount(index, delivered, None, closed=True)


async def _count(client: ElasticClient, index: str) -> int | None:
    """Return the number of events in an index, ``None`` if it does not exist."""
    try:
        await client.api.indices.refresh(index=index)  # else the newest events are not counted
    except ElasticResponseError as error:
        if error.status != 404:
            raise
        return None
    answer = await client.api.count(index=index)
    return int(answer["count"])
