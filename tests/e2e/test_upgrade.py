"""``ingestd upgrade`` and ``ingestd reload`` wait for the result; code that cannot take over is refused."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

import ingestd as installed
from tests.e2e.chaos.systemd import Systemd, Unit
from tests.e2e.daemon import Daemon, environment, free_port, ingestd
from tests.waiting import WAIT_SECONDS, wait_until

REFUSED = "the upgrade is refused; the daemon goes on as before"
COMPLETE = "the upgrade is complete"


class OwnCode(Daemon):
    """A daemon that runs from a copy of the code in ``folder``, with files for settings and config."""

    def __init__(self, folder: Path) -> None:
        self.code = folder / "code" / "ingestd"
        shutil.copytree(Path(installed.__file__).parent, self.code, ignore=shutil.ignore_patterns("__pycache__"))
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


def ask(daemon: Daemon, command: str) -> tuple[int, str]:
    """Run a command that asks the daemon for something; returns its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "ingestd", command],
        env=environment(daemon.data_dir),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


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

BREAKS = [
    pytest.param(break_lazy_module, "SyntaxError", id="syntax_error_in_a_module_imported_late"),
    pytest.param(break_first_module, "No module named 'ingestd.not_there'", id="import_error_at_the_start"),
    pytest.param(break_settings, "unknown setting 'wrokers'", id="wrong_settings"),
    pytest.param(break_config, "prot", id="wrong_config"),
    pytest.param(take_port, "is another program using the port?", id="port_in_use"),
]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[OwnCode]:
    with OwnCode(tmp_path) as running:
        yield running
    while SOCKETS:
        SOCKETS.pop().close()


@pytest.mark.parametrize(("break_it", "reason"), BREAKS)
def test_what_cannot_take_over_is_refused(daemon: OwnCode, break_it: object, reason: str) -> None:
    """No connection is closed and no event lost, by the refused upgrade or the one after it."""
    kept = {path: path.read_bytes() for path in (*daemon.code.rglob("*.py"), daemon.settings_file, daemon.config_file)}
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b'{"n":0}\n{"n":')
        break_it(daemon)  # type: ignore[operator]
        code, text = ask(daemon, "upgrade")
        assert code == 1
        assert reason in text
        assert reason in daemon.said(REFUSED)[0]["error"]
        client.sendall(b"1}\n")
        daemon.wait_for_delivery(2)
        client.sendall(b'{"n":2')
        for path, content in kept.items():
            path.write_bytes(content)
        upgrade(daemon)
        client.sendall(b"}\n")
        daemon.wait_for_delivery(1)
    daemon.stop()
    assert stored(daemon) == [0, 1, 2]
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


def test_no_daemon_is_running(daemon: OwnCode) -> None:
    daemon.stop()
    for command in ("reload", "upgrade"):
        code, text = ask(daemon, command)
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
