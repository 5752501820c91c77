"""How far a socket of the file system was read, as the next reader sees it after a kill at any moment."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from ingestd.plugins.inputs._tcp_peek import PeekBuffer, Peeked
from ingestd.plugins.inputs._tcp_position import ends_after, position
from ingestd.plugins.inputs._unix_position import Consumption

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs SO_PEEK_OFF")

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a client that has sent 30 bytes in three pieces, and the socket that is read."""
    client, read = socket.socketpair()
    with client, read:
        read.setblocking(False)
        for piece in (b"0123456789", b"abcdefghij", b"ABCDEFGHIJ"):
            client.sendall(piece)
        yield client, read


def test_a_new_socket_was_not_read(pair: Pair) -> None:
    assert position(pair[1]) == 0


def test_what_was_peeked_at_is_not_consumed(pair: Pair) -> None:
    Consumption(pair[1])
    assert [pair[1].recv(3, socket.MSG_PEEK) for _ in range(2)] == [b"012", b"012"]
    assert position(pair[1]) == 0


@pytest.mark.parametrize("before", [0, 7], ids=["first", "later"])
@pytest.mark.parametrize("consumed", [0, 1, 10, 12], ids=["nothing", "a_byte", "a_piece", "all"])
def test_killed_while_bytes_are_consumed(pair: Pair, before: int, consumed: int) -> None:
    read = pair[1]
    peeked = Peeked(read, PeekBuffer(100))
    peeked.drop(before)
    Consumption(read).start(12)  # the process does not live to the end
    if consumed:
        read.recv(consumed)
    assert position(read) == before + consumed
    next_reader = Peeked(read, PeekBuffer(100))
    assert position(read) == before + consumed
    whole = b"0123456789abcdefghijABCDEFGHIJ"
    assert read.recv(100, socket.MSG_PEEK) == whole[before + consumed :]
    assert next_reader.skip(3, 2) == (3, whole[before + consumed + 1 : before + consumed + 3])
    next_reader.drop(4)
    assert position(read) == before + consumed + 7


def test_the_end_of_the_stream(pair: Pair) -> None:
    client, read = pair
    assert not ends_after(read, 30)
    client.shutdown(socket.SHUT_WR)
    assert ends_after(read, 30)
    assert not ends_after(read, 29)
