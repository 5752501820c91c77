"""How far a connection has been read, asked of the kernel: the truth after any mixture of sending and reading."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ingestd.plugins.inputs._tcp_position import peer_has_closed, position, unread
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


class Ends(NamedTuple):
    client: socket.socket
    server: socket.socket


@pytest.fixture
def ends() -> Iterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            yield Ends(client, server)


def arrived(sock: socket.socket, size: int, *, closed: bool = False) -> None:
    """Wait until so much waits to be read, and the end of the stream has come."""
    deadline = time.monotonic() + WAIT_SECONDS
    while unread(sock) != size or peer_has_closed(sock) != closed:
        assert time.monotonic() < deadline, (unread(sock), peer_has_closed(sock))
        time.sleep(0.001)


def test_nothing_yet(ends: Ends) -> None:
    assert (position(ends.server), unread(ends.server), peer_has_closed(ends.server)) == (0, 0, False)


def test_what_waits_is_not_consumed(ends: Ends) -> None:
    ends.client.sendall(b"x" * 1000)
    arrived(ends.server, 1000)
    assert position(ends.server) == 0
    ends.server.recv(600, socket.MSG_PEEK)
    assert position(ends.server) == 0


def test_after_reads(ends: Ends) -> None:
    consumed = 0
    for size in (1, 10, 1000, 30_000):
        ends.client.sendall(b"x" * size)
        arrived(ends.server, size)
        half = len(ends.server.recv(max(size // 2, 1)))
        consumed += half
        assert (position(ends.server), unread(ends.server)) == (consumed, size - half)
        consumed += len(ends.server.recv(size)) if size > half else 0
        assert (position(ends.server), unread(ends.server)) == (consumed, 0)


def test_bytes_dropped_without_copying_count(ends: Ends) -> None:
    ends.client.sendall(b"x" * 1000)
    arrived(ends.server, 1000)
    dropped = ends.server.recv_into(bytearray(400), 400, socket.MSG_TRUNC)
    assert position(ends.server) == dropped == 400


def test_the_end_of_the_stream_is_no_byte(ends: Ends) -> None:
    ends.client.sendall(b"x" * 100)
    ends.client.shutdown(socket.SHUT_WR)
    arrived(ends.server, 100, closed=True)
    assert position(ends.server) == 0
    ends.server.recv(30)
    assert position(ends.server) == 30
    ends.server.recv(100)
    assert position(ends.server) == 100
    assert ends.server.recv(1) == b""
    assert position(ends.server) == 100


def test_a_client_that_is_gone(ends: Ends) -> None:
    """Both sides have closed: what it sent can still be read."""
    ends.client.sendall(b"x" * 100)
    ends.client.close()
    arrived(ends.server, 100, closed=True)
    ends.server.recv(40)
    assert position(ends.server) == 40


def test_a_reset_is_no_byte(ends: Ends) -> None:
    ends.client.sendall(b"x" * 100)
    arrived(ends.server, 100)
    ends.server.recv(40)
    ends.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    ends.client.close()
    arrived(ends.server, 60, closed=True)
    assert position(ends.server) == 40


def test_a_reset_after_the_end_of_the_stream(ends: Ends) -> None:
    ends.client.sendall(b"x" * 100)
    ends.client.shutdown(socket.SHUT_WR)
    arrived(ends.server, 100, closed=True)
    ends.server.recv(40)
    ends.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    ends.client.close()
    time.sleep(0.05)
    assert (position(ends.server), unread(ends.server)) == (40, 60)


def test_the_same_of_every_duplicate(ends: Ends) -> None:
    """The supervisor's descriptor and the next worker's tell the same as the one that read."""
    ends.client.sendall(b"x" * 100)
    arrived(ends.server, 100)
    with ends.server.dup() as other:
        ends.server.recv(70)
        assert (position(other), unread(other)) == (70, 30)
