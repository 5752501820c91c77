"""``ingestd upgrade`` and ``ingestd reload`` wait for the result; code that cannot take over is refused."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import ingestd as installed
from tests.e2e.chaos.systemd import Systemd, Unit
from tests.e2e.daemon import Daemon, command, environment, free_port, ingestd
from tests.waiting import wait_until

REFUSED = "the upgrade is refused; the daemon keeps running as before"
COMPLETE = "the upgrade is complete"


class OwnCode(Daemon):
    """A daemon that runs from a copy of the code in ``folder``, with files for settings and config."""

    def __init__(self, folder: Path) -> None:
        self.code = folder / "code" / "ingestd"
        shutil.copytree(Path(installed.__file__).parent, self.code)
        self.settings_file, self.config_file = folder / "ingestd.toml", folder / "main.conf"
        self.settings_file.write_text("workers = 2\n")
        self.config_file.write_text(
            'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { store {} }'
        )
        super().__init__(folder, "--settings", str(self.settings_file), "-f", str(self.config_file))

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        environ |= {"PYTHONPATH": str(self.code.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            self._command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=self.code.parent
        )


def ask(daemon: Daemon, request: str) -> tuple[int, str]:
    """Run a command that asks the daemon for something; returns its exit code and what it prints."""
    done = command(environment(daemon.data_dir), request)
    return done.exit_code, done.output


def upgrade(daemon: Daemon) -> None:
    """Upgrade the daemon, which keeps one connection; it answers over HTTP afterwards."""
    served = len(daemon.said("serving metrics and health"))
    version = installed.__version__
    assert ask(daemon, "upgrade") == (0, f"upgrade: the daemon runs version {version}; connections kept: 1\n")
    assert daemon.said(COMPLETE)[-1]["connections"] == 1
    wait_until(lambda: len(daemon.said("serving metrics and health")) > served, "the new HTTP process")


def stored(daemon: Daemon) -> list[int]:
    lines = ingestd(daemon.data_dir, "search", "--json", "--limit", "10000").splitlines()
    return sorted(json.loads(line)["n"] for line in lines)


def break_lazy_module(daemon: OwnCode) -> None:
    (daemon.code / "web" / "app.py").write_text("def broken(:\n")


def break_first_module(daemon: OwnCode) -> None:
    (daemon.code / "cli" / "main.py").write_text("import ingestd.not_there\n")


def break_settings(daemon: OwnCode) -> None:
    daemon.settings_file.write_text("wrokers = 2\n")


def break_config(daemon: OwnCode) -> None:
    daemon.config_file.write_text("input { tcp { prot => 5 } }\n")


def take_port(daemon: OwnCode) -> None:
    text = daemon.config_file.read_text()
    port = free_port()
    SOCKETS.append(socket.create_server(("127.0.0.1", port)))
    daemon.config_file.write_text(text.replace("port => 0", f"port => {port}"))


SOCKETS: list[socket.socket] = []

BREAKS: list[tuple[Callable[[OwnCode], None], str]] = [
    (break_lazy_module, "SyntaxError"),
    (break_first_module, "No module named 'ingestd.not_there'"),
    (break_settings, "unknown setting 'wrokers'"),
    (break_config, "prot"),
    (take_port, "is another program using the port?"),
]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[OwnCode]:
    with OwnCode(tmp_path) as running:
        yield running
    while SOCKETS:
        SOCKETS.pop().close()


def test_what_cannot_take_over_is_refused(daemon: OwnCode) -> None:
    """No connection is closed and no event lost, by a refused upgrade or the one after it."""
    kept = {path: path.read_bytes() for path in (*daemon.code.rglob("*.py"), daemon.settings_file, daemon.config_file)}
    numbers = itertools.count()
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        for break_it, reason in BREAKS:
            client.sendall(b'{"n":%d}\n{"n":' % next(numbers))
            break_it(daemon)
            code, text = ask(daemon, "upgrade")
            assert code == 1
            assert reason in text
            assert reason in daemon.said(REFUSED)[-1]["error"]
            client.sendall(b'%d}\n{"n":' % next(numbers))
            for path, content in kept.items():
                if path.read_bytes() != content:  # the others stay compiled
                    path.write_bytes(content)
            upgrade(daemon)
            client.sendall(b"%d}\n" % next(numbers))
    daemon.stop()
    assert stored(daemon) == list(range(next(numbers)))
    [stopped] = daemon.said("stopped")
    assert stopped["exit_code"] == 0


def test_upgrade_requested_twice_and_a_stop_during_the_check(daemon: OwnCode) -> None:
    """The second request finds its result too; a stop is not held up by the check."""
    (daemon.code / "web" / "app.py").write_text("import time\ntime.sleep(1000)\n")
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.wait_for("checking the installed code before the upgrade")
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.send([{"n": 0}])
    daemon.wait_for_delivery(1)
    daemon.stop()
    assert daemon.said(REFUSED)[0]["error"] == "the daemon is stopping"
    assert stored(daemon) == [0]


def test_reload_of_settings(daemon: OwnCode) -> None:
    """What a reload can put in force is in force; the rest is named, and is in force after an upgrade."""
    daemon.settings_file.write_text('workers = 3\nmax_line_bytes = 100\nindex_timezone = "Asia/Seoul"\n')
    code, text = ask(daemon, "reload")
    expected = "these settings take effect with ingestd upgrade or a restart: index_timezone"
    assert (code, text) == (0, f"reload: every process runs the new config; {expected}\n")
    [warning] = daemon.said("some settings have changed that take effect at a restart or an upgrade")
    assert warning["settings"] == "index_timezone"
    assert json.loads(daemon.get("/api/status"))["workers"] == {"running": 3, "replacing": 0, "wanted": 3}
    daemon.send([b"x" * 101])
    daemon.wait_for_metric("ingestd_dead_letter_events_total", 1)
    daemon.settings_file.write_text("worker = 3\n")
    code, text = ask(daemon, "reload")
    assert (code, "unknown setting 'worker'" in text) == (1, True)


def test_the_dashboard_shows_the_new_pipelines_after_a_reload(daemon: OwnCode) -> None:
    """The HTTP process is the same."""
    shown = json.loads(daemon.get("/api/status"))
    assert [pipeline["outputs"][0]["name"] for pipeline in shown["pipelines"]] == ["store_0"]
    daemon.config_file.write_text(daemon.config_file.read_text().replace("store {}", 'store { id => "disk" }'))
    assert ask(daemon, "reload")[0] == 0
    shown = json.loads(daemon.get("/api/status"))
    assert [pipeline["outputs"][0]["name"] for pipeline in shown["pipelines"]] == ["disk"]
    assert len(daemon.said("serving metrics and health")) == 1


def test_reload_reports_its_result(daemon: OwnCode) -> None:
    assert ask(daemon, "reload") == (0, "reload: every process runs the new config\n")
    break_config(daemon)
    code, text = ask(daemon, "reload")
    assert code == 1
    assert "prot" in text
    assert ask(daemon, "reload")[0] == 1
    assert ask(daemon, "upgrade")[0] == 1
    logged = json.loads(ingestd(daemon.data_dir, "actions", "--json"))[::-1]
    shown = [(entry["action"], entry["by"], entry["outcome"], entry["text"]) for entry in logged]
    assert shown[0] == ("reload", "cli", "done", "every process runs the new config")
    assert [entry[:3] for entry in shown[1:]] == [("reload", "cli", "failed")] * 2 + [("upgrade", "cli", "failed")]
    assert all("prot" in text for *_, text in shown[1:])


def test_no_daemon_is_running(daemon: OwnCode) -> None:
    daemon.stop()
    for request in ("reload", "upgrade"):
        code, text = ask(daemon, request)
        assert code == 1
        assert "no ingestd is running" in text


def test_upgrade_after_a_restart_by_systemd(tmp_path: Path) -> None:
    """The variables in the environment name descriptors that the first program got, and has closed or used."""
    with Systemd(tmp_path) as systemd, Unit(systemd, tmp_path) as unit:
        with socket.create_connection(("127.0.0.1", unit.port)) as client:
            client.sendall(b'{"n":0}\n{"n":')
            unit.wait_for_delivery(1)
            unit.restart()
            for number in (1, 2):
                upgrade(unit)
                client.sendall(b'%d}\n{"n":' % number)
                unit.wait_for_delivery(1)
            client.sendall(b"3}\n")
            unit.wait_for_delivery(2)
        unit.stop()
        assert stored(unit) == [0, 1, 2, 3]
