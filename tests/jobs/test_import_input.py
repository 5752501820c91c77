"""Files as an input: which lines are put, under which ids, and what is noted of them."""

import gzip
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.chunk import Chunk, Stream
from ingestd.jobs.import_checkpoints import PREFIX_BYTES, ImportCheckpoints
from ingestd.jobs.import_input import ImportInput, Imports, TrackedJournal
from tests.sinks import UnusedSink


@dataclass
class Kept(UnusedSink):
    """A sink that keeps what it is given; ``limit``: full after so many chunks."""

    chunks: list[Chunk] = field(default_factory=list)
    rejected: list[tuple[bytes, int | None]] = field(default_factory=list)

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        self.chunks.append(Chunk("import_0", *stream, offset, 0, 0, data))
        return True

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        self.rejected.append((raw, offset))
        return True

    @property
    def text(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    def ends(self) -> list[tuple[str, int]]:
        return [(chunk.stream_id, chunk.offset + len(chunk.data)) for chunk in self.chunks]


async def read(
    folder: Path, *paths: Path, again: bool = False, delivered: int | None = None
) -> tuple[Kept, ImportInput]:
    """Import files; ``delivered``: of how many chunks it is noted that they are."""
    sink = Kept()
    checkpoints = ImportCheckpoints(folder / "places", "d")
    with checkpoints.locked():
        imports = Imports(checkpoints, again=again)
        files = ImportInput(paths, imports, 1000, lambda size: None)
        await files.run(sink)
        for stream_id, offset in sink.ends()[:delivered]:
            imports.delivered(stream_id, offset)
    assert files.finished
    return sink, files


def make_old(path: Path) -> None:
    """Make a file look as if it was last written an hour ago."""
    os.utime(path, (time.time() - 3600,) * 2)


LINES = b"".join(map(b"line %d\n".__mod__, range(300_000)))


async def test_lines_and_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    sink, _ = await read(tmp_path, path)
    assert sink.text == LINES
    assert all(LINES[chunk.offset :].startswith(chunk.data) for chunk in sink.chunks)
    assert {chunk.fields["path"] for chunk in sink.chunks} == {str(path)}
    assert len({chunk.stream_id for chunk in sink.chunks}) == 1


async def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xb7.log")
    path.write_bytes(b"one\n")
    make_old(path)
    sink, _ = await read(tmp_path, path)
    assert [chunk.fields["path"] for chunk in sink.chunks] == [str(tmp_path / r"\xb7.log")]
    _, files = await read(tmp_path, path)
    assert files.known == [path]
    path.unlink()
    path.symlink_to(path)
    _, files = await read(tmp_path, path)
    assert files.problems == [rf"{tmp_path}/\xb7.log: Too many levels of symbolic links"]


async def test_the_same_file_under_any_name_has_nothing_new(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("a.log", "b.log", "c.gz"))
    first.write_bytes(LINES)
    second.write_bytes(LINES)
    third.write_bytes(gzip.compress(LINES))
    sink, files = await read(tmp_path, first, second, third)
    assert (sink.text == LINES, files.known) == (True, [second, third])
    sink, files = await read(tmp_path, third, first)
    assert (sink.text, files.known) == (b"", [third, first])


@pytest.mark.parametrize("size", [5, 100, len(LINES) - 1])
async def test_import_of_a_file_that_has_grown_continues(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES[:size])
    make_old(path)
    before, _ = await read(tmp_path, path)
    path.write_bytes(LINES)
    sink, _ = await read(tmp_path, path)
    assert sink.chunks[0].offset == size
    assert before.text + sink.text == LINES
    assert sink.chunks[0].stream_id == before.chunks[0].stream_id


@pytest.mark.sampled
@pytest.mark.parametrize("size", [5, 100, 300_000, len(LINES) - 1])
@pytest.mark.parametrize("name", ["a.log", "renamed.log"])
async def test_last_line_of_a_file_that_is_being_written_waits_for_its_end(
    size: int, name: str, tmp_path: Path
) -> None:
    path, later = tmp_path / "a.log", tmp_path / name
    path.write_bytes(LINES[:size])
    whole = LINES.rfind(b"\n", 0, size) + 1
    before, files = await read(tmp_path, path, path)
    assert before.text == LINES[:whole]
    assert files.waiting == [(path, size - whole)] * 2
    later.write_bytes(LINES)
    after, files = await read(tmp_path, later)
    assert (after.text, files.waiting) == (LINES[whole:], [])
    assert {chunk.stream_id for chunk in before.chunks} <= {chunk.stream_id for chunk in after.chunks}


@pytest.mark.parametrize("form", ["object", "gzip", "old"])
async def test_last_line_that_does_not_wait(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = b'a\n{"n":"}"}' if form == "object" else b"a\nb"
    path.write_bytes(gzip.compress(text) if form == "gzip" else text)
    if form == "old":
        make_old(path)
    sink, files = await read(tmp_path, path)
    assert (sink.text, files.waiting) == (text, [])
    sink, files = await read(tmp_path, path)
    assert (sink.text, files.known) == (b"", [path])


async def test_nuls_and_byte_order_marks_are_skipped_and_offsets_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = b"\xef\xbb\xbfa\n" + bytes(300_000) + b'{"n":1}\nb\0c\n'
    path.write_bytes(text)
    sink, _ = await read(tmp_path, path)
    assert sink.text.split() == [b"a", b'{"n":1}', b"b\0c"]
    assert sum(len(chunk.data) for chunk in sink.chunks) == len(text)
    assert sink.rejected == []
    assert (await read(tmp_path, path))[1].known == [path]


@pytest.mark.sampled
@pytest.mark.parametrize("delivered", [0, 1, 2, 5])
async def test_what_was_not_delivered_is_read_again_with_the_same_ids(delivered: int, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    first, _ = await read(tmp_path, path, delivered=delivered)
    second, _ = await read(tmp_path, path)
    offset = first.ends()[delivered - 1][1] if delivered else 0
    assert second.text == LINES[offset:]
    assert second.chunks[0].offset == offset
    assert second.chunks[0].stream_id == first.chunks[0].stream_id


async def test_files_with_the_same_start_are_distinguished(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_bytes(LINES)
    second.write_bytes(LINES[: PREFIX_BYTES + 500_000] + b"another\n" + LINES[PREFIX_BYTES + 500_000 :])
    earlier, _ = await read(tmp_path, first)
    later, _ = await read(tmp_path, second)
    assert len(later.text) == len(LINES) + 8
    assert earlier.chunks[0].stream_id != later.chunks[0].stream_id
    assert (await read(tmp_path, first, second))[0].text == b""


async def test_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    earlier, _ = await read(tmp_path, path)
    later, _ = await read(tmp_path, path, path, again=True)
    assert later.text == LINES
    assert later.chunks[0].stream_id == earlier.chunks[0].stream_id


async def test_killed_import_with_again_marks_nothing_as_new(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    await read(tmp_path, path)
    await read(tmp_path, path, again=True, delivered=2)
    assert (await read(tmp_path, path))[0].text == b""


async def test_where_a_killed_import_may_have_stored_events(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(LINES)
    for delivered in (0, 2):
        sink, _ = await read(tmp_path, path, delivered=delivered)
        checkpoints = ImportCheckpoints(tmp_path / "places", "d")
        with checkpoints.locked():
            offset = sink.ends()[delivered - 1][1] if delivered else 0
            assert checkpoints.in_progress() == {sink.chunks[0].stream_id: offset}
    await read(tmp_path, path)
    with checkpoints.locked():
        checkpoints.mark_complete()  # of another import
        assert set(checkpoints.in_progress().values()) == {len(LINES)}


async def test_empty_files(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty.log", tmp_path / "other.log"
    empty.touch()
    other.write_bytes(LINES)
    sink, files = await read(tmp_path, empty, empty, other)
    assert (sink.text == LINES, files.known) == (True, [])
    empty.write_bytes(b"no more\n")
    assert (await read(tmp_path, empty))[0].text == b"no more\n"


async def test_lines_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"a\n" + b"x" * 2000 + b"\nb\n" + b"y" * 1500)
    make_old(path)
    sink, _ = await read(tmp_path, path)
    assert sink.text == b"a\nb\n"
    assert [(raw[:1], offset) for raw, offset in sink.rejected] == [(b"x", 2), (b"y", 2005)]


async def test_damaged_file_does_not_affect_others(tmp_path: Path) -> None:
    cut, good = tmp_path / "cut.gz", tmp_path / "good.log"
    cut.write_bytes(gzip.compress(LINES)[:100_000])
    good.write_bytes(b"good\n")
    sink, files = await read(tmp_path, cut, tmp_path / "missing", good)
    assert files.problems == [
        f"{cut} is cut off: its compressed content has no end",
        f"{tmp_path / 'missing'}: No such file or directory",
    ]
    assert sink.chunks[-1].data == b"good\n"
    assert LINES.startswith(sink.text.removesuffix(b"good\n"))
    cut.write_bytes(gzip.compress(LINES))
    whole, _ = await read(tmp_path, cut)
    assert sink.text.removesuffix(b"good\n") + whole.text == LINES


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 50)), max_size=20), st.data())
def test_a_stream_is_delivered_when_every_output_has_it(parts: list[tuple[str, int]], data: st.DataObject) -> None:
    delivered: list[tuple[str, int]] = []
    journal = TrackedJournal(lambda stream, offset: delivered.append((stream, offset)), 1 << 20)
    journal.consumers(["x", "y"])
    offsets, positions, ends = {"a": 0, "b": 0}, [journal.end], []
    for stream, size in parts:
        chunk = Chunk("i", stream, {}, offsets[stream], 0, 1, bytes(size))
        offsets[stream] += size
        positions.append(journal.append([chunk]))
        ends.append((stream, offsets[stream]))
    at = {"x": 0, "y": 0}
    while min(at.values()) < len(parts):
        name = data.draw(st.sampled_from([output for output in at if at[output] < len(parts)]))
        at[name] = data.draw(st.integers(at[name] + 1, len(parts)))
        journal.commit(name, positions[at[name]])
        assert dict(delivered) == dict(ends[: min(at.values())])
