"""A real ``ingestd run`` in a process of its own, on ports that the kernel chooses."""

from __future__ import annotations

import base64
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Self

import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from ingestd.cli.main import main
from tests.e2e.template import Forked
from tests.processes import children, is_alive
from tests.waiting import WAIT_SECONDS, wait_until

_SHUTDOWN_TIMEOUT = "4m"
"""On a busy machine it takes long to deliver at the end what a test has sent."""

_QUERY_TIMEOUT = "4m"
"""Queries have a low priority: beside many processes their own takes long just to start."""

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port at which nobody listens, nor will, but for whom the test gives it to.

    A socket that is bound and does not listen keeps the kernel from giving the port to others; connections to it are
    refused. Servers bind to it all the same, as they allow the reuse of addresses.
    """
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    _reserved.append(place)
    return int(place.getsockname()[1])


def environment(data_dir: Path) -> dict[str, str]:
    """Return an environment for a daemon or command that finds its data in ``data_dir``, and takes events of any day.

    Nor is any of them too old to be kept. There are no other settings: the events of the tests have fixed days.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INGESTD_")}
    any_day = {"INGESTD_LATE": "accept", "INGESTD_FUTURE": "accept", "INGESTD_RETENTION_MAX_AGE": "36500d"}
    return kept | any_day | {"INGESTD_DATA_DIR": str(data_dir)}


def command(environ: Mapping[str, str], *arguments: str) -> Result:
    """Run another command of ingestd in this process: a process of its own takes a third of a second just to start."""
    removed, thresholds = dict.fromkeys(os.environ.keys() - environ.keys()), gc.get_threshold()
    done = CliRunner().invoke(main, arguments, env={**environ, **removed})
    gc.set_threshold(*thresholds)  # a command sets others
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


def ingestd(data_dir: Path, *arguments: str, code: int = 0) -> str:
    """Run another command of ingestd on the same data, expect an exit code, and return what it prints."""
    done = command(environment(data_dir), *arguments)
    assert done.exit_code == code, done.output
    return done.stdout


class Daemon:
    """Runs until the end of the ``with`` block, which stops it and expects exit code 0.

    Args:
        folder: Where data and log go; a second daemon in the same folder goes on with the first one's data.
        arguments: After ``ingestd run``.
        config: Text of a pipeline, instead of the built-in one. Its tcp inputs should have port 0.
        settings: Settings as in ``ingestd.toml``, as ``INGESTD_*`` variables.
    """

    def __init__(self, folder: Path, *arguments: str, config: str = "", **settings: str) -> None:
        self._folder, self.data_dir = folder, folder / "data"
        command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "127.0.0.1:0"]
        command += ["--log-format", "json", *arguments]
        self._command = [*command, "-e", config] if config else command
        settings = {"shutdown_timeout": _SHUTDOWN_TIMEOUT, "query_timeout": _QUERY_TIMEOUT} | settings
        self._settings = {f"INGESTD_{name.upper()}": value for name, value in settings.items()}
        self.start()

    def start(self) -> None:
        """Start the process: again, if an earlier one has ended; the log starts empty."""
        self.log_file = self._folder / f"log-{time.monotonic_ns()}.ndjson"
        self._output_file = self.log_file.with_suffix(".out")
        with self.log_file.open("wb") as log, self._output_file.open("wb") as output:
            self.process = self._spawn(environment(self.data_dir) | self._settings, output, log)

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes] | Forked:
        if self._command[:3] == [sys.executable, "-m", "ingestd"]:
            return Forked(self._command[3:], environ, output, log)
        return subprocess.Popen(self._command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log)

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def wait_until_ready(self) -> None:
        """Wait until it listens, serves its pages, and all workers read."""
        self.wait_for("listening for events")
        self.wait_for("serving metrics and health")
        wait_until(self._workers_run, "all workers to run")

    def _workers_run(self) -> bool:
        if (code := self.process.poll()) is not None:
            assert code == 0, self.log_file.read_text()
            return True  # its inputs have ended
        try:
            return " workers are running" not in self.get("/health/live")
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:  # the process of the pages is being restarted
            pass
        return False

    def __exit__(self, *raised: object) -> None:
        if raised[0] is not None:
            self.kill()
            print(self.log_file.read_text())  # noqa: T201 -- shown beside the failure
        elif self.process.poll() is None:
            self.stop()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def kill_with_children(self) -> None:
        """End it at once, and wait until its children have noticed and ended: they do nothing any more."""
        left = children(self.process.pid)
        self.kill()
        wait_until(lambda: not any(map(is_alive, left)), "the children to end")

    def stop(self, number: signal.Signals = signal.SIGTERM, code: int = 0) -> None:
        """Send a signal and expect an exit code."""
        self.process.send_signal(number)
        self.wait(code)

    def wait(self, code: int = 0) -> None:
        """Wait for the end and expect an exit code."""
        found = self.process.wait(WAIT_SECONDS)
        assert found == code, f"exit code {found}\n{self.log_file.read_text()}"

    @property
    def port(self) -> int:
        """The port of the first tcp input."""
        port: int = self.said("listening for events")[0]["port"]
        return port

    @property
    def url(self) -> str:
        """Where /metrics and /health are; at another port once that process was killed."""
        return str(self.said("serving metrics and health")[-1]["url"])

    def output(self) -> str:
        """Return what it has written to stdout so far."""
        return self._output_file.read_text("utf-8")

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of its log so far."""
        *whole, _unfinished = self.log_file.read_text().split("\n")
        assert all(line.startswith("{") for line in whole), "\n".join(whole)  # a traceback is none
        return [json.loads(line) for line in whole]

    def said(self, message: str) -> list[dict[str, Any]]:
        """Return the log entries with this message."""
        return [entry for entry in self.log() if entry["message"] == message]

    def problems(self) -> list[dict[str, Any]]:
        """Return the log entries that are warnings and worse."""
        return [entry for entry in self.log() if entry["level"] != "INFO"]

    def wait_for(self, message: str) -> None:
        """Wait until the log has this message."""

        def there() -> bool:
            assert self.process.poll() is None, self.log_file.read_text()
            return bool(self.said(message))

        wait_until(there, f"the log to say {message!r}")

    def get(self, path: str) -> str:
        """Return a page of its HTTP server; a status other than 200 raises."""
        with urllib.request.urlopen(self.url + path, timeout=WAIT_SECONDS) as answer:
            return str(answer.read().decode())

    def refusal(self, path: str) -> str:
        """Return a page that comes with status 503."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.get(path)
        with caught.value as answer:
            assert answer.code == 503
            return str(answer.read().decode())

    @property
    def full(self) -> bool:
        """Whether it takes in nothing, for want of room, and says so."""
        try:
            self.get("/health/ready")
        except urllib.error.HTTPError as answer:
            with answer:
                return "accepts nothing" in answer.read().decode()
        return False

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's series that have these labels; ``name`` as on the page."""
        families = text_string_to_metric_families(self.get("/metrics"))
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def wait_for_metric(self, name: str, value: float) -> None:
        """Wait until a metric has reached a value."""
        wait_until(lambda: self.metric(name) >= value, f"{name} to be {value}")

    def wait_for_delivery(self, count: int) -> None:
        """Wait until so many events have been delivered, those included that the destination had already."""
        names = ("ingestd_delivered_events_total", "ingestd_duplicate_events_total")
        wait_until(lambda: sum(map(self.metric, names)) >= count, f"{count} events to be delivered")

    def send(self, events: Iterable[dict[str, Any] | bytes]) -> None:
        """Send events as JSON lines over one connection, and close it; bytes are sent as they are."""
        lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"".join(line + b"\n" for line in lines))

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return the dead letters, with ``raw`` as bytes, and with ``refused``: the document if there is one."""
        files = sorted((self.data_dir / "deadletters").glob("dead-*.ndjson"))
        letters = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        for letter in letters:
            letter["raw"] = base64.b64decode(letter.get("raw", ""))
            letter["refused"] = base64.b64decode(letter["document"]) if "document" in letter else letter["raw"]
        return letters
