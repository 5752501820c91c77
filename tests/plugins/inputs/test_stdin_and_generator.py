"""The inputs ``stdin`` and ``generator``: what they put, and when they end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.chunk import Chunk, Stream
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.sinks import UnusedSink
from tests.waiting import WAIT_SECONDS, eventually


class Sink(UnusedSink):
    """Keeps chunks; a ``tight`` one takes one at a time, and the next once a caller has waited for room."""

    def __init__(self, *, tight: bool = False) -> None:
        self.chunks: list[Chunk] = []
        self.rejected: list[tuple[bytes, str]] = []
        self.tight, self.paused = tight, False
        self.waited = self.refused = 0

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        if self.paused:
            self.refused += 1
            return False
        self.chunks.append(Chunk("in", *stream, offset, 0, 0, data))
        self.paused = self.tight
        return True

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        if self.paused:
            self.refused += 1
            return False
        self.rejected.append((raw, reason))
        self.paused = self.tight
        return True

    async def wait_until_resumed(self) -> None:
        self.waited += 1
        self.paused = False

    @property
    def data(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


def build(text: str, **settings: Any) -> Any:
    config = parse(f"input {{ {text} }} output {{ stdout {{ }} }}", "test.conf", {})
    return compile_pipeline(config, BuildContext(settings=Settings(**settings))).inputs[0]


class Descriptor:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input becomes a pipe; its writing end."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", Descriptor(reading))
    yield writing
    os.close(reading)


async def run_stdin(sink: Sink, **settings: Any) -> Any:
    built = build("stdin { codec => json_lines }", **settings).input
    await built.open()
    await asyncio.wait_for(built.run(sink), WAIT_SECONDS)
    return built


async def test_stdin_ends_with_its_input(pipe: int) -> None:
    sink = Sink()
    os.write(pipe, b"one\ntwo\nhalf")
    os.close(pipe)
    await run_stdin(sink)
    assert sink.data == b"one\ntwo\nhalf"
    assert [chunk.offset for chunk in sink.chunks] == [0, 8]
    assert len({chunk.stream_id for chunk in sink.chunks}) == 1
    assert sink.chunks[0].fields["host"]


async def test_stdin_puts_whole_lines_as_they_come(pipe: int) -> None:
    sink = Sink()
    built = build("stdin { }").input
    await built.open()
    running = asyncio.ensure_future(built.run(sink))
    for piece, so_far in ((b"a", b""), (b"b\nc", b"ab\n"), (b"d\n", b"ab\ncd\n")):
        os.write(pipe, piece)
        await eventually(lambda so_far=so_far: sink.data == so_far)  # type: ignore[misc]
        await asyncio.sleep(0.01)
        assert sink.data == so_far
    os.close(pipe)
    await asyncio.wait_for(running, WAIT_SECONDS)


async def test_stdin_stops_while_it_waits(pipe: int) -> None:
    sink = Sink()
    built = build("stdin { }").input
    await built.open()
    running = asyncio.ensure_future(built.run(sink))
    os.write(pipe, b"one\nhalf")
    await eventually(lambda: sink.data == b"one\n")
    built.stop("drain")
    await asyncio.wait_for(running, WAIT_SECONDS)
    assert sink.data == b"one\nhalf"
    os.close(pipe)


async def test_stdin_reads_files_and_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_bytes(b"x\n" * 100_000)
    for path, size in ((lines, 200_000), (Path("/dev/null"), 0)):
        fd = os.open(path, os.O_RDONLY)
        monkeypatch.setattr(sys, "stdin", Descriptor(fd))
        sink = Sink()
        await run_stdin(sink)
        assert len(sink.data) == size
        assert sink.waited > size // 65536  # room is asked for before every read
        os.close(fd)


async def test_what_there_is_no_room_for_is_offered_again(pipe: int) -> None:
    sink = Sink(tight=True)
    os.write(pipe, b"one\ntwo\nhalf")
    os.close(pipe)
    await run_stdin(sink)
    assert sink.data == b"one\ntwo\nhalf"
    sink = Sink(tight=True)
    await asyncio.wait_for(build('generator { count => 2 lines => ["a", "b", "c"] }').input.run(sink), WAIT_SECONDS)
    assert sink.data == b"abcabc"
    assert sink.refused > 0


async def test_stdin_lines_too_long(pipe: int) -> None:
    sink = Sink()
    os.write(pipe, b"ok\n" + b"x" * 2000 + b"\nok\n")
    os.close(pipe)
    await run_stdin(sink, max_line_bytes=1000)
    assert sink.data == b"ok\nok\n"
    [(raw, reason)] = sink.rejected
    assert raw == b"x" * 2000
    assert "2000 of 1000 bytes allowed" in reason


async def test_two_streams_have_two_names(pipe: int) -> None:
    os.close(pipe)
    names = set()
    for _ in range(2):
        sink = Sink()
        await asyncio.wait_for(build("generator { count => 1 }").input.run(sink), WAIT_SECONDS)
        names.add(sink.chunks[0].stream_id)
    assert len(names) == 2


async def test_generator_sends_its_message() -> None:
    built = build("generator { count => 3 }")
    sink = Sink()
    assert built.input.finite
    await asyncio.wait_for(built.input.run(sink), WAIT_SECONDS)
    assert [chunk.data for chunk in sink.chunks] == [b"Hello world!"] * 3
    events = [built.codec.decode(chunk).event(0) for chunk in sink.chunks]
    assert [event["sequence"] for event in events] == [0, 1, 2]
    assert all(event["host"] for event in events)


async def test_generator_sends_lines_in_turn() -> None:
    built = build('generator { count => 2 lines => ["a", "b"] message => "ignored" }')
    sink = Sink()
    await asyncio.wait_for(built.input.run(sink), WAIT_SECONDS)
    assert [chunk.data for chunk in sink.chunks] == [b"a", b"b", b"a", b"b"]
    assert len({chunk.offset for chunk in sink.chunks}) == 4
    assert [chunk.fields["sequence"] for chunk in sink.chunks] == [0, 0, 1, 1]


async def test_generator_without_count_runs_until_it_is_stopped() -> None:
    built = build("generator { }")
    sink = Sink()
    assert not built.input.finite
    running = asyncio.ensure_future(built.input.run(sink))
    await eventually(lambda: len(sink.chunks) > 3)
    built.input.stop("drain")
    await asyncio.wait_for(running, WAIT_SECONDS)
    assert len(sink.chunks) > 3
    assert sink.waited >= len(sink.chunks)
