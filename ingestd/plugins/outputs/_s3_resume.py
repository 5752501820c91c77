"""Uploads of large objects in parts, which a restart, a kill or an outage interrupts and the next attempt continues.

A file beside the segment has the id of the upload of each object, and of each part that S3 took its SHA-256 and tag.
The parts are made again from the segment, and only those that S3 does not have are sent. So it does not matter whether
another version of a library compresses differently: a part that differs replaces the one that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ingestd.files import write_atomic
from ingestd.logs import get_logger
from ingestd.plugins.outputs._s3_segments import UPLOADS
from ingestd.stores.base import StoreError
from ingestd.stores.object_store import PART_BYTES, ObjectStore

if TYPE_CHECKING:
    from ingestd.stores.multipart import MultipartUploads

log = get_logger(__name__)


class _Progress(msgspec.Struct):
    """Of one object: the id of its upload, and of each part that S3 has, in order, the SHA-256 in hex and the tag."""

    upload_id: str
    parts: list[tuple[str, str]] = []
    complete: bool = False


class _Saved(msgspec.Struct):
    destination: str
    objects: dict[str, _Progress]


_saved = msgspec.json.Decoder(_Saved)


class SegmentProgress:
    """How far the uploads of a segment's large objects are. All calls block.

    Args:
        segment: The segment.
        destination: The bucket and its server; uploads to another one are not continued.
    """

    def __init__(self, segment: Path, destination: str) -> None:
        self._path, self._destination = segment.with_suffix(UPLOADS), destination
        self.objects: dict[str, _Progress] = {}
        try:
            found = _saved.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):  # then all parts are sent again
            return
        if found.destination == destination:
            self.objects = found.objects

    def save(self) -> None:
        """Write the file, if the disk takes it: uploads also succeed without, and free the disk."""
        with contextlib.suppress(OSError):
            write_atomic(self._path, msgspec.json.encode(_Saved(self._destination, self.objects)))


class ResumableUploads:
    """Sends the large objects of one output.

    Args:
        objects: Where they go.
        plugin_id: Of the output.
        took: Called with the key of an object when S3 has a part of it.
    """

    def __init__(self, objects: ObjectStore, plugin_id: str, took: Callable[[str], None]) -> None:
        self._objects, self._plugin_id, self._took = objects, plugin_id, took
        self._opened: MultipartUploads | None = None

    def possible(self) -> bool:
        """Return whether the credentials are known; only the S3 client knows those of a role. Raises StoreError."""
        if self._opened is None:
            self._opened = self._objects.multipart_uploads()
        return self._opened is not None

    async def send(
        self, progress: SegmentProgress, key: str, chunks: AsyncIterator[bytes], attributes: Mapping[str, str]
    ) -> None:
        """Send what S3 does not have of an object.

        Raises:
            StoreError: It cannot be sent; the next call continues.
        """
        from ingestd.stores.multipart import UnknownUploadError  # noqa: PLC0415 -- takes 0.2 s

        size = 0
        try:
            async for part in self._send_parts(progress, key, chunks, attributes):
                size += len(part)
            state = progress.objects[key]
            await self._client.complete(key, state.upload_id, [etag for _, etag in state.parts])
        except UnknownUploadError:
            # The answer to its completion may have been lost. The key has a random number: no other object has it.
            if size == 0 or await asyncio.to_thread(self._size, key) != size:
                progress.objects.pop(key, None)
                await asyncio.to_thread(progress.save)
                raise
            state = progress.objects[key]
        state.complete = True
        await asyncio.to_thread(progress.save)

    async def _send_parts(
        self, progress: SegmentProgress, key: str, chunks: AsyncIterator[bytes], attributes: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        """Send the parts that S3 does not have; yield each part of the object."""
        state = progress.objects.get(key)
        if state is None:
            state = progress.objects[key] = _Progress(await self._client.create(key, attributes))
            await asyncio.to_thread(progress.save)
        number = 0
        async for part in _parts(chunks):
            number += 1
            digest = await asyncio.to_thread(_sha256, part)
            if number > len(state.parts) or state.parts[number - 1][0] != digest:
                etag = await self._client.put_part(key, state.upload_id, number, part, digest)
                state.parts[number - 1 : number] = [(digest, etag)]
                await asyncio.to_thread(progress.save)
            self._took(key)
            yield part
        del state.parts[number:]

    def _size(self, key: str) -> int | None:
        try:
            return self._objects.size(key)
        except StoreError:  # no permission to read
            return None

    async def abort_incomplete(self, progress: SegmentProgress) -> None:
        """Delete the parts of objects that are no more to be sent, as far as S3 lets us."""
        for key, state in progress.objects.items():
            if not state.complete:
                try:
                    if self.possible():
                        await self._client.abort(key, state.upload_id)
                except StoreError as error:
                    text = "the parts of an interrupted upload cannot be deleted"
                    log.info(text, output=self._plugin_id, key=key, error=error)

    @property
    def _client(self) -> MultipartUploads:
        assert self._opened is not None  # noqa: S101 -- `possible` was asked
        return self._opened

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()


async def _parts(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks as parts of `PART_BYTES`, and a last one of fewer bytes."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield bytes(held)


def _sha256(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()
