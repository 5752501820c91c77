"""Pipelines that send to each other in a real daemon: each event arrives once, however often workers are killed."""

from __future__ import annotations

import random
from pathlib import Path

from tests.e2e.chaos.tools import Clients, kill_children
from tests.e2e.daemon import Daemon
from tests.e2e.test_audit import audited
from tests.e2e.test_long_lines import reload

FORK = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output { pipeline { send_to => ["archive", "work"] } }
"""
PIPELINES = {
    "archive": 'input { pipeline { address => "archive" } } output { store { index => "archived" } }',
    "work": """
    input { pipeline { address => "work" } }
    filter { mutate { add_field => { "worked" => "yes" } } }
    output { pipeline { send_to => collect } }
    """,
    "collector": 'input { pipeline { address => "collect" } } output { store { index => "collected" } }',
}


def test_workers_are_killed_and_replaced_while_events_are_handed_over(tmp_path: Path) -> None:
    """The journals of the receivers count each event once; without that, the indices would still have it once."""
    named: list[str] = []
    for name, text in PIPELINES.items():
        path = tmp_path / f"{name}.conf"
        path.write_text(text)
        named += ["--pipeline", f"{name}={path}"]
    with Daemon(tmp_path, *named, config=FORK, workers="2") as daemon:
        with Clients(daemon.port, 1000, 4) as clients:
            kill_children(daemon, 4, random.Random(6), (0.05, 0.3))
            reload(daemon)
            kill_children(daemon, 4, random.Random(7), (0.05, 0.3))
            clients.finish()
        daemon.stop()
    sent = len(clients.numbers)
    found = audited(daemon.data_dir, "--deep")
    assert found["balanced"]
    accounts = {account["pipeline"]: account for account in found["outputs"]}
    assert {name: account["received"] for name, account in accounts.items()} == dict.fromkeys(accounts, sent)
    assert accounts["main"]["addresses"] == {"archive": sent, "work": sent}
    assert accounts["work"]["addresses"] == {"collect": sent}
    assert {index["index"]: index["found"] for index in found["indices"]} == {"archived": sent, "collected": sent}
