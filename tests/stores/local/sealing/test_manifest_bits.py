"""No wrong bit in a manifest loses an event or stops the other days."""

from __future__ import annotations

import contextlib
from pathlib import Path

import orjson
import pytest

from ingestd.stores.local import LocalStore, store_root
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing.sealer import Policy, SealingError, seal_once
from ingestd.stores.query import Query
from tests.stores.local.damage import AFTER, BEFORE, DAMAGED, EVENTS, NOW, fill

pytestmark = [pytest.mark.usefixtures("shared_duckdb"), pytest.mark.sampled]


def older(found: manifest.Manifest) -> bytes:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def events(data_dir: Path) -> dict[str, int]:
    counts = dict.fromkeys([BEFORE, DAMAGED, AFTER], 0)
    for hit in LocalStore(store_root(data_dir)).search(Query(), 0):
        counts[hit.index] += 1
    return counts


def check(data_dir: Path, body: bytes) -> None:
    folder = fill(data_dir)
    (folder / manifest.NAME).write_bytes(body)
    for policy in (Policy(), NOW):
        with contextlib.suppress(SealingError):
            seal_once(store_root(data_dir), policy)
    assert events(data_dir) == dict.fromkeys([BEFORE, DAMAGED, AFTER], EVENTS)


@pytest.mark.parametrize("part", range(5))
def test_bits_of_the_keys(tmp_path: Path, part: int) -> None:
    """The bits are noticed alike, which test_manifest.py shows for all; here one of each kind of key is sealed on."""
    body = manifest.encode(manifest.load(fill(tmp_path / "first")))
    key = [b"files", b"sealed", b"next", b"sha256", b"checksum"][part]
    flipped = bytearray(body)
    flipped[body.index(b'"%b":' % key) + 1 + part % 4] ^= 1 << part
    check(tmp_path / "flipped", bytes(flipped))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"w0": 2', b'"w0": 9'),
        (b'"w0": 2', b'"w0": 3'),
        (b'"w0"', b'"v0"'),
        (b"sealed-00001", b"sealed-00003"),
        (b'"next": 3', b'"next": 1'),
        (b'"files"', b'"fimes"'),
    ],
)
def test_a_manifest_without_a_checksum(tmp_path: Path, old: bytes, new: bytes) -> None:
    body = older(manifest.load(fill(tmp_path / "first")))
    assert old in body
    check(tmp_path / "flipped", body.replace(old, new))


def test_a_manifest_that_names_nothing(tmp_path: Path) -> None:
    check(tmp_path, manifest.encode(manifest.Manifest()))
    check(tmp_path, manifest.encode(manifest.Manifest(sealed={"w0": 9}, next=9)))


@pytest.mark.sampled(usual=2)
@pytest.mark.parametrize(("position", "key"), [*enumerate(["files", "sealed", "next", *manifest.SealedFile.__slots__])])
def test_a_bit_of_each_key_of_a_manifest_without_a_checksum(tmp_path: Path, position: int, key: str) -> None:
    body = bytearray(older(manifest.load(fill(tmp_path / "first"))))
    body[body.index(b'"%b":' % key.encode()) + 1 + position % 4] ^= 1 << position % 8
    check(tmp_path / "flipped", bytes(body))
