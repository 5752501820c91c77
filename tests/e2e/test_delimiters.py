"""Records that end with something else than a line feed: whole wherever reads, kills and limits cut the stream."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.inputs._tcp_mark import PartialLine, mark, marked
from tests.e2e.chaos.tools import check_balance, workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.test_tcp import serving, tcp_pair
from tests.processes import send_signal
from tests.waiting import eventually, wait_until

DELIMITERS = ["|", "\\0", "\\r\\n", "\\n\\n", "|END|", "aab"]


def delimiter_of(text: str) -> bytes:
    return text.replace("\\0", "\0").replace("\\r", "\r").replace("\\n", "\n").encode()


def line_codec(delimiter: str) -> str:
    return f'codec => line {{ delimiter => "{delimiter}" }}'


@pytest.mark.parametrize("delimiter", DELIMITERS)
async def test_every_cut_of_a_stream(delimiter: str) -> None:
    """Byte by byte, with records that hold line feeds and starts of the delimiter, and a last one without an end."""
    end = delimiter_of(delimiter)
    records = [b"one", b"two\nlines", "서울".encode(), b'{"a":1}', b"<13>x", b"9", end[:-1] + b"x", b"last" + end[:-1]]
    data = end.join(records)
    async with serving(line_codec(delimiter)) as server:
        writer = await server.connect()
        for value in data:
            writer.write(bytes([value]))
            await writer.drain()
            await asyncio.sleep(0)
        await server.until(len(records) - 1)
        writer.close()
        await server.until(len(records))
        assert [document["message"].encode() for document in server.memory.documents] == records
    assert server.letters.letters == []


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize("delimiter", DELIMITERS)
async def test_records_that_are_too_long(delimiter: str, step: int) -> None:
    """The next record is whole although the end of a rejected one comes in pieces."""
    end = delimiter_of(delimiter)
    partial = end[:-1] + b"-"
    records = [b"x" * 100, b"y" * 101, b"z" * 100 + partial, partial * 99, b"go" + partial + b"od", b"w" * 500]
    data = end.join([*records, b""])
    async with serving(line_codec(delimiter), max_line_bytes=100) as server:
        writer = await server.connect()
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await eventually(lambda: server.closed == ["end"])
        fits = [record for record in records if len(record) <= 100]
        await server.until(len(fits))
        assert [document["message"].encode() for document in server.memory.documents] == fits
        dead = [letter["raw"] for letter in server.letters.letters]
        rejected = [record for record in records if len(record) > 100]
        assert len(dead) == len(rejected)
        assert [(raw, len(raw) > 50) for raw in dead] == [
            (one[: len(raw)], True) for one, raw in zip(rejected, dead, strict=True)
        ]


async def test_members_of_gzip() -> None:
    """In pieces, with a damaged one between two good ones, and one that is cut off by the end of the connection."""
    good = [gzip.compress(f"line {number}\nand {number}\n".encode()) for number in range(20)]
    damaged = good[7][:15] + b"\xff" * 9  # zeros would be padding, wherever a read ends before them
    data = b"".join([*good[:7], damaged, *good[8:19], good[19][:-3]])
    async with serving("codec => gzip_lines") as server:
        writer = await server.connect()
        for at in range(0, len(data), 7):
            writer.write(data[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await eventually(lambda: server.closed == ["end"])
        await server.until(36)
        await eventually(
            lambda: b"".join(letter["raw"] for letter in server.letters.letters) == damaged + good[19][:-3]
        )
        texts = [text for n in range(19) if n != 7 for text in (f"line {n}", f"and {n}")]
        assert [document["message"] for document in server.memory.documents] == texts
    assert {letter["stage"] for letter in server.letters.letters} == {"codec"}


async def test_a_member_of_gzip_that_is_too_long() -> None:
    message = gzip.compress(random.Random(1).randbytes(5000))
    async with serving("codec => gzip_lines", max_line_bytes=1000) as server:
        writer = await server.connect()
        writer.write(message + gzip.compress(b"next\n"))
        await server.until(1)
        writer.close()
        await eventually(lambda: server.closed == ["end"])
        assert [document["message"] for document in server.memory.documents] == ["next"]
    assert len(server.letters.letters) >= 1


def record(number: int, end: bytes = b"<E>") -> bytes:
    return b'{"n":%d,\n"text":"x"}' % number + end


START = b'xx"}'
RESUMED = [  # id, mark, bytes that are in the journal, what waits, events, dead letters
    ("rejected", PartialLine.REJECTED, 0, START + b"<E>" + record(7), [7], []),
    ("rejected_up_to_its_end", PartialLine.REJECTED, 0, b"<E>" + record(7), [7], []),
    ("rejected_but_not_consumed", PartialLine.REJECTED, 2, START + b"<E>" + record(7), [7], []),
    ("before_its_trace", PartialLine.REJECTING, 0, record(6) + record(7), [6, 7], []),
    ("after_its_trace", PartialLine.REJECTING, 2, START + b"<E>" + record(7), [7], []),
    ("collected", PartialLine.COLLECTED, 0, START + b"<E>" + record(7), [7], [START]),
    ("collected_and_stored", PartialLine.COLLECTED, 7, START + b"<E>" + record(7), [7], []),
    ("collected_and_rejected", PartialLine.COLLECTED, 2, START + b"<E>" + record(7), [7], []),
    ("stored_but_not_consumed", PartialLine.NONE, len(record(6)), record(6) + record(7), [7], []),
]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no mark")
@pytest.mark.parametrize(
    ("state", "kept", "data", "events", "dead"), [row[1:] for row in RESUMED], ids=[row[0] for row in RESUMED]
)
async def test_the_next_reader(
    state: PartialLine, kept: int, data: bytes, events: list[int], dead: list[bytes]
) -> None:
    """Wherever the one before it was killed, and the delimiter comes in two pieces."""
    async with serving('codec => json_lines { delimiter => "<E>" }') as server:
        reader = server.running.socket_input("tcp_0")
        assert reader is not None
        for cut in (len(data), 0, 1, data.find(b"<E>") + 1, data.find(b"<E>") + 2):
            server.memory.documents.clear()
            server.letters.letters.clear()
            ours, theirs = tcp_pair()
            mark(theirs, state, b"<E>")
            ours.sendall(data[: max(cut, kept)])
            reader.serve(theirs.dup(), StreamIds().new(), kept, server.closed.append)
            await asyncio.sleep(0.01)
            ours.sendall(data[max(cut, kept) :])
            await eventually(lambda: [document["n"] for document in server.memory.documents] == events)
            assert len(server.letters.letters) == len(dead)
            if cut == len(data):
                assert [letter["raw"] for letter in server.letters.letters] == dead
            assert marked(theirs)[0] is PartialLine.NONE
            ours.close()
            theirs.close()


class Site:
    """A daemon that reads records of each kind, and writes their events to a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "logs").mkdir()
        kinds = {
            "tcp": f'tcp {{ port => 0 host => "127.0.0.1" {line_codec("|END|")}',
            "members": 'tcp { port => 0 host => "127.0.0.1" codec => gzip_lines',
            "unix": f'unix {{ path => "{root}/socket" codec => json_lines {{ delimiter => "\\0" }}',
            "file": f'file {{ path => "{root}/logs/*.log" start_position => beginning stat_interval => "50 ms" '
            f"discover_interval => 2 {line_codec('|END|')}",
            "gzip": f'unix {{ path => "{root}/gzip" codec => gzip_lines',
            "msgpack": f'unix {{ path => "{root}/msgpack" codec => msgpack',
            "archive": f'file {{ path => "{root}/logs/*.gz" mode => read codec => gzip_lines discover_interval => 2 '
            f'stat_interval => "50 ms" file_completed_action => log file_completed_log_path => "{root}/read"',
            "old": f'file {{ path => "{root}/logs/*.old" start_position => beginning stat_interval => "50 ms" '
            'discover_interval => 2 delimiter => "\\r"',
        }
        inputs = " ".join(f'{text} add_field => {{ "kind" => "{kind}" }} }}' for kind, text in kinds.items())
        output = f'file {{ path => "{root}/out/%{{kind}}" codec => json_lines }}'
        self.daemon = Daemon(root, config=f"input {{ {inputs} }} output {{ {output} }}", workers="2")

    def port(self, number: int) -> int:
        """Return that of an input ``tcp``, by its number; sockets of the file system have none."""
        said = self.daemon.said("listening for events")
        return next(int(entry["port"]) for entry in said if entry["input"] == f"tcp_{number}")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind so far."""
        path = self.root / "out" / kind
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, kind: str, messages: list[str]) -> None:
        """Wait until the events of a kind are these, in any order."""
        wait_until(lambda: len(self.events(kind)) >= len(messages), f"{len(messages)} events of {kind}")
        assert sorted(event["message"] for event in self.events(kind)) == sorted(messages)

    def kill_workers(self, **counts: int) -> None:
        """Kill each worker once there are that many events of each kind, and wait for the next workers.

        What is being written to a file would be written again by the next worker.
        """
        for kind, count in counts.items():
            wait_until(lambda: len(self.events(kind)) >= count, f"{count} events of {kind}")  # noqa: B023
        wait_until(lambda: self.daemon.metric("ingestd_queue_events") == 0, "all to be delivered")
        before = workers(self.daemon)
        for pid in before:
            send_signal(pid)
        wait_until(lambda: len(set(workers(self.daemon)) - set(before)) == 2, "the next workers")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One daemon for all tests, whose accounts must be balanced at the end."""
    made = Site(tmp_path_factory.mktemp("delimiters"))
    with made.daemon:
        yield made
        made.daemon.stop()
    kinds = ("tcp", "members", "unix", "gzip", "msgpack", "archive", "file", "old")
    check_balance(made.daemon.data_dir, sum(len(made.events(kind)) for kind in kinds))


def test_a_socket_of_the_file_system(site: Site) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(site.root / "socket"))
        client.sendall(b'{"message":"one"}\0{"message":\n"two"}')
        site.wait("unix", ["one"])
        client.sendall(b'\0{"message":"three"}')
    site.wait("unix", ["one", "two", "three"])


@pytest.mark.parametrize(
    ("kind", "message"),
    [("gzip", gzip.compress(b"one\ntwo\n")), ("msgpack", b"\x81\xa7message\xa3one\x81\xa7message\xa3two")],
    ids=["gzip", "msgpack"],
)
def test_messages_without_lines(site: Site, kind: str, message: bytes) -> None:
    """They are stored as soon as they are whole: no line feed has to come."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(site.root / kind))
        client.sendall(message)
        site.wait(kind, ["one", "two"])


def test_archives(site: Site) -> None:
    (site.root / "logs" / "a.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    site.wait("archive", ["one", "two"])


def test_files_of_carriage_returns(site: Site) -> None:
    (site.root / "logs" / "a.old").write_bytes(b"one\rtwo\nlines\rthree")
    site.wait("old", ["one", "two\nlines"])


def test_workers_that_are_killed_within_records_and_delimiters(site: Site) -> None:
    """What is sent and written is cut within a record, within a delimiter, and at random; all workers are killed."""
    rnd = random.Random(7)
    messages = [f"record {number}\nof two lines " + "x" * rnd.choice([0, 10, 5000]) for number in range(60)]
    data = b"".join(message.encode() + b"|END|" for message in messages)
    lines = [line for message in messages for line in message.split("\n")]
    members = [gzip.compress(message.encode()) for message in messages]
    middle = data.index(b"|END|", len(data) // 2)
    cuts = sorted([len(data) // 4, middle + 2, *(rnd.randrange(len(data)) for _ in range(2))])
    sent = 0  # of the members
    with (
        socket.create_connection(("127.0.0.1", site.port(0))) as client,
        socket.create_connection(("127.0.0.1", site.port(1))) as other,
        (site.root / "logs" / "a.log").open("ab", buffering=0) as file,
    ):
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            client.sendall(data[start:end])
            file.write(data[start:end])
            whole = data.count(b"|END|", 0, end)
            until = len(b"".join(members[:whole])) + 10  # within the next member
            other.sendall(b"".join(members)[sent:until])
            sent = until
            if end < len(data):
                site.kill_workers(tcp=whole, file=whole, members=2 * whole)
        site.wait("file", messages)
    site.wait("tcp", messages)
    site.wait("members", lines)
    assert site.daemon.dead_letters() == []


@pytest.mark.parametrize("codec", ["auto", "line", "json_lines"])
def test_an_import_reads_what_the_inputs_of_the_config_read(tmp_path: Path, codec: str) -> None:
    """Old files have the delimiter of the input whose codec fits."""
    kind = "json_lines" if codec == "json_lines" else "line"
    config = f'input {{ tcp {{ port => 0 codec => {kind} {{ delimiter => "|END|" }} }} }} output {{ store {{ }} }}'
    path, messages = tmp_path / "old.log", [f"record {number}\nof two lines" for number in range(30)]
    texts = [json.dumps({"message": message}, indent=1) if codec == "json_lines" else message for message in messages]
    path.write_text("|END|".join([*texts, ""]))
    conf = tmp_path / "test.conf"
    conf.write_text(config)
    ingestd(tmp_path, "import", "--config", str(conf), "--codec", codec, str(path))
    again = ingestd(tmp_path, "import", "--config", str(conf), "--codec", codec, str(path))
    assert again.startswith("0 read")
    found = ingestd(tmp_path, "search", "--json", "--limit", "100").splitlines()
    assert sorted(json.loads(line)["message"] for line in found) == sorted(messages)
