"""The names of the supervisor's sockets: everything that is known of them survives a restart in the name."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.supervisor.sockets import Connection, Listener, listen, listen_hint, listener_key, stored_connection

ids = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()) | st.sampled_from(
    ["main", "tcp_0", "a.b", "a:b", "l.x.y", "c.1.0.x.y", "%2E", "서울", "a b", "a=b", "a/b"]
)


@given(pipeline=ids, input_id=ids)
def test_listeners_are_known_by_their_names(pipeline: str, input_id: str) -> None:
    name = Listener(pipeline, input_id, "::1", 5959, 7).name
    assert listener_key(name) == (pipeline, input_id)
    check_name(name)


def check_name(name: str) -> None:
    """It can be a FDNAME of systemd (printable ASCII, no colon) and part of ``name=fd`` pairs with blanks between."""
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set(": =")


@given(pipeline=ids, input_id=ids, worker=st.integers(0, 200), connection=st.text("0123456789abcxyz", min_size=1))
def test_connections_are_known_by_their_names(pipeline: str, input_id: str, worker: int, connection: str) -> None:
    with socket.socket() as sock:
        before = Connection(connection, sock, pipeline, input_id, worker, "", 0)
        check_name(before.name)
        assert listener_key(before.name) is None
        after = stored_connection(before.name, sock.detach())
    assert after is not None
    with after.sock:
        assert (after.id, after.pipeline, after.input, after.worker) == (connection, pipeline, input_id, worker)
        assert after.name == before.name
        assert not after.new


OTHERS = ["", "unknown", "l", "l.main", "l.main.tcp.0", "c", "c.1.x.main.tcp", "c.1.-1.main.tcp", "c.1.0.main"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_not_ours(name: str) -> None:
    assert listener_key(name) is None
    assert stored_connection(name, -1) is None


def test_a_message_says_once_that_the_connection_is_new() -> None:
    with socket.socket() as sock:
        connection = Connection("c1", sock, "main", "tcp_0", 3, "10.0.0.1", 4711)
        first = connection.message()
        assert first == {
            "type": "connection",
            "id": "c1",
            "pipeline": "main",
            "input": "tcp_0",
            "host": "10.0.0.1",
            "port": 4711,
            "new": True,
        }
        assert connection.message() == first | {"new": False}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_an_address_that_is_taken(taken: int) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{taken}: .*; is another program using the port"):
        listen(Listener("main", "tcp_0", "127.0.0.1", taken))


@pytest.mark.parametrize(
    ("number", "port", "expected"),
    [
        (errno.EACCES, 514, "net.ipv4.ip_unprivileged_port_start=514"),
        (errno.EACCES, 514, "AmbientCapabilities=CAP_NET_BIND_SERVICE"),
        (errno.EACCES, 514, "setcap cap_net_bind_service=+ep /"),
        (errno.EACCES, 5959, "is another program using the port?"),
        (errno.EADDRINUSE, 514, "is another program using the port?"),
    ],
)
def test_what_to_do_about_a_port(number: int, port: int, expected: str) -> None:
    assert expected in listen_hint(port, OSError(number, "no"))
