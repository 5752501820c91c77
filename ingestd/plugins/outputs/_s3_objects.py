"""The objects of the output ``s3`` as streams: in chunks, made by threads, so that few of them are in memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

from ingestd.plugins.outputs._s3_segments import Header, Piece, read_texts
from ingestd.stores.object_store import PART_BYTES

_CHUNK_BYTES = 1 << 20
_GZIP, _LEVEL = 31, 6  # the header that zlib writes has no time: the same text is the same object


def content_type(header: Header) -> str:
    """Return the media type of objects.

    No ``Content-Encoding`` is set for gzip: with it some clients unpack what they download, and others do not.
    """
    if header.format == "parquet":
        return "application/vnd.apache.parquet"
    if header.encoding == "gzip":
        return "application/gzip"
    return "application/x-ndjson" if header.extension == ".ndjson" else "text/plain; charset=utf-8"


def text_chunks(path: Path, pieces: Sequence[Piece], encoding: str) -> Iterator[bytes]:
    """Yield an object of texts in chunks of about 1 MiB, none of them empty. Raises OSError."""
    texts = read_texts(path, pieces)
    return _joined(_compressed(texts) if encoding == "gzip" else texts)


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file in chunks. Raises OSError."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _compressed(texts: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for text in texts:
        yield compressor.compress(text)
    yield compressor.flush()


def _joined(chunks: Iterable[bytes]) -> Iterator[bytes]:
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if size:
        yield b"".join(parts)


async def body(chunks: Iterator[bytes], threshold: int) -> bytes | AsyncIterator[bytes]:
    """Return an object as a whole if it has fewer than ``threshold`` bytes, else the chunks, which threads make."""
    whole, start = await asyncio.to_thread(_start, chunks, threshold)
    return start if whole else _in_threads(start, chunks)


def _start(chunks: Iterator[bytes], threshold: int) -> tuple[bool, bytes]:
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= threshold:
            return False, b"".join(parts)
    return True, b"".join(parts)


async def _in_threads(start: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for first in range(0, len(start), PART_BYTES):
        yield start[first : first + PART_BYTES]
    while chunk := await asyncio.to_thread(next, chunks, b""):
        yield chunk
