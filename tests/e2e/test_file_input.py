"""The input ``file`` in a real daemon: one for all tests, each in a folder of its own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.tools import check_balance, workers
from tests.e2e.daemon import Daemon, environment
from tests.processes import send_signal
from tests.waiting import WAIT_SECONDS, wait_until

_KINDS = {
    "plain": "",
    "json": "codec => json_lines",
    "ecs": "ecs_compatibility => v8",
    "trace": 'codec => multiline { pattern => "^\\s" what => previous }',
    "read": 'mode => read file_completed_action => log_and_delete file_completed_log_path => "{root}/read.log"',
    "session": 'sincedb_path => "/dev/null"',
    "named": 'sincedb_path => "{root}/named.sincedb"',
}


class Site:
    """A daemon that reads ``logs/KIND/*.log*`` and writes the events of each kind to a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        inputs = []
        for kind, options in _KINDS.items():
            (root / "logs" / kind).mkdir(parents=True)
            own = options.replace("{root}", str(root))
            inputs.append(
                f'file {{ path => "{root}/logs/{kind}/*.log*" start_position => beginning stat_interval => "50 ms" '
                f'discover_interval => 2 add_field => {{ "kind" => "{kind}" }} {own} }}'
            )
        config = (
            f'input {{ {" ".join(inputs)} tcp {{ port => 0 host => "127.0.0.1" }} }} '
            'filter { if [kind] == "json" { '
            'mutate { copy => { "path" => "copied" "[@metadata][path]" => "from" } } } } '
            f'output {{ file {{ path => "{root}/out/%{{kind}}" codec => json_lines }} }}'
        )
        self.daemon = Daemon(root, config=config, workers="2")

    def write(self, name: str, text: str | bytes) -> Path:
        """Append to a file; ``name``: with its kind."""
        path = self.root / "logs" / name
        with path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind so far."""
        path = self.root / "out" / kind
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, kind: str, *messages: str) -> list[dict[str, Any]]:
        """Wait until the events of a kind are these, in any order, and return them."""
        wait_until(lambda: len(self.events(kind)) >= len(messages), f"{len(messages)} events of {kind}")
        events = self.events(kind)
        assert sorted(event["message"] for event in events) == sorted(messages)
        return events


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One daemon for all tests, whose accounts must be balanced at the end."""
    made = Site(tmp_path_factory.mktemp("files"))
    with made.daemon:
        yield made
        made.daemon.stop()
    found = sum(len(made.events(kind)) for kind in _KINDS)
    check_balance(made.daemon.data_dir, found)


def test_growth_and_rotation(site: Site) -> None:
    path = site.write("plain/a.log", "one\nhal")
    site.wait("plain", "one")
    site.write("plain/a.log", "f\n")
    events = site.wait("plain", "one", "half")
    assert {event["path"] for event in events} == {str(path)}
    assert all(isinstance(event["host"], str) for event in events)
    path.rename(f"{path}.1")
    site.write("plain/a.log", "new\n")
    site.write("plain/a.log.1", "late\n")
    site.wait("plain", "one", "half", "new", "late")


def test_json_records(site: Site) -> None:
    path = site.write("json/a.log", '{"message": "one", "n": 1}\n{"message": "two", "path": "its own"}\n')
    one, two = site.wait("json", "one", "two")
    assert one == one | {"n": 1, "path": str(path), "copied": str(path), "from": str(path)}
    assert two == two | {"path": "its own", "copied": "its own", "from": str(path)}


def test_names_of_ecs(site: Site) -> None:
    path = site.write("ecs/a.log", "one\n")
    (event,) = site.wait("ecs", "one")
    assert event["log"]["file"]["path"] == str(path)
    site.write(os.fsdecode(b"ecs/\xb7.log"), "of a name that is not UTF-8\n")
    events = site.wait("ecs", "one", "of a name that is not UTF-8")
    assert [found["log"]["file"]["path"] for found in events[1:]] == [str(path.with_name(r"\xb7.log"))]
    assert list(event["host"]) == ["name"]


def test_messages_of_several_lines_in_two_files(site: Site) -> None:
    for text in ("error\n", "  at one\n", "  at two\n", "next\n"):
        for name in ("a.log", "b.log"):
            site.write(f"trace/{name}", text)
    trace = "error\n  at one\n  at two"
    events = site.wait("trace", trace, trace)
    assert len({event["path"] for event in events}) == 2


def test_complete_files(site: Site) -> None:
    lines = [f"line {number}" for number in range(1000)]
    names = []
    for name, data in (("a.log", "\n".join(lines[:500]).encode()), ("b.log.gz", "\n".join(lines[500:]).encode())):
        incoming = site.root / f"incoming-{name}"
        incoming.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        names.append(str(incoming.rename(site.root / "logs" / "read" / name)))
    site.wait("read", *lines)
    wait_until(lambda: not any(Path(name).exists() for name in names), "the files to be deleted")
    assert sorted((site.root / "read.log").read_text().split()) == names


def test_what_cannot_be_read_is_named(site: Site) -> None:
    fifo = site.root / "logs" / "plain" / "fifo.log"
    os.mkfifo(fifo)
    text = f"{fifo} is not a regular file and is not read"
    wait_until(lambda: text in site.daemon.get("/health"), "/health to name the file")
    fifo.unlink()
    wait_until(lambda: text not in site.daemon.get("/health"), "/health to forget it")
    assert sum(entry.get("reason") == text for entry in site.daemon.said("a file is not read")) == 1


@pytest.mark.parametrize("kind", ["session", "named"])
def test_a_worker_that_is_killed(site: Site, kind: str) -> None:
    site.write(f"{kind}/a.log", "one\ntwo\n")
    site.wait(kind, "one", "two")
    wait_until(lambda: site.daemon.metric("ingestd_queue_events") == 0, "all to be delivered")
    before = workers(site.daemon)
    for pid in before:
        send_signal(pid)
    site.write(f"{kind}/a.log", "three\n")
    site.wait(kind, "one", "two", "three")
    wait_until(lambda: len(set(workers(site.daemon)) - set(before)) == 2, "the next workers")


def test_the_end_of_all_files(tmp_path: Path) -> None:
    """With `exit_after_read`, the daemon ends; another one reads only what is new."""
    (tmp_path / "a.log").write_text("one\ntwo")
    config = (
        f'input {{ file {{ path => "{tmp_path}/*.log*" mode => read exit_after_read => true '
        f'file_completed_action => log file_completed_log_path => "{tmp_path}/done" }} }} '
        'output { stdout { codec => line { format => "%{message}" } } }'
    )
    command = [sys.executable, "-m", "ingestd", "run", "--http", "127.0.0.1:0", "-e", config]
    environ = environment(tmp_path / "data")
    found = []
    for _ in range(2):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.split())
        (tmp_path / "b.log").write_text("three\n")
    assert found == [["one", "two"], ["three"]]
