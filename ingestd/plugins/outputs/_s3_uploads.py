"""Uploads the segments of an output ``s3``, and deletes those whose objects are all there."""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from ingestd import metrics
from ingestd.logs import Outage, get_logger
from ingestd.plugins.outputs._retry import Retry
from ingestd.plugins.outputs._s3_objects import body, content_type, file_chunks, text_chunks
from ingestd.plugins.outputs._s3_parquet import NotColumnsError, write_parquet
from ingestd.plugins.outputs._s3_resume import ResumableUploads, SegmentProgress
from ingestd.plugins.outputs._s3_segments import (
    DamagedSegmentError,
    Header,
    Piece,
    object_stem,
    put_aside,
    read_header,
    read_index,
)
from ingestd.plugins.outputs._s3_spool import Spool
from ingestd.stores.base import StoreError
from ingestd.stores.object_store import ObjectStore

log = get_logger(__name__)

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 15.0
_SILENT_S = 90.0
"""How long an object, or a part of one, may take before it is a problem. The client gives up after 5 minutes. Two parts
of 8 MiB at a time need 1.5 Mbit/s."""

_PROBE = ".ingestd-check"


def _key(path: Path, header: Header, folder: str) -> str:
    name = object_stem(path) + header.extension
    return f"{folder}/{name}" if folder else name


class Uploads:
    """The uploads of one output.

    Args:
        spool: Where the segments are.
        objects: Where they go.
        threshold: Size in bytes from which on an object is uploaded in parts.
        storage_class: Of the objects; empty: the bucket's.
        plugin_id: Of the output.
        changed: Called when a segment is gone.

    Attributes:
        outage: Why uploads fail now.
        damaged: What could not be read of segments, and was put aside.
    """

    def __init__(
        self,
        spool: Spool,
        objects: ObjectStore,
        *,
        threshold: int,
        storage_class: str,
        plugin_id: str,
        changed: Callable[[], None],
    ) -> None:
        self._spool, self._objects, self._threshold = spool, objects, threshold
        self._storage_class, self._plugin_id, self._changed = storage_class, plugin_id, changed
        self._resumable = ResumableUploads(objects, plugin_id, self._note)
        self._retry = Retry(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        self._busy: set[Path] = set()
        self._failing: set[object] = set()  # of the check and the segments: one that fails is not hidden by others
        self._sent: dict[str, float] = {}  # the objects that are being sent: when S3 last took something of them
        self._converting = asyncio.Lock()
        self._more, self._took = asyncio.Event(), asyncio.Event()
        self._taken = 0  # how often S3 has taken something
        self.damaged: list[Path] = []
        text = "objects cannot be uploaded; their events are kept on this machine until they can"
        self.outage = Outage(log.error, text, log.info, "objects can be uploaded again")

    @property
    def reason(self) -> str:
        """Why uploads fail, or wait for an answer for too long; empty: they do not."""
        silent_s = time.monotonic() - min(self._sent.values(), default=math.inf)
        return self.outage.reason or (
            f"S3 has accepted no data of an object for {silent_s:.0f} s" if silent_s > _SILENT_S else ""
        )

    def wake(self) -> None:
        """Say that there are more segments."""
        self._more.set()

    async def check(self, folder: str) -> None:
        """Write and delete an object in a folder, so that a wrong bucket is known at once; try until it succeeds."""
        key = f"{folder}/{_PROBE}" if folder else _PROBE
        for attempt in self._retry.attempts():
            try:
                with self._sending(key):
                    await self._objects.upload(key, b"", {})
            except StoreError as error:
                self._failed(key, error)
                await self._wait(attempt)
            else:
                break
        try:
            await asyncio.to_thread(self._objects.delete, [key])
        except StoreError as error:  # no permission that uploads need
            log.info("the object that was written as a test cannot be deleted", output=self._plugin_id, error=error)
        self._succeeded(key)

    async def run(self) -> None:
        """Upload one segment after the other; several tasks may do so."""
        while True:
            waiting = (path for path in self._spool.closed if path not in self._busy)
            if (path := next(waiting, None)) is None:
                self._more.clear()
                await self._more.wait()
                continue
            self._busy.add(path)
            try:
                await self._upload(path)
            finally:
                self._busy.discard(path)
            self._changed()

    async def _upload(self, path: Path) -> None:
        done: set[str] = set()
        progress = await asyncio.to_thread(SegmentProgress, path, self._spool.destination)
        for attempt in self._retry.attempts():
            try:
                await self._upload_rest(path, progress, done)
                await self._remove(path, progress)
            except DamagedSegmentError as error:
                await self._put_aside(path, error)
            except (StoreError, OSError) as error:
                if isinstance(error, FileNotFoundError) and not await asyncio.to_thread(path.exists):
                    text = "a file of events was deleted before it was uploaded; its events are lost"
                    log.error(text, output=self._plugin_id, path=path)
                    await self._remove(path, progress)
                    return
                self._failed(path, error)
                await self._wait(attempt)
            else:
                self._succeeded(path)
                return

    async def _remove(self, path: Path, progress: SegmentProgress) -> None:
        await self._resumable.abort_incomplete(progress)
        await asyncio.to_thread(self._spool.remove, path)

    async def _wait(self, attempt: int) -> None:
        """Wait before the next attempt, but no longer than until S3 takes something else."""
        seconds, taken = self._retry.seconds(attempt), self._taken
        await asyncio.sleep(min(seconds, _FIRST_RETRY_S))
        if taken == self._taken:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._took.wait(), max(seconds - _FIRST_RETRY_S, 0))

    def _succeeded(self, what: object) -> None:
        self._taken += 1
        self._took.set()  # wakes those that wait now
        self._took.clear()
        self._failing.discard(what)
        if not self._failing:
            self.outage.recovered(output=self._plugin_id)

    def _failed(self, what: object, error: Exception) -> None:
        self._failing.add(what)
        metrics.REQUESTS_RETRIED.add(1, self._plugin_id, "upload")
        self.outage.failed(output=self._plugin_id, error=error)

    async def _upload_rest(self, path: Path, progress: SegmentProgress, done: set[str]) -> None:
        """Upload the objects of a segment that are not ``done``."""
        pieces = await asyncio.to_thread(read_index, path)
        if not pieces:
            return
        header = await asyncio.to_thread(read_header, path)
        for folder, own in pieces.items():
            if folder not in done:
                await self._put(path, header, folder, own, progress)
                done.add(folder)

    async def _put(
        self, path: Path, header: Header, folder: str, pieces: list[Piece], progress: SegmentProgress
    ) -> None:
        key = _key(path, header, folder)
        if key in progress.objects and progress.objects[key].complete:
            return
        if header.format != "parquet":
            await self._put_chunks(key, header, text_chunks(path, pieces, header.encoding), progress)
            return
        scratch = await asyncio.to_thread(self._spool.scratch)
        try:
            async with self._converting:
                file = await asyncio.to_thread(write_parquet, path, folder, scratch)
            await self._put_chunks(key, header, file_chunks(file), progress)
        except NotColumnsError as error:
            text = "events cannot be written in Parquet; they are uploaded as compressed JSON lines"
            log.warning(text, output=self._plugin_id, folder=folder, error=error)
            await self._put(path, header.as_lines(), folder, pieces, progress)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    async def _put_chunks(self, key: str, header: Header, chunks: Iterator[bytes], progress: SegmentProgress) -> None:
        attributes = {"Content-Type": content_type(header)}
        if self._storage_class:
            attributes["Storage-Class"] = self._storage_class
        found = await body(chunks, self._threshold)
        with self._sending(key):
            if isinstance(found, bytes):
                await self._objects.upload(key, found, attributes)
            elif self._resumable.possible():
                await self._resumable.send(progress, key, found, attributes)
            else:
                await self._objects.upload(key, self._noted(key, found), attributes)
        metrics.OBJECTS_UPLOADED.add(1, self._plugin_id)

    @contextlib.contextmanager
    def _sending(self, key: str) -> Iterator[None]:
        self._sent[key] = time.monotonic()
        try:
            yield
        finally:
            del self._sent[key]

    def _note(self, key: str) -> None:
        """Note that S3 has taken some of an object."""
        if key in self._sent:
            self._sent[key] = time.monotonic()

    async def _noted(self, key: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks, and note when the client takes the next one, as there is room for it."""
        async for chunk in chunks:
            self._note(key)
            yield chunk

    async def close(self) -> None:
        """Close the connections."""
        await self._resumable.close()

    async def _put_aside(self, path: Path, error: DamagedSegmentError) -> None:
        """Keep what cannot be read, so that the rest can be uploaded."""
        kept = await asyncio.to_thread(put_aside, path, error.offset)
        self.damaged.append(kept)
        log.error("a part of a file of events is damaged, and is not uploaded", output=self._plugin_id, kept=kept)
