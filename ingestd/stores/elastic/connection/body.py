"""The body of a request in parts: joining those of a bulk request would copy each event once more."""

from __future__ import annotations

import zlib

_GZIP = 16 + zlib.MAX_WBITS  # makes zlib write a gzip header


class BodyParts(tuple[bytes, ...]):
    """A body in parts, which are sent one after the other."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(map(len, self))

    def compressed(self, level: int) -> BodyParts:
        """Return the body with gzip."""
        compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
        return BodyParts([b"".join([*map(compressor.compress, self), compressor.flush()])])
