"""Signals as bytes on a socket, so that the event loop handles them one at a time, between its other work."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterable


class SignalSocket:
    """Catches signals until it is closed; to be made on the main thread.

    Args:
        signals: The signals to catch. They are unblocked: see ``block``.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._signals = tuple(signals)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno())
        for caught in self._signals:
            signal.signal(caught, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._reader.fileno()

    def receive(self) -> list[signal.Signals]:
        """Return the signals that have come, in their order; of equal ones the system may have merged some."""
        with contextlib.suppress(BlockingIOError):
            return [signal.Signals(number) for number in self._reader.recv(64)]
        return []

    def block(self) -> None:
        """Let later signals wait for the program that is executed next in this process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        signal.set_wakeup_fd(-1)

    def unblock(self) -> None:
        """Catch signals again, since no program was executed."""
        signal.set_wakeup_fd(self._writer.fileno())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)

    def close(self) -> None:
        """Stop catching."""
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()
