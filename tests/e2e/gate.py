"""A TCP relay in front of a server that can be shut: connections break in the middle of whatever is under way."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

from tests.e2e.daemon import free_port
from tests.waiting import WAIT_SECONDS


class Gate:
    """Relays to the server at ``url`` while it is open. ``self.url`` stays the same over shutting and opening.

    `shut`, and the end of the ``with`` block, return when every thread has ended and every socket is closed. A defect
    in a thread is raised there; broken connections are none.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._errors: list[BaseException] = []
        self._address = ("127.0.0.1", free_port())
        self.url = f"http://127.0.0.1:{self._address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        try:
            self.shut()
        except BaseException:
            if kind is None:  # else the error of the block is the one to look at
                raise

    @property
    def is_open(self) -> bool:
        """Whether connections are let in."""
        return self._listener is not None

    def open(self) -> None:
        """Let connections in."""
        if self.is_open:
            return
        self._listener = listener = socket.create_server(self._address)
        self._start(lambda: self._accept(listener))

    def shut(self) -> None:
        """Refuse new connections and break those that are open."""
        if self._listener is None:
            return
        _break(self._listener)
        self._listener.close()
        self._listener = None
        while threads := self._take_threads():  # the one that accepts may have started others meanwhile
            for end in self._sockets:
                _break(end)
            for thread in threads:
                thread.join(WAIT_SECONDS)
                assert not thread.is_alive(), "a thread of the gate did not end"
        for end in self._sockets:
            end.close()
        self._sockets.clear()
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0]

    def _take_threads(self) -> list[threading.Thread]:
        with self._lock:
            threads, self._threads = self._threads, []
        return threads

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                with contextlib.suppress(OSError):  # connections break here on purpose
                    work()
            except BaseException as error:  # noqa: BLE001 - `shut` raises it
                self._errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            self._sockets.append(client)
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        """Relay a connection in both directions."""
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _break(client)
            return
        self._sockets.append(server)
        self._start(lambda: self._relay(client, server, upwards=True))
        self._start(lambda: self._relay(server, client, upwards=False))

    def _relay(self, source: socket.socket, sink: socket.socket, *, upwards: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                self._pass(data, upwards=upwards)
                sink.sendall(data)
        finally:
            _break(source)
            _break(sink)

    def _pass(self, data: bytes, *, upwards: bool) -> None:
        """See what is relayed, before it is sent on."""


def _break(end: socket.socket) -> None:
    """End a connection in both directions: whoever reads or writes it returns."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
