"""Events that an output can never take: each is one dead letter, and all others are delivered once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.tools import check_exactly, in_store, wait_for_nothing_queued
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.servers import SearchServer
from tests.e2e.stub import StubElasticsearch

GOOD = 1001
STAMP = "2026-11-22T10:00:00.000Z"
OUTPUTS = ("store_0", "file_0", "elasticsearch_0", "stdout_0")
CONFIG = """
input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
output {{
  store {{ }}
  file {{ path => "{folder}/%{{service}}.ndjson" }}
  elasticsearch {{ hosts => ["{url}"] }}
  stdout {{ codec => json_lines }}
}}
"""


class PoisonedDaemon(Daemon):
    """See ``with_poison``."""

    def _spawn(self, *arguments: Any) -> Any:
        self._command = [sys.executable, "-m", "tests.e2e.with_poison", *self._command[3:]]
        return super()._spawn(*arguments)


def events(poison: str) -> list[dict[str, Any]]:
    """1,002 events, one of them with another service."""
    services = ["web"] * 600 + [poison] + ["web"] * (GOOD - 600)
    return [{"@timestamp": STAMP, "n": n, "service": service} for n, service in enumerate(services)]


def numbers(lines: str) -> list[int]:
    return [json.loads(line)["n"] for line in lines.splitlines()]


def check_audit(data_dir: Path, dead: int) -> None:
    """Every output got all events, some of which became dead letters."""
    for account in json.loads(ingestd(data_dir, "audit", "--json"))["outputs"]:
        assert (account["balanced"], account["received"], account["dead"]) == (True, GOOD + 1, dead), account


def test_a_defect_of_any_output(tmp_path: Path) -> None:
    """Of 1,002 events one makes every output raise what nobody has foreseen."""
    good = set(range(GOOD + 1)) - {600}
    with StubElasticsearch() as stub:
        config = CONFIG.format(folder=tmp_path / "files", url=stub.url)
        with PoisonedDaemon(tmp_path, config=config, workers="1") as daemon:
            daemon.send(events("poison"))
            wait_for_nothing_queued(daemon)
        check_exactly(stub.values("n"), good)
    check_exactly(in_store(daemon.data_dir), good)
    check_exactly(numbers((tmp_path / "files/web.ndjson").read_text()), good)
    check_exactly(numbers(daemon.output()), good)
    letters = daemon.dead_letters()
    assert sorted(letter["plugin"] for letter in letters) == sorted(OUTPUTS)
    assert {json.loads(letter["raw"])["n"] for letter in letters} == {600}
    assert all("the output failed on it: KeyError" in letter["detail"] + letter["reason"] for letter in letters)
    check_audit(daemon.data_dir, 1)


NAMES = ["a\0", "/etc/passwd", "../fifo", "x" * 300, "a\x1bb", "App", "a b", "a,b", "a*", "\u00e9" * 200, "taken", "-a"]
BY_SERVICE = """
input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
output {{ {output} }}
"""


def test_names_of_indices_in_the_store(tmp_path: Path) -> None:
    """Each name comes once, among 1,001 good events; ``taken`` is a file."""
    (tmp_path / "data/indices").mkdir(parents=True)
    (tmp_path / "data/indices/taken").touch()
    config = BY_SERVICE.format(output='store { index => "%{service}" }')
    check_names(tmp_path, config, NAMES)
    assert sorted(path.name for path in (tmp_path / "data/indices").iterdir() if path.is_dir()) == ["web"]


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_names_of_indices_in_a_server(tmp_path: Path, search_server: SearchServer) -> None:
    output = f'elasticsearch {{ hosts => ["{search_server.url}"] index => "%{{service}}" }}'
    check_names(tmp_path, BY_SERVICE.format(output=output), [name for name in NAMES if name != "taken"])


def check_names(folder: Path, config: str, names: list[str]) -> None:
    with Daemon(folder, config=config, workers="1") as daemon:
        for name in names:
            daemon.send(events(name)[590:610])
        wait_for_nothing_queued(daemon)
    letters = daemon.dead_letters()
    assert sorted(letter["index"] for letter in letters) == sorted(names)
    assert all(name in json.loads(letter["raw"])["service"] for letter in letters for name in [letter["index"]])
    found = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
    assert (found["balanced"], found["received"], found["dead"]) == (True, 20 * len(names), len(names))
    assert found["delivered"] == 19 * len(names)
