"""Inputs that read datagrams over real sockets, in a whole pipeline in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from ingestd.app.assemble import compile_all
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.plugins.interfaces import DatagramInput, DatagramSocket, StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.supervisor.connections.datagrams import DatagramListener, open_missing, open_socket, receives_on
from ingestd.supervisor.connections.sockets import Connection, Listener, listen, listens_on
from tests.e2e.daemon import free_port
from tests.e2e.in_memory import MemoryPipeline
from tests.waiting import WAIT_SECONDS, eventually

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel counts drops only on Linux")


class Receiver(MemoryPipeline):
    """One with an input that reads datagrams."""

    def __init__(self, source: str, filters: str = "", journal_bytes: int = 1 << 30, **settings: Any) -> None:
        config = f"input {{ {source} }} filter {{ {filters} }} output {{ stdout {{ }} }}"
        super().__init__(config, journal_bytes, **settings)
        assert isinstance(self.input, DatagramInput)
        self.reader = self.input
        self.socks = [open_socket(wanted) for wanted in self.reader.datagram_sockets]
        self.drops: list[int] = []
        self._clients: list[socket.socket] = []

    async def start(self, drops: int = 0) -> None:
        await self.running.start()
        for sock in self.socks:
            self.reader.serve_datagrams(sock.dup(), drops, self.drops.append)

    def client(self, source: str = "127.0.0.1") -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((source, 0))
        sock.connect(self.socks[0].getsockname())
        self._clients.append(sock)
        return sock

    def send(self, *datagrams: bytes, source: str = "127.0.0.1") -> None:
        client = self.client(source)
        for datagram in datagrams:
            client.send(datagram)

    def close(self) -> None:
        for sock in (*self.socks, *self._clients):
            sock.close()


@contextlib.asynccontextmanager
async def receiving(source: str = "", **settings: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(source or udp(), **settings)
    await receiver.start()
    try:
        yield receiver
    finally:
        receiver.memory.gate.set()
        await receiver.stop()
        receiver.close()


def udp(options: str = "") -> str:
    return f"udp {{ host => '127.0.0.1' port => 0 {options} }}"


def without_times(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in event.items() if name not in ("@timestamp", "@version")} for event in documents
    ]


HOST = "127.0.0.1"


def text(message: str) -> dict[str, Any]:
    return {"message": message, "host": HOST}


CASES: list[tuple[str, str, str, list[bytes], list[dict[str, Any]]]] = [  # id, options, filters, datagrams, events
    ("text", "", "", [b"a", b"b c"], [text("a"), text("b c")]),
    ("empty", "", "", [b"", b"a"], [text(""), text("a")]),
    (
        "several_lines",
        "",
        "",
        [b"a\n b\n", b"c"],
        [text("a\n b\n"), text("c")],
    ),
    ("nul", "", "", [b"a\0n\n\0000"], [text("a\0n\n\0000")]),
    ("not_utf_8", "", "", ["한".encode("cp949")], [{"message": r"\xC7\xD1", "host": HOST}]),
    ("ecs", "ecs_compatibility => v8", "", [b"a"], [{"message": "a", "host": {"ip": HOST}}]),
    ("field", "source_ip_fieldname => '[source][ip]'", "", [b"a"], [{"message": "a", "source": {"ip": HOST}}]),
    ("json", "codec => json", "", [b'{"a":1}', b'{"b":2,"host":"x"}'], [{"a": 1}, {"b": 2, "host": "x"}]),
    (
        "json_host_read",
        "codec => json",
        "if [host] == '127.0.0.1' { mutate { add_tag => 'here' } }",
        [b'{"a":1}', b'{"b":2,"host":"x"}'],
        [{"a": 1, "host": HOST, "tags": ["here"]}, {"b": 2, "host": "x"}],
    ),
    (
        "json_field_given",
        "codec => json source_ip_fieldname => from",
        "",
        [b'{"a":1}', b'{"from":2}'],
        [{"a": 1, "from": HOST}, {"from": 2}],
    ),
    ("json_several_lines", "codec => json", "", [b'{"a":\n1}'], [{"a": 1}]),
    ("json_array", "codec => json", "", [b'[{"a":1},{"a":2}]', b'{"a":3}'], [{"a": 1}, {"a": 2}, {"a": 3}]),
    ("no_json", "codec => json", "", [b"x"], [{"message": "x", "tags": ["_jsonparsefailure"]}]),
    ("json_lines", "codec => json_lines", "", [b'{"a":1}\n{"a":2}\n', b'{"a":3}'], [{"a": 1}, {"a": 2}, {"a": 3}]),
    (
        "line",
        "codec => line",
        "",
        [b"a\nb\n", b"c"],
        [text("a"), text("b"), text("c")],
    ),
    ("msgpack", "codec => msgpack", "", [b"\x81\xa1a\x0a", b"\x81\xa1a\x01"], [{"a": 10}, {"a": 1}]),
    ("cut_off", "buffer_size => 3", "", [b"abcdef"], [text("abc")]),
    (
        "type_and_tags",
        "type => u tags => ['t']",
        "",
        [b"a"],
        [text("a") | {"type": "u", "tags": ["t"]}],
    ),
    ("redact", "redact => ['email']", "", [b"to a@example.com"], [text("to *************")]),
]


@pytest.mark.parametrize(
    ("options", "filters", "datagrams", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_messages(options: str, filters: str, datagrams: list[bytes], expected: list[dict[str, Any]]) -> None:
    async with receiving(udp(options), filters=filters) as receiver:
        receiver.send(*datagrams)
        assert without_times(await receiver.until(len(expected))) == expected
        assert len(set(receiver.memory.ids)) == len(expected)


async def test_many_senders_at_once() -> None:
    """Each event has its own sender and an id of its own, whatever is stored together."""
    receiver = Receiver(udp())
    sources = [f"127.0.0.{number}" for number in range(2, 12)] if sys.platform == "linux" else [HOST]
    for number in range(200):
        receiver.send(b"%d" % number, source=sources[number % len(sources)])
    await receiver.start()
    try:
        documents = await receiver.until(200)
        assert {(event["message"], event["host"]) for event in documents} == {
            (str(number), sources[number % len(sources)]) for number in range(200)
        }
        assert len(set(receiver.memory.ids)) == 200
    finally:
        await receiver.stop()
        receiver.close()


async def test_nothing_is_read_while_there_is_no_room() -> None:
    """A full journal: what the kernel holds is read when the output has taken the rest."""
    async with receiving(journal_bytes=20_000, queue_bytes=1000) as receiver:
        receiver.memory.gate.clear()
        client = receiver.client()
        client.send(b"x" * 1000)
        sent = 1
        while not receiver.running.paused:
            client.send(b"x" * 1000)
            sent += 1
            await asyncio.sleep(0.001)
        for _ in range(20):
            client.send(b"x" * 1000)
        receiver.memory.gate.set()
        await receiver.until(sent + 20)
        assert len(set(receiver.memory.ids)) == sent + 20


async def test_a_defect_ends_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stay open and read nothing more; the next process reads what comes."""
    receiver = Receiver(udp())
    await receiver.start()

    def fail(_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(receiver.journal, "append", fail)
    receiver.send(b"a", b"b")
    with pytest.raises(KeyError):
        await asyncio.wait_for(receiver.running.failed(), WAIT_SECONDS)
    await receiver.running.close()
    receiver.send(b"later")
    receiver.socks[0].settimeout(WAIT_SECONDS)
    while receiver.socks[0].recv(10) != b"later":
        pass
    receiver.close()


@pytest.mark.parametrize("mode", ["drain", "leave", "handover"])
async def test_a_stop_reads_what_has_arrived(mode: StopMode) -> None:
    """And leaves what comes later to the next reader: the socket is still open."""
    async with receiving() as receiver:
        receiver.send(*[b"%d" % number for number in range(200)])
        await receiver.stop(mode)
        assert [event["message"] for event in receiver.memory.documents] == [str(number) for number in range(200)]
        receiver.send(b"later")
        receiver.socks[0].settimeout(WAIT_SECONDS)
        assert receiver.socks[0].recv(10) == b"later"


@linux
async def test_drops_are_counted_once_whoever_reads() -> None:
    labels = ("main", "udp_0")
    before = metrics.DATAGRAMS_DROPPED.value(*labels)
    receiver = Receiver(udp("receive_buffer_bytes => 4096"))
    receiver.send(*[b"x" * 500] * 1000)
    await receiver.start(drops=2)
    try:
        await eventually(lambda: receiver.drops)
        lost = receiver.drops[-1]
        await receiver.until(1000 - lost)
        assert lost > 2
        assert metrics.DATAGRAMS_DROPPED.value(*labels) - before == lost - 2
        [problem] = receiver.running.problems()
        assert f"has dropped {lost} datagrams" in problem
        await receiver.stop()
        assert len(receiver.memory.documents) == 1000 - lost
    finally:
        await receiver.stop()
        receiver.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("port => 70000", "port 70000 is not possible"),
        ("port => 1 buffer_size => 0", "buffer_size 0 is not possible"),
        ("port => 1 queue_size => 0", "queue_size 0 is not possible"),
        ("port => 1 receive_buffer_bytes => -1", "receive_buffer_bytes -1 is not possible"),
    ],
)
def test_options_that_are_not_possible(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors, match=message):
        compile_pipeline(parse(f"input {{ udp {{ {options} }} }} output {{ stdout {{ }} }}", "t", {}), BuildContext())


def test_two_inputs_on_one_port_are_an_error_unless_one_is_tcp() -> None:
    both = "input {{ udp {{ port => 5514 }} {} {{ port => 5514 }} }} output {{ stdout {{ }} }}"
    with pytest.raises(ConfigErrors, match="port 5514 is already that of the input"):
        compile_all(Settings(), {"main": parse(both.format("udp"), "t", {})}, "w0")
    compile_all(Settings(), {"main": parse(both.format("tcp"), "t", {})}, "w0")
    paths = "input { unix { path => '/x' } syslog { path => '/x' } } output { stdout { } }"
    with pytest.raises(ConfigErrors, match="path /x is already that of the input"):
        compile_all(Settings(), {"main": parse(paths, "t", {})}, "w0")


# The sockets


def listener(**where: Any) -> DatagramListener:
    return DatagramListener("main", "in", DatagramSocket(**where))


def opened(sock: socket.socket, name: str = "in") -> Connection:
    return Connection("1", sock, "main", name, 0, "", 0, datagrams=True)


def test_a_socket_that_fits_stays_open() -> None:
    with open_socket(DatagramSocket("127.0.0.1", 0)) as sock, socket.socket() as tcp:
        port = sock.getsockname()[1]
        others = [Connection("2", tcp, "main", "in", 0, "", 0)]
        changes = open_missing([listener(host="127.0.0.1", port=port)], [*others, opened(sock)])
        assert (changes.opened, changes.leaving) == ([], [])
        changes = open_missing([listener(host="127.0.0.1", port=0)], [opened(sock, "another")])
        assert len(changes.opened) == len(changes.leaving) == 1
        changes.close()


def test_another_address_with_the_same_port() -> None:
    """The old socket stays open, and receives, until the change is complete."""
    with open_socket(DatagramSocket("0.0.0.0", 0)) as sock:
        port = sock.getsockname()[1]
        changes = open_missing([listener(host="127.0.0.1", port=port)], [opened(sock)])
        [(_, new)] = changes.opened
        assert receives_on(new, DatagramSocket("127.0.0.1", port))
        changes.close()


def test_a_port_in_use_is_an_error_and_changes_nothing() -> None:
    with open_socket(DatagramSocket("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        other = free_port()
        wanted = [listener(host="127.0.0.1", port=other), listener(host="127.0.0.1", port=port)]
        with pytest.raises(OSError, match=rf"cannot receive on 127.0.0.1:{port} \(UDP\): .* is another program using"):
            open_missing(wanted, [])
        open_socket(DatagramSocket("127.0.0.1", other)).close()


def test_a_socket_file_has_its_permissions_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    for mode in (0o666, 0o620):  # the second time, the file of the first is there
        sock = open_socket(DatagramSocket(path=path, mode=mode))
        assert stat.S_IMODE(Path(path).stat().st_mode) == mode
        assert receives_on(sock, DatagramSocket(path=path))
        assert not receives_on(sock, DatagramSocket(path=path + "x"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", path)
        assert sock.recv(10) == b"hello"
        sock.close()


def test_a_socket_file_that_was_removed_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with open_socket(DatagramSocket(path=str(path))) as sock:
        path.unlink()
        assert not receives_on(sock, DatagramSocket(path=str(path)))


def test_a_socket_file_in_use_is_replaced_only_if_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with open_socket(DatagramSocket(path=path)):
        with pytest.raises(OSError, match="another program uses it, or it is not a socket; systemd-journald"):
            open_socket(DatagramSocket(path=path))
        open_socket(DatagramSocket(path=path, replace=True)).close()


def test_listening_on_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "in")
    for _ in range(2):  # the second time, the file of the first is there
        with listen(Listener("main", "in", path, 0)) as sock, socket.socket(socket.AF_UNIX) as client:
            assert listens_on(sock, Listener("main", "in", path, 0))
            assert not listens_on(sock, Listener("main", "in", "127.0.0.1", 0))
            client.connect(path)
            with pytest.raises(OSError, match="another program uses it"):
                listen(Listener("main", "in", path, 0))
    with pytest.raises(OSError, match="does its folder exist"):
        listen(Listener("main", "in", str(tmp_path / "no" / "in"), 0))


def test_files_that_are_no_sockets_stay(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("precious")
    for replaced in (False, True):
        with pytest.raises(OSError, match="it is not a socket"):
            open_socket(DatagramSocket(path=str(file), replace=replaced))
    assert file.read_text() == "precious"
    with pytest.raises(OSError, match="does its folder exist"):
        open_socket(DatagramSocket(path=str(tmp_path / "no" / "log")))
    with pytest.raises(OSError, match="path too long"):
        open_socket(DatagramSocket(path=str(tmp_path / ("x" * 200))))


def test_a_link_to_nothing_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "log"
    link.symlink_to(tmp_path / "gone")
    with open_socket(DatagramSocket(path=str(link))):
        assert link.is_socket()
        assert not link.is_symlink()
