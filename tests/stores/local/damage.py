"""Faults of files, and a data folder with every kind of file to try them on."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ingestd.stores.local import LocalWriter, store_root
from ingestd.stores.local.sealing.sealer import Policy, seal_once

BEFORE, DAMAGED, AFTER = "logstash-2026.11.21", "logstash-2026.11.22", "logstash-2026.11.23"
NOW = Policy(idle_s=0)

SEALED, LOGGED = 300, 20
"""Events of a day in each of its two sealed files, and in its append log."""

EVENTS = 2 * SEALED + LOGGED

_PARQUET = b"PAR1"

Fault = Callable[[Path], None]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    """Zero 300 bytes, or what there is: of a sealed file from its first page on, so that reading shows it."""
    is_sealed = path.read_bytes().startswith(_PARQUET)
    _zero(path, len(_PARQUET) if is_sealed else path.stat().st_size * 2 // 3)


def zeroed_values(path: Path) -> None:
    """Zero values of a small sealed file: only its checksum shows that."""
    _zero(path, path.stat().st_size // 3)


def _zero(path: Path, start: int) -> None:
    data = bytearray(path.read_bytes())
    size = min(300, len(data) - start)
    data[start : start + size] = bytes(size)
    path.write_bytes(data)


def zeroed_pages(path: Path) -> None:
    """Zero all pages of a sealed file, and leave its footer, whose size is before the last four bytes: Parquet."""
    data = path.read_bytes()
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:4] + bytes(end - 4) + data[end:])


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff garbage" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link_outside(path: Path) -> None:
    target = path.parent.parent / "outside"
    path.rename(target)
    path.symlink_to(target)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def names_outside(path: Path) -> None:
    """Let a manifest, as from an edited backup, name a file outside of the folder."""
    document = json.loads(path.read_bytes())
    document["files"][0]["name"] = "../../secret.parquet"
    path.write_bytes(json.dumps(document).encode())


FAULTS: list[Fault] = [cut, zeroed, garbage, empty, Path.unlink, link_outside, folder_instead]


def documents(day: int, first: int, count: int) -> list[bytes]:
    return [
        b'{"@timestamp":"2026-11-%02dT10:00:%02d.%03dZ","level":"INFO","day":"%d","text":"%b"}'
        % (day, number // 1000, number % 1000, day, os.urandom(40).hex().encode())
        for number in range(first, first + count)
    ]


def append(data_dir: Path, day: int, first: int, count: int) -> None:
    writer = LocalWriter(store_root(data_dir), "w0")
    ids = [f"{day}-{number}" for number in range(first, first + count)]
    writer.append(f"logstash-2026.11.{day}", documents(day, first, count), ids)
    writer.close()


def fill(data_dir: Path) -> Path:
    """Make three days, each with two sealed files and an append log; return the folder of the one to be damaged."""
    shutil.copytree(_filled(), data_dir, dirs_exist_ok=True)
    return store_root(data_dir) / DAMAGED


@functools.cache
def _filled() -> Path:
    data_dir = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, data_dir)
    for part in range(2):
        for day in (21, 22, 23):
            append(data_dir, day, part * SEALED, SEALED)
        seal_once(store_root(data_dir), NOW)
    for day in (21, 22, 23):
        append(data_dir, day, 2 * SEALED, LOGGED)
    return data_dir
