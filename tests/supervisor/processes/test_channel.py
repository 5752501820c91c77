"""The channel between the supervisor and its children: every message comes out whole, with its descriptor."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.supervisor.processes.channel import Channel, ChannelClosedError, Message

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def messages(channel: Channel) -> list[Message]:
    return [message for message, _ in channel.receive()]


def drained(ours: Channel, theirs: Channel) -> list[tuple[Message, int | None]]:
    """Return everything that ``ours`` has to say."""
    received = theirs.receive()
    while ours.pending:
        ours.flush()
        received += theirs.receive()
    return received


def wire(*sent: Message) -> bytes:
    """Return what goes over the socket for these messages."""
    left, right = socket.socketpair()
    with left, right:
        channel = Channel(left)
        for message in sent:
            channel.send(message)
        return right.recv(1 << 16)


def test_both_ways(ends: Ends) -> None:
    ours, theirs = ends
    ours.send({"type": "ask", "number": 1})
    theirs.send({"type": "ready"})
    assert messages(theirs) == [{"type": "ask", "number": 1}]
    assert messages(ours) == [{"type": "ready"}]
    assert messages(ours) == messages(theirs) == []


@given(
    sent=st.lists(st.fixed_dictionaries({"text": st.text("a\n\0서", max_size=9)}), max_size=5),
    size=st.integers(1, 30),
)
def test_messages_may_be_cut_anywhere(sent: list[Message], size: int) -> None:
    raw = wire(*sent) if sent else b""
    left, right = socket.socketpair()
    with left, right:
        channel = Channel(right)
        received: list[Message] = []
        for start in range(0, len(raw), size):
            left.sendall(raw[start : start + size])
            received += messages(channel)
    assert received == sent


def test_every_descriptor_comes_with_its_message(ends: Ends, pipe: tuple[int, int]) -> None:
    ours, theirs = ends
    reading, writing = pipe
    ours.send({"n": 1})
    ours.send({"n": 2}, writing)
    ours.send({"n": 3})
    ours.send({"n": 4}, reading)
    (first, none), (second, write), (third, nothing), (fourth, read) = theirs.receive()
    assert [first, second, third, fourth] == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]
    assert none is nothing is None
    assert write is not None
    assert read is not None
    os.write(write, b"through")
    assert os.read(read, 100) == b"through"
    assert {write, read}.isdisjoint(pipe)  # duplicates
    os.close(write)
    os.close(read)


def test_many_descriptors(ends: Ends, pipe: tuple[int, int]) -> None:
    """More than one call can take; none is lost, none is mixed up."""
    ours, theirs = ends
    for number in range(200):
        ours.send({"n": number}, pipe[number % 2])
    received: list[tuple[Message, int | None]] = []
    while len(received) < 200:
        some = theirs.receive()
        assert 0 < len(some) < 100  # the process has other work in between
        received += some
        ours.flush()
    assert [message["n"] for message, _ in received] == list(range(200))
    kinds = []
    for _, fd in received:
        assert fd is not None
        kinds.append(os.fstat(fd).st_ino)
        os.close(fd)
    assert kinds == [os.fstat(pipe[0]).st_ino] * 200


def test_a_closed_peer_is_reported_after_its_last_words(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send({"last": "words"})
    theirs.close()
    assert messages(ours) == [{"last": "words"}]
    with pytest.raises(ChannelClosedError):
        ours.receive()


def test_half_a_message_of_a_dead_peer_is_no_message() -> None:
    left, right = socket.socketpair()
    with right:
        with left:
            left.sendall(wire({"type": "answer"})[:-1])
        with pytest.raises(ChannelClosedError):
            Channel(right).receive()


def test_sending_to_a_closed_peer_raises_nothing(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()
    ours.send({"n": 1})
    ours.send({"n": 2})
    with pytest.raises(ChannelClosedError):
        ours.receive()


def test_nobody_waits_for_a_peer_that_does_not_read(ends: Ends, pipe: tuple[int, int]) -> None:
    """What does not fit is queued, also when a message with a descriptor is cut in two."""
    ours, theirs = ends
    sent = [{"n": number, "text": "x" * 50_000} for number in range(100)]
    for message in sent:
        ours.send(message, pipe[0] if message["n"] == 50 else None)
    waiting = ours.pending
    received = drained(ours, theirs)
    assert waiting
    assert [message for message, _ in received] == sent
    [number] = [message["n"] for message, fd in received if fd is not None]
    assert number == 50
    for _, fd in received:
        if fd is not None:
            os.close(fd)


def test_a_message_larger_than_any_buffer(ends: Ends, pipe: tuple[int, int]) -> None:
    ours, theirs = ends
    big = {"text": "서" * 1_000_000}
    ours.send(big, pipe[1])
    [(message, fd)] = drained(ours, theirs)
    assert message == big
    assert fd is not None
    os.close(fd)


def test_closing_lets_go_of_descriptors_nobody_took(pipe: tuple[int, int]) -> None:
    """A message cut by the end of its sender leaves a descriptor without a message."""
    left, right = socket.socketpair()
    reading, writing = os.pipe()
    with left:
        socket.send_fds(left, [wire({"n": 1})[:2]], [writing])
    os.close(writing)
    channel = Channel(right)
    with pytest.raises(ChannelClosedError):
        channel.receive()
    channel.close()
    assert os.read(reading, 1) == b""  # no writing end is open any more
    os.close(reading)
