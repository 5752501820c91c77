"""Letters of a pipeline: with the bytes as they came, and each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import own_id
from ingestd.journal.base import Entry, Position
from ingestd.journal.journal import Journal

NOW_NS = 1_763_805_600_000_000_000
LINE = b'{"n":%d}\n'


class Life:
    """One life of a worker: its journal, its dead letters. ``end`` is as a SIGKILL leaves it."""

    def __init__(
        self, folder: Path, pipeline: str = "main", seconds: float = 0, consumers: tuple[str, ...] = ("es_0", "es_1")
    ) -> None:
        self.journal = Journal(folder / "journal")
        self.journal.consumers(consumers)
        self.folder = folder / "dead"
        self.files = DeadLetterWriter(self.folder, 1 << 20, lambda: NOW_NS / 1e9 + seconds)
        self.dead_letters = PipelineDeadLetters(self.files, pipeline, "c0", self.journal)
        self.dead_letters.recall(min(self.journal.committed(name)[0] for name in consumers))

    def append(self, *numbers: int, stream_id: str = "o") -> Position:
        data = b"".join(LINE % number for number in numbers)
        return self.journal.append([Chunk("tcp_0", stream_id, {"host": "h"}, 0, NOW_NS, len(numbers), data)])

    def refuse(self, offset: int, plugin: str = "es_0", stream_id: str = "o") -> None:
        """A dead letter of an output."""
        self.dead_letters.add(
            stage="output", reason="no", raw=b"{}", plugin=plugin, event_id=f"{stream_id}-{offset:012x}"
        )

    def fail(self, offset: int, stream_id: str = "o") -> None:
        """A dead letter of the daemon itself."""
        self.dead_letters.add(
            stage="filter", reason="no", raw=b"x", stream_id=stream_id, offset=offset, received=NOW_NS
        )

    def end(self) -> None:
        self.journal.close()

    def there(self) -> list[DeadLetter]:
        return [line.dead_letter for line in DeadLetterReader(self.folder).read() if line.dead_letter is not None]


def test_a_letter_of_an_output_has_the_bytes_as_they_came(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(0, 1, 2)
    life.refuse(8)
    [dead_letter] = life.there()
    assert (dead_letter.content, dead_letter.refused, dead_letter.stream_id, dead_letter.offset) == (
        LINE % 1,
        b"{}",
        "o",
        8,
    )
    life.end()


@pytest.mark.parametrize("offset", range(12))
def test_frames_that_end_otherwise(tmp_path: Path, offset: int) -> None:
    life, frames, starts = Life(tmp_path), [b"a\n|b||", b"|c||", b"|d"], [0, 6, 10]
    data = b"".join(frames)
    life.journal.append([Chunk("tcp_0", "o", {}, 100, NOW_NS, len(frames), data)])
    life.dead_letters.find_frames(lambda chunk: {}, lambda chunk: b"||")
    life.refuse(100 + offset)
    [letter] = life.there()
    number = max(number for number, start in enumerate(starts) if start <= offset)
    assert (letter.content, letter.offset) == (frames[number], 100 + starts[number])
    life.end()


def test_a_letter_of_an_event_that_names_itself(tmp_path: Path) -> None:
    """Its id does not say where it is in the journal; copies and parts of it have suffixes."""
    life, asked = Life(tmp_path), list[str]()
    for stream in ("o", "p", "q"):
        life.append(0, 1, 2, stream_id=stream)

    def own_ids(chunk: Chunk) -> dict[str, int]:
        asked.append(chunk.stream_id)
        return {own_id(chunk.stream_id.encode(), number): 8 * number for number in range(3)}

    life.dead_letters.find_frames(own_ids, lambda chunk: b"\n")
    for stream, number, suffix in [("p", 1, ""), ("p", 2, "-1"), ("q", 0, "-p1-1"), ("o", 0, ""), ("x", 0, "")]:
        event_id = own_id(stream.encode(), number) + suffix
        life.dead_letters.add(stage="output", reason="no", raw=b"{}", plugin="es_0", event_id=event_id)
    found = [(letter.content, letter.refused, letter.stream_id, letter.offset) for letter in life.there()]
    assert found == [
        (LINE % 1, b"{}", "p", 8),
        (LINE % 2, b"{}", "p", 16),
        (LINE % 0, b"{}", "q", 0),
        (LINE % 0, b"{}", "o", 0),
        (b"", b"{}", "", None),
    ]
    assert asked[:3] == ["o", "p", "q"]  # each chunk once, as long as the letters come in its order
    life.end()


def test_what_is_read_for_many_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server refuses the events of many connections, each with a chunk of its own: none is read a hundred times."""
    life, seen, count = Life(tmp_path), 0, 500
    for number in range(count):
        life.append(number, stream_id=f"o{number}")
    read = life.journal.read

    def counted(position: Position, max_bytes: int) -> list[Entry]:
        nonlocal seen
        entries = read(position, max_bytes)
        seen += len(entries)
        return entries

    monkeypatch.setattr(life.journal, "read", counted)
    for number in range(count):
        life.refuse(0, stream_id=f"o{number}")
    assert [found.content for found in life.there()] == [LINE % number for number in range(count)]
    assert seen < 50 * count
    life.end()


def test_an_event_that_comes_again_dies_once(tmp_path: Path) -> None:
    """In one life: tried again, or come to by several outputs."""
    life = Life(tmp_path)
    life.append(0, 1)
    for _ in range(2):
        life.refuse(0)
        life.fail(8)
    life.refuse(0, plugin="es_1")
    assert [(found.stage, found.plugin, found.offset) for found in life.there()] == [
        ("output", "es_0", 0),
        ("filter", "", 8),
        ("output", "es_1", 0),
    ]
    life.end()


def test_after_a_crash_between_letter_and_commit(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(0, 1)
    life.refuse(0)
    life.fail(8)
    life.end()
    for _ in range(2):
        again = Life(tmp_path, seconds=3600)
        again.refuse(0)
        again.fail(8)
        assert len(again.there()) == 2
        again.end()
    again = Life(tmp_path, seconds=3600)
    again.refuse(8)
    again.refuse(0, stream_id="p")
    assert len(again.there()) == 4
    again.end()


def test_after_a_crash_before_the_journal_knew_of_a_line(tmp_path: Path) -> None:
    """It is still in its socket, and is rejected again."""

    def reject(life: Life, offset: int) -> None:
        life.dead_letters.add(
            stage="framing", reason="too long", raw=b"x", plugin="tcp_0", stream_id="o", offset=offset
        )

    life = Life(tmp_path)
    end = life.append(0)
    for name in ("es_0", "es_1"):
        life.journal.commit(name, end)
    reject(life, 8)
    life.end()
    again = Life(tmp_path, seconds=3600)
    reject(again, 8)
    reject(again, 5008)
    assert [dead_letter.offset for dead_letter in again.there()] == [8, 5008]
    again.end()


def test_letters_of_other_pipelines_are_other_letters(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(0)
    life.refuse(0)
    life.end()
    other = Life(tmp_path, pipeline="other")
    other.refuse(0)
    assert len(other.there()) == 2
    other.end()


def test_a_letter_taken_out_by_a_purge_comes_again(tmp_path: Path) -> None:
    """Its event was not committed, so it cannot be distinguished from a new one."""
    life = Life(tmp_path)
    life.append(0)
    life.refuse(0)
    life.end()
    DeadLetterReader(tmp_path / "dead").remove(lambda line: True)
    again = Life(tmp_path)
    again.refuse(0)
    assert len(again.there()) == 1
    again.end()


def test_what_is_known_is_forgotten_with_the_journal(tmp_path: Path) -> None:
    life = Life(tmp_path, consumers=("es_0",))
    for number in range(50):
        end = life.append(*range(number, number + 2000), stream_id=f"o{number}")
        life.refuse(0, stream_id=f"o{number}")
        life.journal.commit("es_0", end)
        life.journal.sync()
    assert len(life.there()) == 50
    assert len(life.dead_letters._known) <= 50
    life.end()


def test_letters_that_cannot_be_read_stop_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    life = Life(tmp_path)
    life.append(0)
    life.refuse(0)
    life.end()
    [path] = (tmp_path / "dead").iterdir()
    path.unlink()
    path.mkdir()
    Life(tmp_path).end()
    assert "some may be written twice" in caplog.text
