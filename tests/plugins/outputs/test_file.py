"""The output ``file``: names out of events, and what is in the files."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.plugins.outputs import file as module
from tests import processes
from tests.plugins.outputs.outputs import batch, build, deliver


async def write(text: str, *events: dict[str, Any]) -> None:
    output = build(text)
    await output.open()
    await deliver(output, batch(*events))
    await output.close()


def contents(folder: Path) -> dict[str, list[Any]]:
    """Return the values of ``n`` in each file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): [json.loads(line)["n"] for line in path.read_text().splitlines()]
        for path in files
    }


NAMES: list[tuple[str, str, dict[str, list[Any]]]] = [  # path, files
    ("fixed", "out.log", {"out.log": [1, 2, 3]}),
    ("field", "%{host}.log", {"a.log": [1, 3], "b.log": [2]}),
    ("folder", "logs/%{host}/x.log", {"logs/a/x.log": [1, 3], "logs/b/x.log": [2]}),
    ("date", "%{+YYYY-MM-dd}.log", {"2026-11-22.log": [1, 2, 3]}),
    ("missing", "%{nothing}.log", {"_filepath_failures": [1, 2, 3]}),
    ("some_outside", "logs/%{up}", {"logs/_filepath_failures": [2, 3], "logs/x": [1]}),
]
EVENTS = [
    {"n": 1, "host": "a", "up": "x"},
    {"n": 2, "host": "b", "up": "../../etc/passwd"},
    {"n": 3, "host": "a", "up": ".."},
]


@pytest.mark.parametrize(("path", "files"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES])
async def test_names(tmp_path: Path, path: str, files: dict[str, list[Any]]) -> None:
    await write(f'file {{ path => "{tmp_path}/{path}" }}', *EVENTS)
    assert contents(tmp_path) == files


@pytest.mark.parametrize(
    ("options", "left", "expected"),
    [
        ("", b'{"n":0}\n{"n":', b'{"n":0}\n{"n":\n'),
        ("", b'{"n":0}\n', b'{"n":0}\n'),
        ("", b"", b""),
        ('codec => line { format => "%{n}" delimiter => "\\r\\n" }', b"0\r\n7\r", b"0\r\n7\r\r\n"),
        ('codec => plain { format => "%{n}" }', b"0", b"0"),
    ],
    ids=["torn", "whole", "empty", "torn_delimiter", "no_lines"],
)
async def test_what_a_killed_process_has_left(tmp_path: Path, options: str, left: bytes, expected: bytes) -> None:
    path = tmp_path / "out.log"
    path.write_bytes(left)
    await write(f'file {{ path => "{path}" {options} }}', {"n": 1})
    found = path.read_bytes()
    assert (found[: len(expected)], found[len(expected) :][:1] in b"{1") == (expected, True)


async def test_another_program_locks_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_TRIES", 2)
    path = tmp_path / "out.log"
    with path.open("wb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        await write(f'file {{ path => "{path}" }}', {"n": 1})
    assert contents(tmp_path) == {"out.log": [1]}


async def test_a_name_with_a_null_byte(tmp_path: Path) -> None:
    await write(f'file {{ path => "{tmp_path}/%{{x}}" filename_failure => "odd" }}', {"n": 1, "x": "a\0b"})
    assert contents(tmp_path) == {"odd": [1]}


@pytest.mark.parametrize("name", ["x" * 300, "taken", "file/x", "y/" * 3000], ids=["long", "folder", "file", "deep"])
async def test_a_name_that_cannot_be_does_not_stop_the_others(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    await write(f'file {{ path => "{tmp_path}/%{{x}}" }}', {"n": 1, "x": "a"}, {"n": 2, "x": name}, {"n": 3, "x": "b"})
    assert contents(tmp_path) == {"_filepath_failures": [2], "a": [1], "b": [3], "file": []}


async def test_lines_are_appended(tmp_path: Path) -> None:
    for number in range(3):
        await write(f'file {{ path => "{tmp_path}/x" }}', {"n": number})
    assert contents(tmp_path) == {"x": [0, 1, 2]}


async def test_overwrite_empties_once(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    output = build(f'file {{ path => "{tmp_path}/x" write_behavior => "overwrite" }}')
    for number in range(2):
        await deliver(output, batch({"n": number}))
    await output.close()
    assert contents(tmp_path) == {"x": [0, 1]}


async def test_codec_and_gzip(tmp_path: Path) -> None:
    output = build(f'file {{ path => "{tmp_path}/x" gzip => true codec => line {{ format => "%{{n}}" }} }}')
    for number in range(3):
        await deliver(output, batch({"n": number}))
    await output.close()
    assert gzip.decompress((tmp_path / "x").read_bytes()) == b"0\n1\n2\n"


async def test_modes(tmp_path: Path) -> None:
    await write(f'file {{ path => "{tmp_path}/d/x" dir_mode => 0750 file_mode => 0640 }}', {"n": 1})
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "d" / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("option", "files"), [("true", {"x": [2]}), ("false", {"_filepath_failures": [2]})], ids=["made_again", "put_aside"]
)
async def test_a_file_removed_meanwhile(tmp_path: Path, option: str, files: dict[str, list[Any]]) -> None:
    output = build(f'file {{ path => "{tmp_path}/x" create_if_deleted => {option} }}')
    await deliver(output, batch({"n": 1}))
    (tmp_path / "x").unlink()
    await deliver(output, batch({"n": 2}))
    await output.close()
    assert contents(tmp_path) == files


def open_files() -> int:
    return len(processes.open_files(os.getpid()))


async def test_many_files_few_descriptors(tmp_path: Path) -> None:
    before = open_files()
    output = build(f'file {{ path => "{tmp_path}/%{{n}}" }}')
    for _ in range(2):
        await deliver(output, batch(*({"n": number} for number in range(200))))
    assert open_files() - before <= 65
    await output.close()
    assert contents(tmp_path) == {str(number): [number, number] for number in range(200)}


async def test_it_waits_until_the_file_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    (tmp_path / "d").write_text("in the way")
    output = build(f'file {{ path => "{tmp_path}/d/x" }}')
    asyncio.get_running_loop().call_later(0.05, (tmp_path / "d").unlink)
    await deliver(output, batch({"n": 1}))
    await output.close()
    assert contents(tmp_path) == {"d/x": [1]}


def test_the_path_must_be_absolute() -> None:
    with pytest.raises(ConfigErrors, match="the path must be absolute"):
        build('file { path => "logs/x" }')


@pytest.mark.parametrize("option", ["dir_mode", "file_mode"])
def test_modes_are_octal(option: str) -> None:
    with pytest.raises(ConfigErrors, match=f"{option} 640 is not possible: write it in octal"):
        build(f'file {{ path => "/x" {option} => 640 }}')
