"""Bodies in parts."""

from __future__ import annotations

import gzip

import pytest

from ingestd.stores.elastic.connection.body import BodyParts

BODIES = [(), (b"",), (b"one\n",), (b"one\n", b"", b"two\n" * 100_000)]


@pytest.mark.parametrize("parts", BODIES, ids=["none", "empty", "one", "several"])
def test_compressed_parts_are_one_gzip_stream(parts: tuple[bytes, ...]) -> None:
    body = BodyParts(parts)
    assert body.size == len(b"".join(parts))
    assert gzip.decompress(b"".join(body.compressed(1))) == b"".join(parts)
