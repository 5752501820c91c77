"""``ingestd audit`` on data folders: what adds up, what does not, and by how much."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.commands.audit import audit
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.folders import journal_folder
from ingestd.journal.journal import Journal
from ingestd.lifecycle import build
from ingestd.pipeline.ledger import Ledger
from ingestd.settings import load_settings, remember_zone
from ingestd.stores.local.append_logs.writer import LocalWriter
from ingestd.stores.local.index.layout import store_root
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.stores.local.damage import cut, empty, garbage, link_outside, zeroed_values

NS = 1_795_341_600_000_000_000  # 2026-11-22
DAY, NEXT = "2026-11-22", "2026-11-23"
INDEX = "logstash-2026.11.22"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes while it looks: what does not add up need not be looked at again after a pause."""
    monkeypatch.setattr(sys.modules[audit.callback.__module__], "_RETRY_S", 0.0)


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(audit, [*arguments, "--data-dir", str(data_dir)])


def document(data_dir: Path, *arguments: str, code: int = 0) -> Any:
    done = run(data_dir, "--json", *arguments)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


class Worker:
    """A journal with ledgers, as a worker leaves them. ``output`` has delivered what ``deliver`` was called for."""

    def __init__(
        self,
        data_dir: Path,
        name: str = "w0",
        outputs: tuple[str, ...] = ("store_0",),
        zone: datetime.tzinfo = datetime.UTC,
    ) -> None:
        self.journal = Journal(journal_folder(data_dir, name))
        self.journal.consumers(outputs)
        self.ledgers = {name: Ledger(name.partition("_")[0], None, 0, zone=zone) for name in outputs}

    def receive(self, events: int, day: float = 0) -> None:
        data = b'{"n":1}\n' * events
        self.journal.append([Chunk("tcp_0", "c", {}, 0, NS + round(day * 86_400) * 10**9, events, data)])

    def deliver(
        self, events: int, tally: Tally | None = None, output: str = "store_0", indices: dict[str, int] | None = None
    ) -> None:
        ledger = self.ledgers[output]
        chunk, end = self.journal.read(self.journal.committed(output)[0], 1)[0]
        assert chunk.events == events
        ledger.enter(chunk, tally or Tally(events, delivered=events, indices=Counter(indices or {})))
        self.journal.commit(output, end, ledger.state)


def store(data_dir: Path, events: int) -> None:
    writer = LocalWriter(store_root(data_dir), "w0")
    writer.append(INDEX, [b'{"n":1}'] * events, [f"o-{number}" for number in range(events)])
    writer.close()


def test_nothing_yet(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert (found["received"], found["balanced"], found["outputs"], found["indices"]) == (0, True, [], [])
    assert run(tmp_path).stdout.startswith("there is nothing to audit: accounts are kept for each output of a config")


def test_imported_events_are_listed(tmp_path: Path) -> None:
    store(tmp_path, 2)
    assert document(tmp_path)["indices"] == [{"index": INDEX, "delivered": 0, "found": 2, "missing": 0}]
    assert document(tmp_path, "--day", "2001-01-01")["indices"] == []
    said = run(tmp_path).stdout
    assert "found but not delivered by the daemon: 2 (imports, restored days" in said


def test_everything_that_can_become_of_an_event(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.receive(10)
    worker.receive(5)
    tally = Tally(10, delivered=4, duplicates=1, dead=2, indices=Counter({INDEX: 4}))
    tally.dropped.update({"drop_0": 2, "drop_1": 1})
    worker.deliver(10, tally)
    store(tmp_path, 5)
    found = document(tmp_path)
    numbers = {name: found[name] for name in ("received", "delivered", "duplicates", "dead", "dropped", "queued")}
    assert numbers == {"received": 15, "delivered": 4, "duplicates": 1, "dead": 2, "dropped": 3, "queued": 5}
    assert (found["balanced"], found["difference"], found["dropped_by"]) == (True, 0, tally.dropped)
    assert found["indices"] == [{"index": INDEX, "delivered": 4, "found": 5, "missing": 0}]
    assert run(tmp_path).stdout.splitlines() == [
        "OUTPUT   DAY         INPUT  RECEIVED  DELIVERED  DUPLICATES  DEAD  DROPPED  QUEUED",
        "store_0  2026-11-22  tcp_0        15          4           1     2        3       5",
        "dropped on the way to store_0: drop_0 2, drop_1 1",
        "",
        "INDEX                DELIVERED  FOUND  MISSING",
        "logstash-2026.11.22          4      5        0",
        "found but not delivered by the daemon: 1 (imports, restored days, other programs: they have no account)",
        "",
        "everything adds up",
    ]


def test_workers_are_added_up_and_pipelines_are_separate(tmp_path: Path) -> None:
    for name, events in (("w0", 3), ("w1", 4), ("w1-extra", 5)):
        worker = Worker(tmp_path, name)
        worker.receive(events)
        worker.deliver(events)
    found = document(tmp_path)
    assert found["received"] == found["delivered"] == 12
    assert [(output["pipeline"], output["received"]) for output in found["outputs"]] == [("extra", 5), ("main", 7)]
    assert "main/store_0" in run(tmp_path).stdout


def test_what_goes_to_other_pipelines_is_counted_by_address(tmp_path: Path) -> None:
    worker = Worker(tmp_path, outputs=("pipeline_0",))
    worker.receive(6)
    worker.deliver(6, output="pipeline_0", indices={"weblogs": 6, "archive": 2})
    [account] = document(tmp_path)["outputs"]
    assert account["addresses"] == {"weblogs": 6, "archive": 2}
    said = run(tmp_path).stdout
    assert "main/pipeline_0 handed over to other pipelines, by address: archive 2, weblogs 6" in said
    assert "INDEX" not in said


def test_every_output_has_its_own_balance(tmp_path: Path) -> None:
    worker = Worker(tmp_path, outputs=("elasticsearch_0", "store_0"))
    worker.receive(6)
    worker.deliver(6)
    found = document(tmp_path)
    assert [(output["output"], output["delivered"], output["queued"]) for output in found["outputs"]] == [
        ("elasticsearch_0", 0, 6),
        ("store_0", 6, 0),
    ]
    assert (found["received"], found["queued"]) == (6, 6)  # those of the output that is furthest behind


def test_days(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    for day, events in ((0, 3), (0, 4), (1, 5), (1, 6)):
        worker.receive(events, day)
    worker.deliver(3)
    worker.deliver(4)
    worker.deliver(5)
    days = [(day["day"], day["received"], day["queued"]) for day in document(tmp_path)["outputs"][0]["days"]]
    assert days == [(DAY, 7, 0), (NEXT, 11, 6)]
    assert document(tmp_path, "--day", DAY)["received"] == 7
    assert document(tmp_path, "--day", "2026.11.23")["received"] == 11
    assert document(tmp_path, "--day", "2026-11-24")["received"] == 0
    assert "expected a day" in run(tmp_path, "--day", "someday").stderr


def test_days_are_those_of_the_zone_that_the_folder_remembers(tmp_path: Path) -> None:
    """What is queued, what the daemon has entered, and the indices: all have the day of the site."""
    remember_zone(load_settings(environ={}, flags={"data_dir": str(tmp_path), "index_timezone": "Asia/Seoul"}), 0)
    worker = Worker(tmp_path, zone=ZoneInfo("Asia/Seoul"))
    for hour, events in ((0, 1), (4, 2), (5, 4), (28, 8), (29, 16)):  # the first is 19:00 of 2026-11-22 in Seoul
        worker.receive(events, hour / 24)
    for events in (1, 2, 4):
        worker.deliver(events)
    received = [document(tmp_path, "--day", f"2026-11-{day}")["received"] for day in (21, 22, 23, 24)]
    assert received == [0, 3, 12, 16]


def worker_with(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    worker = Worker(tmp_path)
    worker.receive(10)
    change(worker.ledgers["store_0"].state)
    worker.deliver(10, indices={INDEX: 10})
    store(tmp_path, 10)


def fewer_delivered(state: dict[str, Any]) -> None:
    state["days"] = {DAY: {"tcp_0": {"delivered": -3}}}


def more_delivered(state: dict[str, Any]) -> None:
    state["days"] = {DAY: {"tcp_0": {"delivered": 2}}}


def events_unheard_of(state: dict[str, Any]) -> None:
    state["events"] = -4


def more_in_the_index(state: dict[str, Any]) -> None:
    state["indices"] = {INDEX: 1}


@pytest.mark.parametrize(
    ("change", "difference", "said"),
    [
        (fewer_delivered, 3, "main/store_0: 3 received events are not accounted for"),
        (more_delivered, -2, "main/store_0: 2 more events are accounted for than were received"),
        (
            events_unheard_of,
            4,
            "main/store_0: 4 received events were lost with a damaged or missing part of the journal",
        ),
        (more_in_the_index, 0, f"index {INDEX}: 1 of 11 delivered events are missing"),
    ],
)
def test_a_broken_ledger(tmp_path: Path, change: Callable[[dict[str, Any]], None], difference: int, said: str) -> None:
    worker_with(tmp_path, change)
    for arguments in ((), ("--day", DAY)):
        found = document(tmp_path, *arguments, code=1)
        assert (found["balanced"], found["difference"]) == (False, difference)
        done = run(tmp_path, *arguments)
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, said)


def test_an_index_that_was_deleted_is_not_missed(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.receive(2)
    worker.deliver(2, indices={INDEX: 2})
    assert document(tmp_path)["indices"] == [{"index": INDEX, "delivered": 2, "found": None, "missing": 0}]
    assert "deleted" in run(tmp_path).stdout


def _flip_the_middle(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 255
    segment.write_bytes(data)


def _cut(segment: Path) -> None:
    os.truncate(segment, segment.stat().st_size - 1)


def _zero(segment: Path) -> None:
    segment.write_bytes(bytes(segment.stat().st_size))


FAULTS = [  # id, what happens to the only segment with 3 events that are delivered, 4 and 5; the events that are left
    ("a_byte", _flip_the_middle, 5),
    ("cut", _cut, 4),
    ("zeroed", _zero, 0),
    ("garbage", lambda segment: segment.write_bytes(b"\xff garbage" * 50), 0),
    ("empty", lambda segment: segment.write_bytes(b""), 0),
    ("deleted", Path.unlink, 0),
]


@pytest.mark.parametrize(("fault", "left"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
@pytest.mark.parametrize("restarted", [False, True], ids=["stopped", "restarted"])
def test_a_part_of_the_journal_that_was_destroyed(
    tmp_path: Path, fault: Callable[[Path], None], left: int, restarted: bool
) -> None:
    worker = Worker(tmp_path)
    for events in (3, 4, 5):
        worker.receive(events)
    worker.deliver(3)
    worker.journal.close()
    [segment] = journal_folder(tmp_path, "w0").glob("*.seg")
    fault(segment)
    if restarted:
        again = Worker(tmp_path)
        again.receive(2)
        again.journal.close()
        left += 2
    found = document(tmp_path, code=1)
    received, lost = 12 + 2 * restarted, 9 + 2 * restarted - left
    assert (found["received"], found["delivered"], found["queued"], found["difference"]) == (received, 3, left, lost)
    assert found["outputs"][0]["lost"] == lost
    said = f"main/store_0: {lost:,} received events were lost with a damaged or missing part of the journal"
    assert run(tmp_path).stdout.splitlines()[-1] == said


def test_no_server(tmp_path: Path) -> None:
    worker = Worker(tmp_path, outputs=("elasticsearch_0",))
    worker.receive(2)
    worker.deliver(2, indices={INDEX: 2}, output="elasticsearch_0")
    assert document(tmp_path)["indices"] == []
    done = run(tmp_path, "--store", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "127.0.0.1:1" in done.stderr


def sealed_store(data_dir: Path) -> Path:
    """Deliver 10 events, of which 6 are sealed; return the folder of the index."""
    worker = Worker(data_dir)
    worker.receive(10)
    worker.deliver(10, indices={INDEX: 10})
    worker.journal.close()
    root = store_root(data_dir)
    for first, last in ((0, 6), (6, 10)):
        writer = LocalWriter(root, "w0")
        documents = [b'{"n":"%b"}' % os.urandom(400).hex().encode() for _ in range(first, last)]
        writer.append(INDEX, documents, [f"o-{number}" for number in range(first, last)])
        writer.close()
        if first == 0:
            seal_once(root, Policy(idle_s=0))
    return root / INDEX


DAMAGE = [  # id, file, fault, events that are missing, whether only --deep sees it
    ("cut", "sealed-00001.parquet", cut, 6, False),
    ("zeroed", "sealed-00001.parquet", zeroed_values, 6, True),
    ("garbage", "sealed-00001.parquet", garbage, 6, False),
    ("deleted", "sealed-00001.parquet", Path.unlink, 6, False),
    ("link", "sealed-00001.parquet", link_outside, 6, False),
    ("manifest", "sealed.json", garbage, 10, False),
    ("log", "tail-w0-00002.ndjson", empty, 4, False),
    ("log_deleted", "tail-w0-00002.ndjson", Path.unlink, 4, False),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "fault", "missing", "deep"), [c[1:] for c in DAMAGE], ids=[c[0] for c in DAMAGE])
def test_damaged_and_removed_files_of_an_index(
    tmp_path: Path, name: str, fault: Callable[[Path], None], missing: int, deep: bool
) -> None:
    path = sealed_store(tmp_path) / name
    assert document(tmp_path, "--deep")["indices"] == [{"index": INDEX, "delivered": 10, "found": 10, "missing": 0}]
    fault(path)
    if deep:
        assert document(tmp_path)["balanced"]
    found = document(tmp_path, *(["--deep"] if deep else []), code=1)
    assert [(index["found"], index["missing"]) for index in found["indices"]] == [(10 - missing, missing)]
    done = run(tmp_path, *(["--deep"] if deep else []))
    assert f"index {INDEX}: {missing} of 10 delivered events are missing" in done.stdout
    assert name.startswith("tail") or f"index {INDEX}: {name} " in done.stdout


def test_damage_of_an_index_without_an_account(tmp_path: Path) -> None:
    folder = sealed_store(tmp_path)
    folder.rename(folder.with_name("imported-2026.11.20"))
    cut(folder.with_name("imported-2026.11.20") / "sealed-00001.parquet")
    [deleted, imported] = sorted(document(tmp_path, code=1)["indices"], key=lambda index: -index["delivered"])
    assert (deleted["found"], imported["delivered"], imported["found"]) == (None, 0, 4)
    assert "sealed-00001.parquet" in imported["faults"][0]
    assert document(tmp_path, "--day", DAY)["balanced"]


def test_events_that_are_stored_twice(tmp_path: Path) -> None:
    sealed_store(tmp_path)
    writer = LocalWriter(store_root(tmp_path), "w1")
    writer.append(INDEX, [b"{}"] * 3, ["o-1", "o-8", "other"])
    writer.close()
    assert document(tmp_path, code=1)["indices"][0]["repeated"] == 2
    assert run(tmp_path).stdout.splitlines()[-1] == f"index {INDEX}: 2 events are stored more than once"


def test_a_late_event_after_retention_is_no_alarm(tmp_path: Path) -> None:
    """Retention deleted the index, and a late event created it again."""
    sealed_store(tmp_path)
    environ = {"INGESTD_DATA_DIR": str(tmp_path), "INGESTD_RETENTION_MAX_AGE": "1d"}
    now = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
    with build.open_lifecycle(load_settings(environ=environ), lambda: now) as lifecycle:
        assert [result.deleted for result in lifecycle.prune()] == [True]
    worker = Worker(tmp_path)
    state = worker.journal.committed("store_0")[1]
    worker.ledgers["store_0"] = Ledger("store", state, 0)
    worker.receive(2)
    worker.deliver(2, indices={INDEX: 2})
    writer = LocalWriter(store_root(tmp_path), "w0")
    writer.append(INDEX, [b"{}"] * 2, ["late-1", "late-2"])
    writer.close()
    [index] = document(tmp_path)["indices"]
    assert index == {"index": INDEX, "delivered": 12, "found": 2, "missing": 0, "deleted": 10}
    assert run(tmp_path).stdout.splitlines()[-1] == "everything adds up"
    for path in (store_root(tmp_path) / INDEX).glob("tail-*"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert document(tmp_path, code=1)["indices"][0]["missing"] == 1
