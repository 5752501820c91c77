"""MurmurHash3 by Austin Appleby: the 32-bit hash, and the 128-bit hash for 64-bit machines (``MurmurHash3_x64_128``).

Follows https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp.
"""

from __future__ import annotations

import struct

_MASK32, _MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def hash32(data: bytes, seed: int = 0) -> int:
    """Return the hash of ``data`` as an unsigned number."""
    whole = len(data) & ~3
    state = seed
    for (block,) in struct.iter_unpack("<I", data[:whole]):  # as ``_mixed32``, without a call for each block
        word = block * 0xCC9E2D51 & _MASK32
        state ^= ((word << 15 | word >> 17) & _MASK32) * 0x1B873593 & _MASK32
        state = ((state << 13 | state >> 19) & _MASK32) * 5 + 0xE6546B64 & _MASK32
    if tail := data[whole:]:
        state ^= _mixed32(int.from_bytes(tail, "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK32
    return state ^ state >> 16


def _rotated32(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK32


def _mixed32(block: int) -> int:
    return _rotated32(block * 0xCC9E2D51 & _MASK32, 15) * 0x1B873593 & _MASK32


def hash128(data: bytes, seed: int = 0) -> bytes:
    """Return the 16 bytes of the hash, as the reference code leaves them in memory on a little-endian machine."""
    whole, size = len(data) & ~15, len(data)
    low = high = seed
    for first, second in struct.iter_unpack("<QQ", data[:whole]):
        low = _rotated64(low ^ _mixed_low(first), 27)
        low = (low + high) * 5 + 0x52DCE729 & _MASK64
        high = _rotated64(high ^ _mixed_high(second), 31)
        high = (high + low) * 5 + 0x38495AB5 & _MASK64
    low ^= _mixed_low(int.from_bytes(data[whole : whole + 8], "little"))
    high ^= _mixed_high(int.from_bytes(data[whole + 8 :], "little"))
    low, high = low ^ size, high ^ size
    low = low + high & _MASK64
    high = high + low & _MASK64
    low, high = _final64(low), _final64(high)
    low = low + high & _MASK64
    return struct.pack("<QQ", low, high + low & _MASK64)


def _rotated64(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK64


def _mixed_low(block: int) -> int:
    return _rotated64(block * 0x87C37B91114253D5 & _MASK64, 31) * 0x4CF5AD432745937F & _MASK64


def _mixed_high(block: int) -> int:
    return _rotated64(block * 0x4CF5AD432745937F & _MASK64, 33) * 0x87C37B91114253D5 & _MASK64


def _final64(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return word ^ word >> 33
