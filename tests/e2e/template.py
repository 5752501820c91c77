"""Daemons that are forked from a process that has imported what they need: that is most of what a start costs.

The tests start hundreds of them. A `Forked` one gets arguments, variables, folder, files and limits as from
``subprocess.Popen``, and goes through ``python -m ingestd`` as any other: only its interpreter is not new, nor are
those that it starts (see `tests.e2e.interpreters`). The template is started for the first of them, and ends with the
process that runs the tests.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.e2e.interpreters import ROOM, fork_interpreters, set_command_line, set_variables

_ROOT = Path(__file__).parents[2]
_MODULES = (
    "ingestd.cli.main",
    "ingestd.cli.commands.run",
    "ingestd.app.daemon",
    "ingestd.app.helpers",
    "ingestd.web.app",
    "ingestd.web.exposition",
    "ingestd.web.processes.http_process",
    "ingestd.web.processes.export_process",
    "ingestd.alerts.engine",
    "ingestd.lifecycle.schedule",
    "ingestd.stores.local.backup.backups",
    "ingestd.stores.local.query.store",
    "ingestd.stores.local.sealing.sealer",
    "ingestd.plugins.codecs.json_lines",
    "ingestd.plugins.filters.access_line",
    "ingestd.plugins.filters.geoip",
    "ingestd.plugins.filters.log_fields",
    "ingestd.plugins.filters.mutate",
    "ingestd.plugins.filters.problem",
    "ingestd.plugins.filters.search_word",
    "ingestd.plugins.inputs.tcp",
    "ingestd.plugins.outputs.elasticsearch",
    "ingestd.plugins.outputs.opensearch",
    "ingestd.plugins.outputs.store",
    "ingestd.stores.elastic.query.store",
    "ingestd.stores.elastic.connection.official",
    "importlib.readers",
    "encodings.cp949",
    "encodings.idna",
)
"""What the processes of most daemons import at their start or first use. Not DuckDB, which is not made for a fork."""

_REQUEST_BYTES = 1 << 20


class Forked:
    """A running ``python -m ingestd ARGUMENTS``, with the methods of ``subprocess.Popen`` that tests of daemons use."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], output: IO[bytes], log: IO[bytes]) -> None:
        self.args = [sys.executable, "-m", "ingestd", *arguments]
        self.returncode: int | None = None
        self._template = _template()
        request = {
            "arguments": arguments,
            "environ": dict(environ),
            "folder": str(Path.cwd()),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        }
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            self.pid: int = self._template.ask(request, nothing.fileno(), output.fileno(), log.fileno())

    def poll(self) -> int | None:
        """Return its exit code; None as long as it runs."""
        if self.returncode is None:
            self.returncode = self._template.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code, as soon as it has ended. Raises TimeoutExpired."""
        if self.poll() is None:
            watched, waiting = os.pidfd_open(self.pid), select.poll()
            waiting.register(watched, select.POLLIN)
            waiting.poll(None if timeout is None else timeout * 1000)
            os.close(watched)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Template:
    """The process that others are forked from, as the tests see it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen([sys.executable, "-m", __name__, ROOM], stdin=other.fileno(), cwd=_ROOT)
        atexit.register(self._close)

    def ask(self, request: dict[str, Any], *files: int) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            return json.loads(self._socket.recv(_REQUEST_BYTES))

    def _close(self) -> None:
        self._socket.close()
        self._process.wait()


_templates: dict[str, _Template] = {}


def _template() -> _Template:
    """Return the template that sees the mounts of this process: `tests.disks` enters another namespace."""
    namespace = str(Path("/proc/self/ns/mnt").readlink())
    if namespace not in _templates:
        _templates[namespace] = _Template()
    return _templates[namespace]


def main() -> None:
    """Be the template, until the tests have ended; in what is forked from it, be ``python -m ingestd``."""
    for name in _MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, which end this process
    gc.collect()
    gc.freeze()
    request, files = _serve()
    if request:
        _become(request, files)


def _serve() -> tuple[dict[str, Any], list[int]]:
    """Answer requests: return in each process that is forked, with what it is to be, and with nothing at the end."""
    ended: dict[int, int] = {}
    with socket.socket(fileno=os.dup(0)) as tests:
        while True:
            text, files, _, _ = socket.recv_fds(tests, _REQUEST_BYTES, 3)
            if not text:
                return {}, []
            request = json.loads(text)
            if (pid := request.get("ended")) is not None:
                answer = _exit_code(pid, ended)
            elif (answer := os.fork()) == 0:
                return request, files
            else:
                ended.pop(answer, None)  # a number is used again
            for file in files:
                os.close(file)
            tests.send(json.dumps(answer).encode())


def _exit_code(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


def _become(request: dict[str, Any], files: Sequence[int]) -> None:
    gc.unfreeze()  # as in a new interpreter; the daemon itself freezes what its processes share
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    set_variables((os.fsencode(name), os.fsencode(value)) for name, value in request["environ"].items())
    time.tzset()
    resource.setrlimit(resource.RLIMIT_NOFILE, request["files"])
    sys.argv = ["ingestd", *request["arguments"]]
    set_command_line([sys.executable, "-m", "ingestd", *request["arguments"]])
    fork_interpreters()
    runpy.run_module("ingestd", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
