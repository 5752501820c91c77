import datetime
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.base import DocumentsRejectedError, InvalidIndexError, StoreError, StoreFullError
from ingestd.stores.index_names import check_index, day_of
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.append_logs.writer import append_log_lines
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests import processes
from tests.disks import small_disk

INDEX = "logstash-2026.11.22"
TAIL = f"{INDEX}/tail-w0-00001.ndjson"


def split(body: bytes) -> list[tuple[bytes, bytes]]:
    lines = body.split(b"\n")
    assert lines.pop() == b""
    return [(document, key) for document, key in (line.split(b"\t") for line in lines)]


def count_open_files() -> int:
    return len(processes.open_files(os.getpid()))


def write(root: Path, *documents: bytes, index: str = INDEX, writer_id: str = "w0") -> None:
    writer = LocalWriter(root, writer_id)
    writer.append(index, documents)
    writer.close()


def test_a_line_is_document_tab_id(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, [b'{"a":1}', b'{"a":2}'], ["c-1", "c-2"])
    writer.append(INDEX, [b'{"a":3}'])
    writer.append(INDEX, [])
    writer.close()
    assert (tmp_path / TAIL).read_bytes() == b'{"a":1}\t"c-1"\n{"a":2}\t"c-2"\n{"a":3}\t\n'


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_any_ids_stay_separate(ids: list[str]) -> None:
    lines = split(append_log_lines([b"{}"] * len(ids), ids))
    assert [json.loads(key) for _, key in lines] == ids


@pytest.mark.parametrize("ids", [[","], [",", ",", ","], ['"', '",', ',"'], ["\\", '\\"', "\t\n\r\0"], ["", "", ""]])
def test_ids_of_separators_stay_separate(ids: list[str]) -> None:
    assert [json.loads(key) for _, key in split(append_log_lines([b"{}"] * len(ids), ids))] == ids


def test_blanks_between_tokens_become_spaces() -> None:
    assert split(append_log_lines([b'{\r\n\t"a": 1\n}', b"{}"], None)) == [(b'{   "a": 1 }', b""), (b"{}", b"")]


def test_ids_must_be_as_many_as_documents(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    with pytest.raises(ValueError, match="2 documents have 1 ids"):
        writer.append(INDEX, [b"{}", b"{}"], ["1"])
    writer.close()


def test_a_document_too_long_to_be_read_is_rejected(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    with pytest.raises(DocumentsRejectedError) as caught:
        writer.append(INDEX, [b"{}", b'{"a":"' + b"x" * MAX_DOCUMENT_BYTES + b'"}', b"{}"])
    writer.close()
    assert caught.value.positions == (1,)
    assert LocalStore(tmp_path).indices() == []


INDEX_NAMES = [  # id, name, reason
    ("empty", "", "empty"),
    ("parent", "..", "starts with"),
    ("path", "a/../../etc", "'/' is not allowed"),
    ("backslash", "a\\b", "is not allowed"),
    ("hidden", ".writer-w0.lock", "starts with"),
    ("dash", "-a", "starts with"),
    ("capitals", "Logstash", "capital"),
    ("blank", "a b", "is not allowed"),
    ("control", "a\0b", "is not allowed"),
    ("surrogate", "a\ud800", "is not allowed"),
    ("long", "서" * 86, "255 bytes"),
    ("unresolved", "logstash-%{site}-2026", "missing in the event"),
]


@pytest.mark.parametrize(("name", "reason"), [c[1:] for c in INDEX_NAMES], ids=[c[0] for c in INDEX_NAMES])
def test_an_invalid_index_name_is_rejected(name: str, reason: str, tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path / "root", "w0")
    with pytest.raises(InvalidIndexError) as caught:
        writer.append(name, [b"{}"])
    writer.close()
    assert reason in caught.value.reason
    assert caught.value.index == name
    assert [path.name for path in tmp_path.rglob("*")] == ["root", ".writer-w0.lock"]


@pytest.mark.parametrize("name", [INDEX, "서울-2026.11.22", "a", "a%b", "a..b", "9"])
def test_index_names(name: str) -> None:
    check_index(name)


@pytest.mark.parametrize(
    ("name", "day"),
    [(INDEX, "2026-11-22"), ("x-2026-11-22", "2026-11-22"), ("x-2026.13.01", None), ("x-2026.11", None), ("x", None)],
)
def test_day_of_an_index(name: str, day: str | None) -> None:
    assert str(day_of(name)) == str(day)


@pytest.mark.parametrize("writer_id", ["", "a-b", "../x", "W", "x" * 33])
def test_writer_ids_are_parts_of_file_names(writer_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="writer id"):
        LocalWriter(tmp_path, writer_id)


def test_only_one_process_writes_under_an_id(tmp_path: Path) -> None:
    first = LocalWriter(tmp_path, "w0")
    with pytest.raises(StoreError, match="another process writes"):
        LocalWriter(tmp_path, "w0")
    LocalWriter(tmp_path, "w1").close()
    first.close()
    LocalWriter(tmp_path, "w0").close()


def test_close_twice(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.close()
    writer.close()


def test_the_number_of_open_append_logs_is_limited(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0", max_open=2)
    before = count_open_files()
    for _ in range(2):
        for day in range(10, 20):
            writer.append(f"logstash-2026.11.{day}", [b"{}"])
    assert count_open_files() - before == 2
    writer.sync()
    writer.close()
    assert [info.events for info in LocalStore(tmp_path).indices()] == [2] * 10


def test_an_index_deleted_under_the_writer_is_created_again(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, [b'{"a":1}'])
    (tmp_path / TAIL).unlink()
    (tmp_path / INDEX).rmdir()
    writer.append(INDEX, [b'{"a":2}'])
    writer.close()
    assert (tmp_path / TAIL).read_bytes() == b'{"a":2}\t\n'


def test_a_writer_continues_its_newest_append_log(tmp_path: Path) -> None:
    write(tmp_path, b'{"a":1}')
    (tmp_path / TAIL).rename(tmp_path / INDEX / "tail-w0-00007.ndjson")
    (tmp_path / INDEX / "tail-w1-00009.ndjson").touch()
    write(tmp_path, b'{"a":2}')
    assert (tmp_path / INDEX / "tail-w0-00007.ndjson").read_bytes() == b'{"a":1}\t\n{"a":2}\t\n'


WHOLE = b'{"a":"one"}\t"1"\n'
LAST = '{"a":"서울"}\t"2"\n'.encode()


@pytest.mark.parametrize("cut", range(len(LAST)))
def test_a_line_torn_at_any_byte_is_cut_off_and_kept(cut: int, tmp_path: Path) -> None:
    write(tmp_path, b"{}")
    (tmp_path / TAIL).write_bytes(WHOLE + LAST[:cut])
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, ['{"a":"서울"}'.encode()], ["2"])
    writer.close()
    assert (tmp_path / TAIL).read_bytes() == WHOLE + LAST
    kept = [(repair.offset, repair.size, repair.kept.read_bytes()) for repair in writer.repairs]
    assert kept == ([(len(WHOLE), cut, LAST[:cut])] if cut else [])
    assert LocalStore(tmp_path).indices()[0].events == 2


def test_a_torn_line_longer_than_a_read_and_alone(tmp_path: Path) -> None:
    write(tmp_path, b"{}")
    (tmp_path / TAIL).write_bytes(b"x" * 200_000)
    writer = LocalWriter(tmp_path, "w0")
    writer.close()
    assert [(repair.offset, repair.size) for repair in writer.repairs] == [(0, 200_000)]
    assert (tmp_path / TAIL).read_bytes() == b""


def test_an_append_log_of_another_writer_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, b"{}", writer_id="w1")
    torn = tmp_path / INDEX / "tail-w1-00001.ndjson"
    torn.write_bytes(b'{"half')
    assert LocalWriter(tmp_path, "w0").repairs == []
    assert torn.read_bytes() == b'{"half'


FULL = """
import resource, signal, sys
from pathlib import Path
from ingestd.stores.base import StoreFullError
from ingestd.stores.local import LocalWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = LocalWriter(Path(sys.argv[1]), "w0")
limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
batch = [b'{"a":"%03d"}' % at for at in range(10)]
writer.append("x", batch)
limit(200)
try:
    writer.append("x", batch)
except StoreFullError as error:
    print(error)
print(Path(sys.argv[1], "x", "tail-w0-00001.ndjson").stat().st_size)
limit(resource.RLIM_INFINITY)
writer.append("x", batch)
writer.close()
"""


def test_no_part_of_a_batch_is_kept_when_the_file_is_full(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    size = 10 * len(b'{"a":"000"}\t\n')
    assert done.stdout.splitlines() == ["cannot append to index 'x': File too large", str(size)]
    lines = b"".join(b'{"a":"%03d"}\t\n' % at for at in range(10))
    assert (tmp_path / "x/tail-w0-00001.ndjson").read_bytes() == 2 * lines


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=256k"):
        writer = LocalWriter(tmp_path, "w0")
        batch = [b'{"a":"' + b"x" * 993 + b'"}'] * 10

        def append_until_full() -> None:
            while True:
                writer.append(INDEX, batch)

        with pytest.raises(StoreFullError, match="No space left"):
            append_until_full()
        data = (tmp_path / TAIL).read_bytes()
        assert len(data) > 100_000
        assert len(data) % sum(len(document) + len("\t\n") for document in batch) == 0
        writer.close()


def test_an_index_whose_folder_cannot_be_made(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    (tmp_path / INDEX).write_text("a file is where the folder should be")
    with pytest.raises(InvalidIndexError, match="it cannot be the name of a folder: File exists") as caught:
        writer.append(INDEX, [b"{}"])
    writer.close()
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == errno.EEXIST


def test_a_root_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot open the store: Not a directory"):
        LocalWriter(tmp_path / "file/indices", "w0")


class Clock:
    """Seconds that pass only when a test says so."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


CLOSED = [  # id, seconds between appends, index, time of the check, files after one more append and a sealer's pass
    ("idle", (0, 60), INDEX, "2026-11-22T10:00:00Z", 1),
    ("in use", (30, 30, 30, 30, 59), INDEX, "2026-11-22T10:00:00Z", 0),
    ("day is over", (30, 30, 30), INDEX, "2026-11-23T12:00:00Z", 1),
    ("day is over, just opened", (30, 29), INDEX, "2026-11-23T12:00:00Z", 0),
    ("day is not over in the west", (30, 30, 30), INDEX, "2026-11-23T11:59:59Z", 0),
    ("any zone", (30, 30, 30), INDEX, "2026-11-23T21:00:00+09:00", 1),
    ("future day", (30, 30, 30), INDEX, "2026-11-20T10:00:00Z", 0),
    ("no day", (30, 30, 30), "other", "2026-11-23T12:00:00Z", 0),
    ("no day, idle", (30, 60), "other", "2026-11-22T12:00:00Z", 1),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("pauses", "index", "now", "sealed"), [c[1:] for c in CLOSED], ids=[c[0] for c in CLOSED])
def test_idle_logs_and_those_of_past_days_are_left_to_the_sealer(
    tmp_path: Path, pauses: tuple[float, ...], index: str, now: str, sealed: int
) -> None:
    clock = Clock()
    writer = LocalWriter(tmp_path, "w0", clock=clock)
    for pause in pauses:
        writer.append(index, [b"{}"])
        clock.seconds += pause
    writer.close_idle(60, datetime.datetime.fromisoformat(now))
    assert len(seal_once(tmp_path, Policy(idle_s=0))) == sealed
    writer.append(index, [b"{}"])
    assert [info.events for info in LocalStore(tmp_path).indices()] == [len(pauses) + 1]
    writer.close()


def test_a_log_that_was_closed_as_idle_continues(tmp_path: Path) -> None:
    clock = Clock()
    writer = LocalWriter(tmp_path, "w0", clock=clock)
    for document in (b'{"a":1}', b'{"a":2}'):
        writer.append(INDEX, [document])
        clock.seconds += 60
        writer.close_idle(60, datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC))
    writer.close()
    assert (tmp_path / TAIL).read_bytes() == b'{"a":1}\t\n{"a":2}\t\n'
