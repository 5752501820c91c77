"""Limits of open files: room for connections, and descriptors that do not arrive."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from ingestd.supervisor.connections.descriptors import is_scarce, room_for_connections
from ingestd.supervisor.processes.channel import Channel
from tests.waiting import WAIT_SECONDS


@contextmanager
def limit(count: int) -> Iterator[None]:
    """Allow so many open files in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def lowest_free() -> int:
    fd = os.dup(0)
    os.close(fd)
    return fd


def test_a_descriptor_that_does_not_arrive_is_missing_and_no_other() -> None:
    """The messages after it have their own."""
    ours, theirs = Channel.pair()
    first, second = socket.socketpair()
    with closing(ours), closing(theirs), first, second:
        ours.send({"n": 0})
        ours.send({"n": 1}, first.fileno())
        ours.send({"n": 2}, first.fileno())
        ours.send({"n": 3})
        with limit(lowest_free()):
            received = theirs.receive()
        assert received == [({"n": n}, None) for n in range(4)]
        ours.send({"n": 4}, second.fileno())
        [(message, fd)] = theirs.receive()
        assert message == {"n": 4}
        assert fd is not None
        assert os.path.sameopenfile(fd, second.fileno())
        os.close(fd)


@pytest.mark.parametrize("allowed", [1024, 200])
def test_room_leaves_a_reserve(allowed: int) -> None:
    allowed += lowest_free()  # other tests may have left files open
    with limit(allowed):
        room, last_room = room_for_connections(0)
        assert 0 < room < last_room < allowed
        assert room_for_connections(5)[0] == room + 5  # they are among the open files
        assert not is_scarce(room)  # a worker with the same limit has room for as many
        assert is_scarce(allowed - 1)


_HAND_OVER = """
import os, resource, selectors, time
from ingestd.supervisor.processes.children import Children

COUNT = 600
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
reading, writing = os.pipe()

def main(channel):
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.read(reading, 1)  # until then many are on their way
    found = []
    while len(found) < COUNT:
        for message, fd in channel.receive():
            found.append((message["n"], fd is not None))
            if fd is not None:
                os.close(fd)
        time.sleep(0.001)
    channel.send({"type": "found", "right": found == [(n, True) for n in range(COUNT)]})
    return 0

selector = selectors.DefaultSelector()
answers, exits = [], []
children = Children(selector, lambda name: main, lambda child, message: answers.append(message["right"]),
                    lambda child: None, lambda child, code: exits.append(code), lambda: None)
child = children.start("worker")
stalls = 0
for n in range(COUNT):
    children.send(child, {"type": "fd", "n": n}, 1)
    stalls += child.channel.stalled
os.write(writing, b"x")
rounds = 0
while not exits:
    rounds += 1
    deadline = children.next_deadline()
    for key, _ in selector.select(None if deadline is None else max(deadline - time.monotonic(), 0)):
        key.data()
    children.tick()
print(stalls > 0, rounds < 1000, answers, exits)
"""


def test_descriptors_are_sent_again_when_too_many_are_on_their_way() -> None:
    """ETOOMANYREFS, unix(7): the sender waits, without spinning, and none is lost."""
    rights = "-sys_resource,-sys_admin"  # which lift the limit
    as_others = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.getuid() == 0 else []
    command = [*as_others, sys.executable, "-c", _HAND_OVER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.stdout == "True True [True] [0]\n", done.stderr
