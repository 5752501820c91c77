"""Letters are read and taken out while their writer goes on; none is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.dead_letters.dead_letter import DeadLetter, cause, decode, encode
from ingestd.dead_letters.reader import DeadLetterReader, DeadLettersBusyError
from ingestd.dead_letters.writer import DeadLetterWriter
from tests.threads import Background


def writer(folder: Path, name: str = "w0", max_bytes: int = 1 << 20) -> DeadLetterWriter:
    return DeadLetterWriter(folder, max_bytes, lambda: 1_763_805_600.5, name)


def add(to: DeadLetterWriter, *numbers: int, reason: str = "no") -> None:
    for number in numbers:
        to.add(stage="codec", reason=reason, raw=b"%d" % number)


def there(folder: Path) -> list[int]:
    return sorted(int(found.dead_letter.content) for found in DeadLetterReader(folder).read() if found.dead_letter)


def take(folder: Path, *numbers: int) -> int:
    return DeadLetterReader(folder).remove(
        lambda found: found.dead_letter is not None and int(found.dead_letter.content) in numbers
    )


def test_taken_out_of_closed_and_open_files(tmp_path: Path) -> None:
    """Small files, so that the dead letters lie in several, and in more than one buffer of a reader."""
    first, second = writer(tmp_path, max_bytes=8 * 20_000), writer(tmp_path, "w1")
    add(first, *range(400))
    add(second, *range(400, 500))
    assert take(tmp_path, *range(0, 500, 3)) == 167
    add(first, 1000)
    add(second, 1001)
    left = [number for number in range(500) if number % 3]
    assert there(tmp_path) == [*left, 1000, 1001]
    assert take(tmp_path, *left, 1000, 1001) == len(left) + 2
    assert there(tmp_path) == []
    assert DeadLetterReader(tmp_path).files() == []
    add(first, 7)
    first.close()
    second.close()
    assert there(tmp_path) == [7]


def test_no_letter_is_lost_between_writer_and_taker(tmp_path: Path) -> None:
    files = writer(tmp_path, max_bytes=1 << 24)
    taken = 0
    with Background(lambda: add(files, *range(3000))) as adding:
        while adding.running:
            taken += take(tmp_path, *range(0, 3000, 2))
    taken += take(tmp_path, *range(0, 3000, 2))
    files.close()
    assert taken == 1500
    assert there(tmp_path) == list(range(1, 3000, 2))


def test_what_a_crash_left(tmp_path: Path) -> None:
    files = writer(tmp_path)
    add(files, 1, 2)
    files.close()
    [path] = DeadLetterReader(tmp_path).files()
    path.write_bytes(path.read_bytes()[:-10])
    assert there(tmp_path) == [1]
    files = writer(tmp_path)
    add(files, 3)
    files.close()
    assert there(tmp_path) == [1, 3]
    assert [line.dead_letter is None for line in DeadLetterReader(tmp_path).read()] == [False, True, False]
    assert DeadLetterReader(tmp_path).remove(lambda line: line.dead_letter is None) == 1


def test_half_a_letter_at_the_end_stays(tmp_path: Path) -> None:
    files = writer(tmp_path)
    add(files, 1, 2)
    files.close()
    [path] = DeadLetterReader(tmp_path).files()
    path.write_bytes(path.read_bytes() + b'{"time"')
    assert take(tmp_path, 1, 2) == 2
    assert path.read_bytes() == b'{"time"'


def test_one_at_a_time(tmp_path: Path) -> None:
    with DeadLetterReader(tmp_path).locked(), pytest.raises(DeadLettersBusyError), DeadLetterReader(tmp_path).locked():
        pass
    with DeadLetterReader(tmp_path).locked():
        pass


def test_no_folder(tmp_path: Path) -> None:
    box = DeadLetterReader(tmp_path / "none")
    assert (list(box.read()), box.remove(lambda _: True)) == ([], 0)


CAUSES = [  # id, what a server or a plugin says, what it has in common with others
    (
        "elasticsearch",
        "document_parsing_exception: [1:13] failed to parse field [n] of type [long] in document with id 'ab-01'. "
        "Preview of field's value: 'it's a lot': caused by For input string: \"it's a lot\"",
        "document_parsing_exception: failed to parse field [n] of type [long] in document with id '…'. "
        "Preview of field's value: '…': caused by For input string: '…'",
    ),
    ("status", "HTTP 413: Request Entity Too Large", "HTTP 413: Request Entity Too Large"),
    ("sizes", "the line is longer: 2001 of 1000 bytes allowed", "the line is longer: … of … bytes allowed"),
    ("day", "no field for web-%{service}-2026.11.22", "no field for web-%{service}-…"),
    ("names", "field [field_1] of type [geo_point]", "field [field_1] of type [geo_point]"),
    ("lines", "a\nb", "a b"),
]


@pytest.mark.parametrize(("text", "reason"), [row[1:] for row in CAUSES], ids=[row[0] for row in CAUSES])
def test_cause(text: str, reason: str) -> None:
    found, detail = cause(text)
    assert found == reason
    assert (detail or found) == " ".join(text.split())


@given(st.text())
def test_any_text_can_be_a_reason(text: str) -> None:
    reason, detail = cause(text)
    dead_letter = DeadLetter(time="2026-11-22T10:00:00.000Z", stage="output", reason=reason, detail=detail, size=0)
    assert decode(encode(dead_letter)) == dead_letter
    assert len(dead_letter.group.id) == 6


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"time":"","stage":"","reason":"","size":1,"raw":"?"}', b"\xff"])
def test_no_letters(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- any text will do
        decode(line)
