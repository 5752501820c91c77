import hashlib
from pathlib import Path

import pytest

from ingestd.config.parser import parse
from ingestd.jobs.import_checkpoints import (
    ImportBusyError,
    ImportCheckpoint,
    ImportCheckpoints,
    PrefixDigests,
    destination_of,
    digest,
)

ANY = Path("any")


def outputs(text: str) -> str:
    return destination_of(parse(f"input {{ stdin {{ }} }} {text}", "-e", {}).outputs)


def test_destination_depends_on_the_outputs_alone() -> None:
    plain = outputs("output { store { } }")
    assert plain == outputs('filter { mutate { add_tag => "x" } }\n\noutput {\n  store {\n}}')
    assert plain != outputs('output { store { index => "x-%{+YYYY}" } }')
    assert plain != outputs("output { stdout { } }")


def test_file_that_has_grown(tmp_path: Path) -> None:
    prefix = b"first line\n"
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        checkpoint = checkpoints.new(prefix, Path("a.log"))
        checkpoints.save(
            ImportCheckpoint(
                checkpoint.stream_id, checkpoint.prefix, checkpoint.prefix_bytes, 11, digest(prefix), 11, "a.log"
            )
        )
    again = ImportCheckpoints(tmp_path, "d")
    with again.locked():
        assert [known.offset for known in again.candidates(prefix + b"second line\n", ANY)] == [11]
        assert again.candidates(b"other line\n", ANY) == again.candidates(b"first", ANY) == []
    other = ImportCheckpoints(tmp_path, "e")
    with other.locked():
        assert other.candidates(prefix, ANY) == []


def test_a_few_first_bytes_do_not_make_a_file_the_same(tmp_path: Path) -> None:
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        checkpoints.save(checkpoints.new(b"{", Path("a")))
        checkpoints.save(checkpoints.new(b"", Path("empty")))
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        assert checkpoints.candidates(b"{}", Path("b")) == checkpoints.candidates(b"", Path("empty")) == []
        assert len(checkpoints.candidates(b"{", Path("b"))) == len(checkpoints.candidates(b"{}", Path("a"))) == 1


def test_imports_in_progress(tmp_path: Path) -> None:
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        checkpoints.save(ImportCheckpoint("a", "", 0, 5, in_progress=True))
        checkpoints.save(ImportCheckpoint("b", "", 0, 7, in_progress=True))
    after_a_kill = ImportCheckpoints(tmp_path, "d")
    with after_a_kill.locked():
        assert after_a_kill.in_progress() == {"a": 5, "b": 7}
    checkpoints.mark_complete()
    with after_a_kill.locked():
        assert after_a_kill.in_progress() == {}


def test_files_with_the_same_start_have_different_streams(tmp_path: Path) -> None:
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        first = checkpoints.new(b"x", Path("first"))
        checkpoints.remember(first)
        second = checkpoints.new(b"x", Path("second"))
    assert second.stream_id == f"{first.stream_id}.1"
    assert first.stream_id == ImportCheckpoints(tmp_path, "d").new(b"x", Path("elsewhere")).stream_id


def test_damaged_checkpoint_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "f00-d.json").write_bytes(b'{"origin":')
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        assert checkpoints.candidates(b"x", ANY) == []


def test_one_import_at_a_time(tmp_path: Path) -> None:
    with (
        ImportCheckpoints(tmp_path, "d").locked(),
        pytest.raises(ImportBusyError),
        ImportCheckpoints(tmp_path, "e").locked(),
    ):
        pass
    with ImportCheckpoints(tmp_path, "d").locked():
        pass


def test_prefix_digests() -> None:
    digests = PrefixDigests()
    for part in (b"abc", b"de", b"f"):
        digests.add(part)
    assert (digests.size, digests.digest) == (6, digest(b"abcdef"))
    assert digests.at(2) == (0, digest(b""))
    assert digests.at(4) == (3, digest(b"abc"))
    assert digests.at(6) == (6, hashlib.blake2b(b"abcdef", digest_size=16).hexdigest())


def test_names_in_the_file(tmp_path: Path) -> None:
    """They stay the same: files of earlier versions are read."""
    (tmp_path / "f0-d.json").write_bytes(
        b'{"origin":"f0","head":"h","head_bytes":3,"offset":2,"checked":"c","checked_bytes":2,"path":"a","under_way":true}'
    )
    checkpoints = ImportCheckpoints(tmp_path, "d")
    with checkpoints.locked():
        assert checkpoints.in_progress() == {"f0": 2}
        checkpoints.save(ImportCheckpoint("f1", "h", 3, 2, "c", 2, "a", in_progress=True))
    assert (tmp_path / "f1-d.json").read_bytes() == (tmp_path / "f0-d.json").read_bytes().replace(b"f0", b"f1")
