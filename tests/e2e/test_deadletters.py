"""Dead letters of a real daemon, sent again after the cause is mended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ingestd.dead_letters.dead_letter import DeadLetter, to_base64
from ingestd.dead_letters.writer import DeadLetterWriter
from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, command, environment, ingestd
from tests.e2e.stub import Fault, StubElasticsearch
from tests.processes import send_signal
from tests.waiting import wait_until

STAMP = "2026-11-22T10:00:00.000Z"
EVENTS = [{"@timestamp": STAMP, "n": number} for number in range(100)]
REFUSED = dict.fromkeys(range(3, 100, 10), 400)
OUTPUT = 'elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 %s }'
INPUT = 'input { tcp { port => 0 host => "127.0.0.1" codec => %s } }'
FILTER = 'filter { mutate { add_field => { "seen" => "yes" } } }'


def config(stub: StubElasticsearch, codec: str = "json_lines", filters: str = FILTER, options: str = "") -> str:
    return f"{INPUT % codec} {filters} output {{ {OUTPUT % (stub.url, options)} }}"


def replay(data_dir: Path, *arguments: str, code: int = 0) -> str:
    return ingestd(data_dir, "deadletters", "replay", *arguments, code=code)


def listed(data_dir: Path) -> Any:
    return json.loads(ingestd(data_dir, "deadletters", "list", "--json"))


def keys(stub: StubElasticsearch) -> set[tuple[str, str]]:
    return set(stub.documents)


def test_refused_documents_are_delivered_under_their_ids(tmp_path: Path) -> None:
    """While the daemon goes on; the filters run over what was received, not over what they made of it."""
    with StubElasticsearch() as stub, Daemon(tmp_path, config=config(stub)) as daemon:
        stub.bulk_faults.append(Fault(items=REFUSED))
        daemon.send(EVENTS)
        wait_until(lambda: len(daemon.dead_letters()) == 10, "the dead letters")
        [group] = listed(daemon.data_dir)
        assert (group["stage"], group["plugin"], group["letters"]) == ("output", "elasticsearch_0", 10)
        assert group["reason"] == "mapper_parsing_exception: refused"
        dead_letters = daemon.dead_letters()
        assert all(
            dead_letter["raw"] == json.dumps(EVENTS[3 + 10 * n]).encode() + b"\n"
            for n, dead_letter in enumerate(dead_letters)
        )
        ids = {(dead_letter["index"], dead_letter["id"]) for dead_letter in dead_letters}
        assert not ids & keys(stub)
        assert replay(daemon.data_dir, "-e", config(stub)) == "10 replayed, 0 dead again\n"
        assert ids <= keys(stub)
        assert {document["seen"] for document in stub.documents.values()} == {"yes"}
        assert stub.values("n") == list(range(100))
        assert listed(daemon.data_dir) == []
        stub.bulk_faults.append(Fault(items={0: 400}))
        daemon.send([{"@timestamp": STAMP, "n": 100}])  # its file was taken away, it begins a new one
        wait_until(lambda: len(daemon.dead_letters()) == 1, "another dead letter")


def test_dead_again(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, Daemon(tmp_path, config=config(stub)) as daemon:
        stub.bulk_faults.append(Fault(items={0: 400, 1: 400, 2: 400}))
        daemon.send(EVENTS)
        wait_until(lambda: len(daemon.dead_letters()) == 3, "the dead letters")
        before = daemon.dead_letters()
        stub.bulk_faults.append(Fault(items={1: 400}))
        text = config(stub, filters="filter { mutate { add_field => { 'mended' => 'yes' } } }")
        assert replay(daemon.data_dir, "-e", text, code=1) == "2 replayed, 1 dead again\n"
        [again] = daemon.dead_letters()
        same = ("id", "raw", "origin", "offset", "input", "received", "pipeline", "index")
        assert {name: again[name] for name in same} == {name: before[1][name] for name in same}
        assert again["config"] != before[1]["config"]
        assert replay(daemon.data_dir, "-e", text) == "1 replayed, 0 dead again\n"
    assert stub.values("n") == list(range(100))


def test_text_lines_keep_sender_and_time(tmp_path: Path) -> None:
    """Such an event has nothing of its own: all of it comes from the dead letter."""
    text_config = {"codec": "line", "filters": "filter { if [message] == 'drop' { drop { } } }"}
    with StubElasticsearch() as stub, Daemon(tmp_path, config=config(stub, **text_config)) as daemon:
        stub.bulk_faults.append(Fault(items={1: 400}))
        daemon.send([b"one", b"two"])
        wait_until(daemon.dead_letters, "the dead letter")
        [dead_letter] = daemon.dead_letters()
        assert replay(daemon.data_dir, "-e", config(stub, **text_config)) == "1 replayed, 0 dead again\n"
    first, second = sorted(stub.documents.values(), key=lambda event: str(event["message"]))
    assert {name: first[name] for name in ("@timestamp", "host", "port")} == {
        name: second[name] for name in ("@timestamp", "host", "port")
    }
    assert (dead_letter["index"], dead_letter["id"]) in keys(stub)


def test_ids_of_the_config_and_a_filter_that_drops(tmp_path: Path) -> None:
    options = 'document_id => "%{n}" index => "by-hand"'
    with StubElasticsearch() as stub, Daemon(tmp_path, config=config(stub, options=options)) as daemon:
        stub.bulk_faults.append(Fault(items={7: 400, 8: 400}))
        daemon.send(EVENTS)
        wait_until(lambda: len(daemon.dead_letters()) == 2, "the dead letters")
        assert [dead_letter["document_id"] for dead_letter in daemon.dead_letters()] == ["7", "8"]
        text = config(stub, options=options, filters="filter { if [n] == 8 { drop { } } }")
        assert replay(daemon.data_dir, "-e", text) == "1 replayed, 0 dead again, 1 dropped by a filter\n"
    assert ("by-hand", "7") in keys(stub)
    assert listed(daemon.data_dir) == []


def test_only_the_output_that_refused_it(tmp_path: Path) -> None:
    with StubElasticsearch() as stub:
        copies = tmp_path / "copies.ndjson"
        text = config(stub)[:-1] + f'file {{ path => "{copies}" }} }}'
        with Daemon(tmp_path, config=text) as daemon:
            stub.bulk_faults.append(Fault(items={5: 400}))
            daemon.send(EVENTS)
            wait_until(daemon.dead_letters, "the dead letter")
        assert replay(daemon.data_dir, "-e", text) == "1 replayed, 0 dead again\n"
    assert stub.values("n") == list(range(100))
    assert len(copies.read_text().splitlines()) == 100


def test_a_begin_of_a_line_is_not_sent(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, Daemon(tmp_path, config=config(stub), max_line_bytes="1kB") as daemon:
        daemon.send([b'{"n":"%b"}' % (b"x" * 10_000)])
        wait_until(daemon.dead_letters, "the dead letter")
        text = replay(daemon.data_dir, "-e", config(stub), code=1)
        assert text == "0 replayed, 0 dead again, 1 left: only their first bytes were kept\n"
        assert len(daemon.dead_letters()) == 1


def test_once_whatever_is_killed(tmp_path: Path) -> None:
    """A worker dies between its dead letters and the commit, again and again: each dead letter is there once."""
    with StubElasticsearch() as stub:
        stub.refuses = lambda document: document["n"] % 10 == 3
        stub.bulk_faults.extend(Fault(items=dict.fromkeys(range(0, 100, 2), 429)) for _ in range(1000))
        with Daemon(tmp_path, config=config(stub), workers="1") as daemon:
            daemon.send(EVENTS)
            for _ in range(3):
                requests = len(stub.bulks())
                wait_until(lambda: len(daemon.dead_letters()) == 10, "the dead letters")
                wait_until(lambda before=requests: len(stub.bulks()) > before + 1, "the dead letters to come again")  # type: ignore[misc]
                for pid in workers(daemon):
                    send_signal(pid)
            stub.bulk_faults.clear()
            wait_until(lambda: len(stub.documents) == 90, "all documents")
            [group] = listed(daemon.data_dir)
            assert group["letters"] == 10
        assert len({dead_letter["id"] for dead_letter in daemon.dead_letters()}) == 10 == len(daemon.dead_letters())
        found = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
        assert (found["received"], found["dead"], found["balanced"]) == (100, 10, True)


@pytest.mark.parametrize("arguments", [["--group", "000000"], ["-e", "input"], ["--stage", "nowhere"]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    writer = DeadLetterWriter(tmp_path / "deadletters", 1 << 20, time.time, "w0")
    writer.put(DeadLetter(time=STAMP, pipeline="main", stage="filter", reason="x", raw=to_base64(b"{}"), size=2))
    writer.close()
    done = command(environment(tmp_path), "deadletters", "replay", *arguments)
    assert done.exit_code in {1, 2}
    assert done.stdout == ""
