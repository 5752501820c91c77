"""``ingestd journal inspect|verify|export``: on sound, damaged and living journals."""

import json
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.commands.journal import journal as command
from tests.journal.builders import chunk, everything, fill, segments, small
from tests.threads import Background


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(data_dir)], env={"TZ": "UTC"})


def inspected(data_dir: Path) -> Any:
    done = run(data_dir, "inspect", "--json")
    assert done.exit_code == 0
    return json.loads(done.stdout)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes: what is damaged need not be looked at again after a pause."""
    monkeypatch.setattr("ingestd.cli.commands.journal._RETRY_S", 0.0)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The data folder of a daemon with two workers."""
    first = small(tmp_path / "journal" / "worker-0")
    first.consumers(["elasticsearch-1", "store"])
    fill(first, 5)
    ends = [entry.end for entry in everything(first)]
    first.commit("elasticsearch-1", ends[3], {"2026-11-22": {"tcp-1": 8}})
    first.commit("store", ends[1])
    first.close()
    second = small(tmp_path / "journal" / "worker-1")
    second.append([chunk(0, b"no line end", stream_id="udp", frames=0)])
    second.close()
    return tmp_path


def worker(data_dir: Path, number: int = 0) -> Path:
    return data_dir / "journal" / f"worker-{number}"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_inspect_as_json(data_dir: Path) -> None:
    first, second = inspected(data_dir)
    size = segments(worker(data_dir))[0].stat().st_size
    record_bytes = (size - 32) // 5
    assert first == {
        "worker": "worker-0",
        "segments": 1,
        "bytes": size,
        "records": 5,
        "events": 10,
        "raw_bytes": 40,
        "oldest": "2026-11-18T11:06:40.000Z",
        "newest": "2026-11-18T11:06:40.000000004Z",
        "connections": 1,
        "outputs": {
            "elasticsearch-1": {"events": 2, "bytes": record_bytes, "state": {"2026-11-22": {"tcp-1": 8}}},
            "store": {"events": 6, "bytes": 3 * record_bytes, "state": None},
        },
        "faults": [],
        "set_aside": [],
    }
    assert (second["worker"], second["events"], second["outputs"]) == ("worker-1", 1, {})


def test_inspect(data_dir: Path) -> None:
    done = run(data_dir, "inspect", "--worker", "worker-0")
    lines = done.stdout.splitlines()
    assert lines[0] == "worker-0: 10 events in 5 records of 1 connection"
    assert lines[1].endswith("in 1 file, 40 B as received")
    assert lines[2].startswith("  received from 2026-11-18 ")
    assert [line.split() for line in lines[3:]] == [
        ["OUTPUT", "EVENTS", "WAITING", "SIZE"],
        ["elasticsearch-1", "2", *lines[4].split()[2:]],
        ["store", "6", *lines[5].split()[2:]],
    ]


def test_verify(data_dir: Path) -> None:
    done = run(data_dir, "verify")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "worker-0: 5 good records, 10 events" in done.stderr
    assert "worker-1: 1 good record, 1 event" in done.stderr


@pytest.mark.usefixtures("quick")
def test_damage_is_reported_and_nothing_changed(data_dir: Path) -> None:
    (path,) = segments(worker(data_dir))
    size = (path.stat().st_size - 32) // 5
    flip(path, 32 + size + 60)
    flip(path, path.stat().st_size - 1)
    before = path.read_bytes()
    done = run(data_dir, "verify")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "worker-0: a part of a journal file is damaged and was skipped "
        f"({path.name} at byte {32 + size}: {size} bytes, 2 events)",
        "worker-0: the end of a journal file was cut off, as a crash leaves it "
        f"({path.name} at byte {32 + 4 * size}: {size} bytes)",
        f"worker-0: a part of the journal is missing and was skipped ({path.name} at byte 0: {size} bytes, 2 events)",
    ]
    exported = run(data_dir, "export", "--worker", "worker-0")
    assert (exported.exit_code, exported.stdout) == (1, "one\ntwo\n" * 3)
    assert exported.stderr.splitlines() == done.stdout.splitlines()[:2]
    assert [fault["kind"] for fault in inspected(data_dir)[0]["faults"]] == ["damaged", "torn", "missing"]
    assert "  a part of a journal file is damaged" in run(data_dir, "inspect").stdout
    assert path.read_bytes() == before
    small(worker(data_dir)).close()
    assert "set aside by repairs: " in run(data_dir, "inspect").stdout


@pytest.mark.usefixtures("quick")
def test_other_damage(data_dir: Path) -> None:
    folder = worker(data_dir)
    journal = small(folder)
    for _ in range(4):
        fill(journal, 1, b"x" * 4000)
    journal.close()
    first, second, third, *_ = segments(folder)
    flip(first, 9)
    second.unlink()
    flip(third, 40)
    (folder / "journal-00000090.seg").write_bytes(b"ingestdJ")
    (folder / "journal-00000091.seg").write_bytes(b"x" * 99)
    (folder / "journal-00000092.seg").write_bytes(b"")
    (folder / "positions").write_bytes(b"x" * 12_288)
    faults = inspected(data_dir)[0]["faults"]
    kinds = ["damaged", "missing", "torn", "torn", "unreadable", "positions"]
    assert [fault["kind"] for fault in faults] == kinds
    assert faults[1]["events"] == 1
    journal = small(folder)
    assert sorted(repair.kind for repair in journal.repairs) == sorted(kinds), "opening finds the same"
    journal.close()


def test_export(data_dir: Path) -> None:
    assert run(data_dir, "export").stdout == "one\ntwo\n" * 5 + "no line end\n"
    assert run(data_dir, "export", "--waiting").stdout == "one\ntwo\n" * 3 + "no line end\n"
    file = data_dir / "lines"
    assert run(data_dir, "export", "--worker", "worker-1", "--output", str(file)).stdout == ""
    assert file.read_bytes() == b"no line end\n"


def test_without_a_journal(tmp_path: Path) -> None:
    for name in ("inspect", "verify", "export"):
        done = run(tmp_path, name)
        assert (done.exit_code, done.stderr) == (0, f"there is no journal in {tmp_path}\n")
    assert inspected(tmp_path) == []


def test_an_unknown_worker(data_dir: Path) -> None:
    done = run(data_dir, "verify", "--worker", "worker-7")
    assert done.exit_code == 1
    assert "worker 'worker-7' has no journal; workers with one: worker-0, worker-1" in done.stderr


def test_a_write_that_is_under_way_is_no_damage(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a record at the end of the file is there in full when it is looked at again."""
    (path,) = segments(worker(data_dir))
    whole = path.read_bytes()
    for size in (len(whole) - 3, 20):
        path.write_bytes(whole[:size])
        monkeypatch.setattr(
            "ingestd.cli.commands.journal._pause_before_retry", lambda: path.write_bytes(whole) and None
        )
        assert inspected(data_dir)[0]["faults"] == []
        assert inspected(data_dir)[0]["records"] == 5
    path.write_bytes(whole[:-3])

    def deliver() -> None:
        path.unlink(missing_ok=True)
        journal = small(worker(data_dir))
        for name in ("elasticsearch-1", "store"):
            journal.commit(name, journal.end)
        journal.close()

    monkeypatch.setattr("ingestd.cli.commands.journal._pause_before_retry", deliver)
    assert run(data_dir, "verify").exit_code == 0, "it was freed meanwhile"


def test_while_a_daemon_writes(tmp_path: Path) -> None:
    journal = small(worker(tmp_path), max_bytes=1 << 26, segment_bytes=1 << 16)
    journal.consumers(["one"])
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            fill(journal, 5, b"x\n" * (number % 900), first=number)
            number += 5
            if number % 500 == 0:
                journal.commit("one", journal.end)
                journal.sync()
            os.sched_yield()

    with closing(journal), Background(write, stop.set):
        for _ in range(5):
            done = run(tmp_path, "verify")
            assert (done.exit_code, done.stdout) == (0, "")
