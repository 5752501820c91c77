"""Accepting of connections: what fails in one of them costs no other, and what was closed is not touched any more."""

from __future__ import annotations

import dataclasses
import selectors
import socket
from collections.abc import Iterator

import pytest

from ingestd.supervisor.connections.acceptor import UPGRADE_VARIABLE, Acceptor
from ingestd.supervisor.connections.sockets import Connection, Listener
from ingestd.supervisor.notify import Notifier

LISTENER = Listener("main", "tcp_0", "127.0.0.1", 0)


class Accepting:
    """An acceptor; the connection whose number is in ``faulty`` cannot be handed over."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.accepted: list[str] = []
        self.faulty = ""
        self._number = 0
        self.most = 1 << 30  # how many connections the workers can take
        self.acceptor = Acceptor(
            self.selector, Notifier({}), self._new_id, lambda: 0, self._on_accept, lambda: self.behind
        )
        self.acceptor.listen([LISTENER])
        [key] = self.selector.get_map().values()
        assert isinstance(key.fileobj, socket.socket)
        self.address = key.fileobj.getsockname()
        self.callback = key.data

    @property
    def behind(self) -> bool:
        return len(self.accepted) >= self.most

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


def test_clients_wait_while_the_workers_are_behind(accepting: Accepting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.supervisor.connections.acceptor._SHORT_PAUSE", 0.0)
    accepting.most = 2
    clients = [accepting.connect() for _ in range(3)]
    accepting.callback()
    accepting.acceptor.forget("c1")
    assert accepting.accepted == ["c1", "c2"]
    assert accepting.acceptor.next_deadline() is not None
    assert len(accepting.selector.get_map()) == 0
    accepting.most = 10
    accepting.acceptor.tick()
    [key] = accepting.selector.get_map().values()
    key.data()
    assert accepting.accepted == ["c1", "c2", "c3"]
    assert accepting.acceptor.next_deadline() is None
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


def test_connections_that_end_with_their_worker(accepting: Accepting) -> None:
    """Those that a worker has got, and no others; the other inputs' stay for the next worker."""
    acceptor = accepting.acceptor
    acceptor.listen([dataclasses.replace(LISTENER, outlives_reader=False)])
    clients = [accepting.connect() for _ in range(3)]
    accepting.callback()
    acceptor.listen([LISTENER])
    clients.append(accepting.connect())
    accepting.callback()
    connections = acceptor.connections
    assert [connection.outlives_reader for connection in connections.values()] == [False, False, False, True]
    for name in ("c1", "c3", "c4"):
        connections[name].message()
    connections["c3"].worker = 1
    assert acceptor.close_unfinished(0) == (2, 1)
    assert [*connections] == ["c2", "c3", "c4"]
    assert clients[0].recv(1) == b""
    for client in clients:
        client.close()


def port_of(acceptor: Acceptor) -> int:
    [sock] = acceptor._listening_sockets.values()
    return int(sock.getsockname()[1])


@pytest.mark.parametrize(("before", "after"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")])
def test_another_address_that_overlaps_with_the_old_one(accepting: Accepting, before: str, after: str) -> None:
    """systemd, or a worker that is being forked, has a duplicate of the old socket."""
    acceptor = accepting.acceptor
    acceptor.listen([Listener("main", "tcp_0", before, 0)])
    port = port_of(acceptor)
    [old] = acceptor._listening_sockets.values()
    with old.dup(), socket.create_connection(("127.0.0.1", port)) as waiting:
        acceptor.listen([Listener("main", "tcp_0", after, port)])
        [sock] = acceptor._listening_sockets.values()
        assert sock.getsockname() == (after, port)
        assert accepting.accepted == ["c1"]  # a client that had connected before is not disconnected
        [connection] = acceptor.connections.values()
        assert connection.sock.getpeername() == waiting.getsockname()
        with socket.create_connection(("127.0.0.1", port)):
            acceptor._accept(("main", "tcp_0"))
            assert accepting.accepted == ["c1", "c2"]


def test_two_inputs_change_places(accepting: Accepting) -> None:
    first, second = Listener("main", "a", "127.0.0.1", 0), Listener("main", "b", "127.0.0.1", 0)
    accepting.acceptor.listen([first, second])
    sockets = accepting.acceptor._listening_sockets
    ports = [sockets["main", name].getsockname()[1] for name in ("a", "b")]
    accepting.acceptor.listen([Listener("main", "a", "", ports[1]), Listener("main", "b", "", ports[0])])
    assert [sockets["main", name].getsockname()[1] for name in ("b", "a")] == ports


def test_address_that_is_taken_leaves_everything_as_it_was(accepting: Accepting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="cannot listen"):
        accepting.acceptor.listen([Listener("main", "tcp_0", *other.getsockname())])
    with accepting.connect():
        accepting.callback()
        assert accepting.accepted == ["c1"]


def adopting(environ: dict[str, str]) -> Accepting:
    made = Accepting()
    made.acceptor.listen([])
    made.acceptor.adopt(environ, [LISTENER])
    return made


def pass_on(acceptor: Acceptor) -> str:
    """Return what an upgrade passes on; ``acceptor`` no longer owns its sockets."""
    variable = acceptor.for_exec()
    for sock in [*acceptor._listening_sockets.values(), *(each.sock for each in acceptor.connections.values())]:
        sock.detach()
    acceptor._manifest._fd = -1
    return variable


def test_any_number_of_connections_is_passed_on(accepting: Accepting) -> None:
    """A variable of the environment holds 128 KiB."""
    clients = [accepting.connect() for _ in range(300)]
    while len(accepting.accepted) < 300:
        accepting.callback()
    for number in range(1, 300, 2):
        accepting.acceptor.forget(f"c{number}")
    before = {id_: connection.entry() for id_, connection in accepting.acceptor.connections.items()}
    variable = pass_on(accepting.acceptor)
    assert len(variable) < 10
    following = adopting({UPGRADE_VARIABLE: variable})
    assert {id_: connection.entry() for id_, connection in following.acceptor.connections.items()} == before
    assert following.acceptor._names.take() == "c0"
    following.acceptor.close()
    for client in clients:
        client.close()


def test_pairs_and_long_names_of_an_earlier_version(accepting: Accepting) -> None:
    with accepting.connect():
        sock, _ = next(iter(accepting.acceptor._listening_sockets.values())).accept()
        following = adopting({UPGRADE_VARIABLE: f"c.4711.2.main.tcp_0={sock.detach()}"})
        [connection] = following.acceptor.connections.values()
        assert connection.entry() == {"name": "c0", "id": "4711", "worker": 2, "pipeline": "main", "input": "tcp_0"}
        again = adopting({UPGRADE_VARIABLE: pass_on(following.acceptor)})
        assert [each.entry() for each in again.acceptor.connections.values()] == [connection.entry()]
        again.acceptor.close()
