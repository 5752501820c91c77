"""What systemd does for a unit with Type=notify and a descriptor store, as far as ingestd can see it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Self

from tests.e2e.daemon import Daemon
from tests.threads import Background

_MAX_FDS = 4
_EXEC = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 1000) for fd in sys.argv[1].split(",") if fd]
for number, fd in enumerate(fds, 3):
    os.dup2(fd, number)  # which makes it inheritable
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """Keeps the descriptors that the daemon stores, and passes them to the next one, by sd_listen_fds(3)."""

    def __init__(self, folder: Path) -> None:
        self.stored: list[tuple[str, int]] = []
        self.states: list[str] = []
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = str(folder / "notify")
        self._socket.bind(self.address)

        self._listening = Background(self._listen, lambda: self._socket.shutdown(socket.SHUT_RDWR))

    def __enter__(self) -> Self:
        self._listening.__enter__()
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        self._listening.__exit__(kind, *raised)
        self._socket.close()
        for _, fd in self.stored:
            os.close(fd)
        self.stored.clear()

    def _listen(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, 4096, _MAX_FDS)
            if not data:
                return
            said = dict(line.split("=", 1) for line in data.decode().splitlines())
            with self._lock:
                self._handle(said, fds)

    def _handle(self, said: dict[str, str], fds: list[int]) -> None:
        name = said.get("FDNAME", "stored")
        if "FDSTORE" in said:
            self.stored += [(name, fd) for fd in fds]
        elif "FDSTOREREMOVE" in said:
            for stored in [stored for stored in self.stored if stored[0] == name]:
                self.stored.remove(stored)
                os.close(stored[1])
        else:
            self.states += said

    def connections(self) -> int:
        """Return how many accepted connections are stored."""
        with self._lock:
            return sum(name.startswith("c") for name, _ in self.stored)

    def spawn(
        self, command: list[str], environ: dict[str, str], output: IO[bytes], log: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a process in a group of its own with everything that is stored."""
        with self._lock:
            names, fds = [name for name, _ in self.stored], [fd for _, fd in self.stored]
            environment = {
                "NOTIFY_SOCKET": self.address,
                "LISTEN_FDS": str(len(fds)),
                "LISTEN_FDNAMES": ":".join(names),
            }
            return subprocess.Popen(
                [sys.executable, "-c", _EXEC, ",".join(map(str, fds)), *command],
                env=environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                pass_fds=fds,
                start_new_session=True,
            )


class Unit(Daemon):
    """A daemon that systemd starts; ``folder`` is the same for every start of one unit."""

    def __init__(self, systemd: Systemd, folder: Path, *arguments: str, **settings: str) -> None:
        self._systemd = systemd
        super().__init__(folder, *arguments, **settings)

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return self._systemd.spawn(self._command, environ, output, log)

    def restart(self) -> None:
        """``systemctl restart``: stop it as the unit file says, start the next one in its place."""
        self.stop()
        self.start()
        self.__enter__()

    def crash(self) -> None:
        """SIGKILL to every process of the unit at once, and the restart after it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.start()
        self.__enter__()
