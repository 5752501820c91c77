"""Accepting of connections: what fails in one of them costs no other, and what was closed is not touched any more."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from ingestd.supervisor.acceptor import Acceptor
from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.sockets import Connection, Listener

LISTENER = Listener("main", "tcp_0", "127.0.0.1", 0)


class Accepting:
    """An acceptor; the connection whose number is in ``faulty`` cannot be handed over."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.accepted: list[str] = []
        self.faulty = ""
        self._number = 0
        self.acceptor = Acceptor(self.selector, Notifier({}), self._new_id, lambda: 0, self._on_accept)
        self.acceptor.listen([LISTENER])
        [key] = self.selector.get_map().values()
        assert isinstance(key.fileobj, socket.socket)
        self.address = key.fileobj.getsockname()
        self.callback = key.data

    def _new_id(self) -> str:
        self._number += 1
        return f"c{self._number}"

    def _on_accept(self, connection: Connection) -> None:
        if connection.id == self.faulty:
            raise RuntimeError("a defect")
        self.accepted.append(connection.id)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address)


@pytest.fixture
def accepting() -> Iterator[Accepting]:
    made = Accepting()
    yield made
    made.acceptor.close()
    made.selector.close()


def test_connection_that_cannot_be_set_up_is_closed(accepting: Accepting, caplog: pytest.LogCaptureFixture) -> None:
    accepting.faulty = "c2"
    clients = [accepting.connect() for _ in range(3)]
    accepting.callback()
    assert accepting.accepted == list(accepting.acceptor.connections) == ["c1", "c3"]
    assert accepting.acceptor.loads[0] == 2
    assert clients[1].recv(1) == b""
    assert caplog.messages == ["a connection is closed: it cannot be set up"]
    for client in clients:
        client.close()


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_listener_that_was_closed_in_the_same_round(accepting: Accepting, how: str) -> None:
    """The selector reported a new connection and a signal at once; the signal was handled first."""
    with accepting.connect():
        if how == "stop":
            accepting.acceptor.stop()
            assert accepting.accepted == ["c1"]
        else:
            accepting.acceptor.listen([])
        accepting.callback()
        assert len(accepting.accepted) == (how == "stop")
