"""Lumberjack, the protocol of Beats: the writer's side, sans-IO; the reader's is part of ingestd."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_NUMBER = struct.Struct(">I")
_ACK_BYTES = 6


def window_frame(size: int, version: int = 2) -> bytes:
    """Return the frame that announces ``size`` events."""
    return b"%dW" % version + _NUMBER.pack(size)


def json_frame(sequence: int, document: bytes) -> bytes:
    """Return an event; ``document`` is an object in JSON."""
    return b"2J" + struct.pack(">II", sequence, len(document)) + document


def data_frame(sequence: int, pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return an event of version 1: names and texts in UTF-8."""
    texts = [text for pair in pairs for text in pair]
    return (
        b"1D" + struct.pack(">II", sequence, len(pairs)) + b"".join([_NUMBER.pack(len(text)) + text for text in texts])
    )


def compressed_frame(frames: bytes, version: int = 2, level: int = 3) -> bytes:
    """Return frames as one compressed frame; ``level``: of zlib, 3 is what Beats use."""
    deflated = zlib.compress(frames, level)
    return b"%dC" % version + _NUMBER.pack(len(deflated)) + deflated


def encode_window(documents: Sequence[bytes], level: int = 3) -> bytes:
    """Return a whole window of version 2, numbered from 1: what a writer sends before it waits.

    Args:
        documents: n objects in JSON.
        level: Of zlib, 1 to 9; 0: not compressed.
    """
    frames = b"".join([json_frame(number, document) for number, document in enumerate(documents, 1)])
    return window_frame(len(documents)) + (compressed_frame(frames, level=level) if level else frames)


class AckDecoder:
    """Turns the bytes of a reader into the sequence numbers that it acknowledges."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """Return the numbers that ``data`` completes; 0: the reader is alive, and needs more time.

        Raises:
            ValueError: It is not an acknowledgement.
        """
        data = self._rest + data
        numbers: list[int] = []
        at = 0
        while at < len(data):
            if data[at : at + 1] not in (b"1", b"2") or data[at + 1 : at + 2] not in (b"A", b""):
                raise ValueError(f"expected an acknowledgement; {data[at : at + 16]!r} came")
            if len(data) - at < _ACK_BYTES:
                break
            numbers.append(_NUMBER.unpack_from(data, at + 2)[0])
            at += _ACK_BYTES
        self._rest = data[at:]
        return numbers
