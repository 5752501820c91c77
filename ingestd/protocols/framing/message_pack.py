"""Where values end in a stream of MessagePack: https://github.com/msgpack/msgpack/blob/master/spec.md."""

from __future__ import annotations

_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4}
_FIXED |= {0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
"""First byte: how many bytes follow."""

_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""First byte: how many bytes the length has that follows; an extension has a byte for its type besides."""

_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""First byte: how many bytes the count has that follows, and how many values each counted item is."""


def value_end(data: bytes | bytearray, start: int, size: int) -> int:
    """Return where the value at ``start`` ends, -1: not before ``size``. A byte that starts no value is one itself."""
    at, left = start, 1
    while left:
        if at >= size:
            return -1
        first = data[at]
        at, left = at + 1, left - 1
        if first in _FIXED:
            at += _FIXED[first]
        elif 0x80 <= first <= 0x9F:  # small maps and arrays
            left += (first & 15) * (2 if first < 0x90 else 1)
        elif 0xA0 <= first <= 0xBF:  # short text
            at += first & 31
        elif first in _SIZED:
            width = _SIZED[first]
            at += int.from_bytes(data[at : at + width], "big") + width + (0xC7 <= first <= 0xC9)
        elif first in _COUNTED:
            width, values = _COUNTED[first]
            left += int.from_bytes(data[at : at + width], "big") * values
            at += width
        if left > size:  # there are not that many bytes
            return -1
    return at if at <= size else -1


def value_ends(data: bytes | bytearray, size: int | None = None) -> list[int]:
    """Return where the values end that are whole in the first ``size`` bytes."""
    size = len(data) if size is None else size
    ends: list[int] = []
    while (end := value_end(data, ends[-1] if ends else 0, size)) > 0:
        ends.append(end)
    return ends


class ValueGrouping:
    """Groups the bytes of a stream to whole values; see ``grouping.Grouping``."""

    flush_seconds = 0.0
    delimiter = b""

    def of_stream(self) -> ValueGrouping:
        """Return itself: all streams are alike."""
        return self

    def ends(self, data: bytes | bytearray, size: int | None = None) -> list[int]:
        """Return where the last whole value ends: several are one message."""
        return value_ends(data, size)[-1:]

    def whole(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes are whole values."""
        ends = self.ends(data, size)
        return ends[0] if ends else 0

    def split(self, data: bytes) -> list[bytes]:
        """Return the whole values, and the rest."""
        end = self.whole(bytearray(data), len(data))
        return [piece for piece in (data[:end], data[end:]) if piece]

    def flushable(self, data: bytearray, size: int) -> int:
        """Return 0: half a value is of no use."""
        return 0


VALUES = ValueGrouping()
