"""Talks to systemd: sd_notify(3), and the descriptor store that outlives the process (FDSTORE)."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Mapping

_TRIES, _PAUSE = 50, 0.01
_FIRST_FD = 3  # sd_listen_fds(3)

LISTEN_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
"""They describe descriptors of the program that systemd started, not of one that is executed in its place."""


_HEARTBEAT_SECONDS = 0.5
"""How long a heartbeat waits for room: its queue has ten places, and every new connection takes one."""


class Notifier:
    """Sends to the socket named by NOTIFY_SOCKET; does nothing if there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = float(environ.get("WATCHDOG_USEC") or 0) / 1e6
        """WATCHDOG=1 must be sent at least this often; 0: never."""

    @property
    def present(self) -> bool:
        """Whether systemd is listening."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that the daemon receives events, at the start or after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a new config is being loaded."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is about to end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show a sentence in ``systemctl status``."""
        self._send(f"STATUS={text}", wait_seconds=0)

    def watchdog(self) -> None:
        """Report that the daemon is alive; waits a moment while many connections are being stored."""
        self._send("WATCHDOG=1", wait_seconds=_HEARTBEAT_SECONDS)

    def store(self, name: str, fd: int) -> None:
        """Ask systemd to keep a duplicate of ``fd`` across restarts; ``name`` has no colon."""
        self._send(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", fd)

    def forget(self, name: str) -> None:
        """Ask systemd to close the descriptors stored under ``name``."""
        self._send(f"FDSTOREREMOVE=1\nFDNAME={name}")

    def _send(self, state: str, fd: int | None = None, *, wait_seconds: float | None = None) -> None:
        """Send a message.

        It is dropped if systemd has had others to read for ``wait_seconds``; None: it is needed, however long it takes.
        """
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(wait_seconds)
            sock.connect(self._address)
            if fd is None:
                sock.send(state.encode())
            else:
                _send_fd(sock, state.encode(), fd)


def _send_fd(sock: socket.socket, data: bytes, fd: int) -> None:
    """Send a descriptor; wait a little while too many are on their way to systemd or our children."""
    for _ in range(_TRIES):
        try:
            socket.send_fds(sock, [data], [fd])
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:
                raise
            time.sleep(_PAUSE)
        else:
            return


def inherited(environ: Mapping[str, str], pid: int) -> list[tuple[str, int]]:
    """Return names and numbers of the descriptors that systemd passed to process ``pid`` (LISTEN_FDS)."""
    if environ.get("LISTEN_PID") != str(pid):
        return []
    count = int(environ.get("LISTEN_FDS") or 0)
    names = (environ.get("LISTEN_FDNAMES") or "").split(":")
    names += ["unknown"] * (count - len(names))
    for fd in range(_FIRST_FD, _FIRST_FD + count):
        os.set_inheritable(fd, False)
    return list(zip(names, range(_FIRST_FD, _FIRST_FD + count), strict=False))
