"""The protocol of Beats, version 2, as a client needs it.

Follows https://github.com/logstash-plugins/logstash-input-beats/blob/main/PROTOCOL.md: a window of events is announced
and sent, and the server acknowledges the number of an event when that and all before it are safe.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_NUMBER = struct.Struct(">I")
_ACK_BYTES = 6
_MIN_COMPRESSED = 1024


def encode_window(documents: Sequence[bytes], level: int = 0) -> bytes:
    """Return a window with events 1 to n, each an object in JSON; ``level``: of zlib, 0: not compressed."""
    events = b"".join(
        [b"2J" + struct.pack(">II", number, len(text)) + text for number, text in enumerate(documents, 1)]
    )
    if level and len(events) >= _MIN_COMPRESSED:
        packed = zlib.compress(events, level)
        events = b"2C" + _NUMBER.pack(len(packed)) + packed
    return b"2W" + _NUMBER.pack(len(documents)) + events


class AckDecoder:
    """Turns what a server sends into the numbers that it acknowledges."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """Return the numbers that ``data`` completes; 0: the server is alive, and needs more time.

        Raises:
            ValueError: It is not an acknowledgement.
        """
        data = self._rest + data
        if data[:1] not in (b"", b"2") or data[1:2] not in (b"", b"A"):
            raise ValueError(f"its answer is not that of an input `beats`: {data[:40]!r}")
        whole = len(data) // _ACK_BYTES * _ACK_BYTES
        self._rest = data[whole:]
        return [_NUMBER.unpack_from(data, at + 2)[0] for at in range(0, whole, _ACK_BYTES)]
