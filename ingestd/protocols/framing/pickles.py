"""The frames of ``logging.handlers.SocketHandler``: four bytes of length, big-endian, and a pickle.

Pickles are only cut out of the stream, never loaded. Sans-IO.
"""

from __future__ import annotations

PREFIX_BYTES = 4


def whole_pickles(data: bytes | bytearray, size: int, max_bytes: int) -> int:
    """Return where the last whole frame of ``data[:size]`` ends, before the first of more than ``max_bytes`` bytes.

    ``data`` starts with a frame.
    """
    end = 0
    while end + PREFIX_BYTES <= size and (frame := frame_bytes(data, end)) <= min(size - end, max_bytes):
        end += frame
    return end


def frame_bytes(data: bytes | bytearray, start: int = 0) -> int:
    """Return the size of the frame that starts at ``start``, with its length in front."""
    return PREFIX_BYTES + int.from_bytes(data[start : start + PREFIX_BYTES], "big")


def split_pickles(data: bytes) -> list[bytes]:
    """Return the pickles of whole frames, without their lengths."""
    pickles, start = [], 0
    while start < len(data):
        end = start + frame_bytes(data, start)
        pickles.append(data[start + PREFIX_BYTES : end])
        start = end
    return pickles
