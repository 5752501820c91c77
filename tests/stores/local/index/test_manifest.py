"""A wrong bit in a manifest is noticed, whatever it changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import orjson
import pytest

from ingestd.stores.base import StoreError
from ingestd.stores.local.index.manifest import DamagedManifestError, Manifest, SealedFile, decode, encode

COLUMNS = {"@timestamp": "TIMESTAMP_MS", "level": "VARCHAR", "geoip": {"lat": "DOUBLE"}}
FILE = SealedFile("sealed-00001.parquet", 150, 0, 1, 2, 4000, 30000, ("level",), "ab" * 32)
MANIFEST = Manifest((FILE,), {"w0": 1}, 2)
NEWER = Manifest((FILE, dataclasses.replace(FILE, name="sealed-00002.parquet", columns=COLUMNS, rest=None)), {}, 3, 2)
OLDER = orjson.dumps(MANIFEST, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
"""As versions without a checksum wrote it."""


def test_round_trip() -> None:
    assert decode(encode(MANIFEST), "sealed.json") == MANIFEST
    assert decode(OLDER, "sealed.json") == MANIFEST
    assert msgspec.json.decode(encode(MANIFEST), type=Manifest) == MANIFEST  # as older versions read it
    assert decode(encode(NEWER), "sealed.json") == decode(encode(dataclasses.replace(NEWER, version=1)), "x") == NEWER


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"level": "VARCHAR"},
        {"@timestamp": "INTEGER"},
        {**COLUMNS, "n": "VARCHAR); DROP TABLE x"},
        {**COLUMNS, "n": "HUGEINT"},
        {**COLUMNS, 'a"b': "VARCHAR"},
        {**COLUMNS, "a'b": "VARCHAR"},
        {**COLUMNS, "g": {}},
        {**COLUMNS, "g": {"x": 1}},
        {**COLUMNS, "g": {"": "VARCHAR"}},
    ],
)
def test_columns_that_cannot_be(columns: dict[str, Any]) -> None:
    """They become SQL; a manifest may come from an edited backup."""
    body = encode(Manifest((dataclasses.replace(FILE, columns=columns),), {}, 2))
    with pytest.raises(DamagedManifestError, match=r"columns of sealed-00001\.parquet is impossible"):
        decode(body, "sealed.json")


def test_every_bit() -> None:
    body = encode(MANIFEST)
    for at in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(DamagedManifestError, match=r"sealed\.json"):
            decode(bytes(flipped), "sealed.json")


def test_every_bit_of_the_keys_of_a_manifest_without_a_checksum() -> None:
    for key in ["files", "sealed", "next", "version", *SealedFile.__slots__]:
        start = 8 * (OLDER.index(b'"%b":' % key.encode()) + 1)
        for at in range(start, start + 8 * len(key)):
            flipped = bytearray(OLDER)
            flipped[at // 8] ^= 1 << at % 8
            with pytest.raises(StoreError, match=r"sealed\.json"):
                decode(bytes(flipped), "sealed.json")


@pytest.mark.parametrize(
    "newer",
    [
        encode(dataclasses.replace(MANIFEST, version=3)),
        OLDER.replace(b'"version": 1', b'"version": 3'),
        b'{"version": 3, "files": {"sealed-1.lance": 7}, "checksum": {"kind": "xxh3"}}',
    ],
    ids=["same", "no_checksum", "of_another_form"],
)
def test_a_manifest_of_a_newer_version(newer: bytes) -> None:
    """It is not damaged: nothing may make it again from the files that this version knows."""
    with pytest.raises(StoreError, match=r"sealed\.json was written by a newer version") as raised:
        decode(newer, "sealed.json")
    assert not isinstance(raised.value, DamagedManifestError)


@pytest.mark.parametrize(
    "older",
    [
        OLDER.replace(b'"next": 2', b'"next": 1'),
        OLDER.replace(b'"files": [', b'"files": [%b,' % orjson.dumps(FILE)),
        b"{}",
        b"[" * 100_000,
    ],
)
def test_a_manifest_without_a_checksum_that_cannot_be_right(older: bytes) -> None:
    with pytest.raises(DamagedManifestError, match=r"sealed\.json"):
        decode(older, "sealed.json")
