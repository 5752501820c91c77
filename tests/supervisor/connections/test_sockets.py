"""The supervisor's sockets: what is known about them survives a restart."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.supervisor.connections.sockets import (
    Connection,
    Listener,
    listen,
    listen_hint,
    listener_key,
    listens_on,
    stored_connection,
)

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
def test_connections_are_known_by_their_entries(pipeline: str, input_id: str, worker: int, connection: str) -> None:
    with socket.socket() as sock:
        before = Connection(connection, sock, pipeline, input_id, worker, "", 0, "c1f")
        check_name(before.name)
        assert listener_key(before.name) is None
        after = stored_connection(before.name, sock.detach(), {"c1f": before.entry()})
    assert after is not None
    with after.sock:
        assert after.entry() == before.entry()
        assert not after.new


def test_a_stored_connection_over_a_socket_of_the_file_system(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        client.connect(str(tmp_path / "socket"))
        before = Connection("1f", listening.accept()[0], "main", "in", 0, "", 0, "c1f")
        after = stored_connection(before.name, before.sock.detach(), {"c1f": before.entry()})
        assert after is not None
        assert (after.host, after.port) == ("", 0)
        after.sock.close()


def test_connection_that_an_earlier_version_stored() -> None:
    with socket.socket() as sock:
        after = stored_connection("c.4711.3.main.a%2Eb", sock.detach(), {})
    assert after is not None
    with after.sock:
        assert (after.id, after.worker, after.pipeline, after.input, after.name) == ("4711", 3, "main", "a.b", "")


OTHERS = ["", "unknown", "l", "l.main", "l.main.tcp.0", "c", "c2", "c.1.x.main.tcp", "c.1.-1.main.tcp", "c.1.0.main"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_not_ours(name: str) -> None:
    assert listener_key(name) is None
    assert stored_connection(name, -1, {"c1": {"id": "1"}}) is None


@pytest.mark.parametrize(
    ("host", "wanted", "port_too"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "0.0.0.0", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("0.0.0.0", "localhost", False),
        ("127.0.0.1", "no.such.host.invalid", False),
    ],
)
def test_whether_a_socket_listens_on_an_address(host: str, wanted: str, port_too: bool) -> None:
    with listen(Listener("main", "tcp_0", host, 0)) as sock:
        port = sock.getsockname()[1]
        assert listens_on(sock, Listener("main", "tcp_0", wanted, port)) is port_too
        assert not listens_on(sock, Listener("main", "tcp_0", wanted, port - 1))


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
        (errno.EADDRNOTAVAIL, 514, "this machine does not have that address"),
        (errno.EADDRINUSE, 514, "is another program using the port?"),
    ],
)
def test_what_to_do_about_a_port(number: int, port: int, expected: str) -> None:
    assert expected in listen_hint(port, OSError(number, "no"))
