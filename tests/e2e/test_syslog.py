"""Inputs for messages with real clients: logger(1), Python's handlers, and datagrams while a worker is dead."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import zip_longest
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

import pytest
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import UdpTransport

from ingestd.plugins.inputs._datagrams import MAX_BATCH
from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon
from tests.e2e.stub import StubElasticsearch
from tests.plugins.inputs.authority import Authority
from tests.processes import is_stopped, send_signal
from tests.random_cases import LONG
from tests.threads import Background
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.skipif(shutil.which("logger") is None, reason="logger(1) of util-linux is not installed")

HOST = "127.0.0.1"


class Site:
    """A daemon with these inputs, and what it has delivered."""

    def __init__(self, folder: Path, stub: StubElasticsearch) -> None:
        self.path, self._stub = folder / "log.socket", stub
        self.stream_path = folder / "lines.socket"
        self.authority = Authority(folder)
        certificate, key = self.authority.files("server")
        config = f"""
            input {{
                syslog {{ id => sys host => "{HOST}" port => 0 path => "{self.path}" }}
                syslog {{
                  id => tls host => "{HOST}" port => 0 use_udp => false
                  ssl_enabled => true ssl_certificate => "{certificate}" ssl_key => "{key}"
                }}
                unix {{ id => unix path => "{self.stream_path}" }}
                gelf {{ id => gelf host => "{HOST}" port => 0 use_tcp => true }}
                udp {{ id => udp host => "{HOST}" port => 0 codec => json }}
            }}
            output {{ elasticsearch {{ hosts => "{stub.url}" index => "logs" }} }}
        """
        self.daemon = Daemon(folder, config=config, workers="2")

    def port(self, input_id: str, network: str) -> int:
        """Return the port of an input: of tcp or udp."""
        entries = self.daemon.said("listening for events" if network == "tcp" else "receiving datagrams")
        return int([entry["port"] for entry in entries if entry["input"] == input_id and "port" in entry][-1])

    def events(self, word: str) -> list[dict[str, Any]]:
        """Return the delivered events whose message starts with a word."""
        with self._stub.lock:
            found = [*self._stub.documents.values()]
        return [event for event in found if str(event.get("message", "")).startswith(word)]

    def wait_for(self, word: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until ``count`` events have come whose message starts with a word, and return them."""
        wait_until(lambda: len(self.events(word)) >= count, f"{count} events {word}")
        found = self.events(word)
        assert len(found) == count
        return found

    def kill_workers(self) -> None:
        """Kill every worker, and wait until others have taken their places."""
        before = self.workers()
        for pid in before:
            send_signal(pid, signal.SIGKILL)
        wait_until(lambda: len(self.workers() - before) == 2, "new workers")

    def workers(self) -> set[int]:
        """Return the workers."""
        return {*workers(self.daemon)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with StubElasticsearch() as stub:
        site = Site(tmp_path_factory.mktemp("syslog"), stub)
        with site.daemon:
            yield site


def logger(*arguments: str) -> None:
    """Run logger(1)."""
    done = subprocess.run(["logger", *arguments], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")


NETWORKS = {
    "udp": lambda site: ["--udp", "--server", HOST, "--port", str(site.port("sys", "udp"))],
    "tcp": lambda site: ["--tcp", "--server", HOST, "--port", str(site.port("sys", "tcp"))],
    "octet_count": lambda site: ["--tcp", "--octet-count", "--server", HOST, "--port", str(site.port("sys", "tcp"))],
    "path": lambda site: ["--socket", str(site.path)],
}


@pytest.mark.parametrize("network", NETWORKS)
def test_logger_with_rfc_3164(site: Site, network: str) -> None:
    word = f"old_{network}"
    logger(*NETWORKS[network](site), "--rfc3164", "-t", "shop", "--id=77", "-p", "local3.warning", f"{word} hello")
    [event] = site.wait_for(word)
    expected = {"program": "shop", "pid": "77", "priority": 156, "facility_label": "local3"}
    assert event | expected | {"severity_label": "Warning"} == event
    assert event["message"] == f"{word} hello"
    assert event.get("host") == (None if network == "path" else HOST)
    assert event["@timestamp"].endswith(":" + event["timestamp"][-2:] + ".000Z"), "the time is that of the message"
    assert "tags" not in event


@pytest.mark.parametrize("network", NETWORKS)
def test_logger_with_rfc_5424(site: Site, network: str) -> None:
    word = f"new_{network}"
    data = ["--sd-id", "shop@32473", "--sd-param", 'user="a \\"b\\" [c\\]"', "--sd-param", 'n="1"', "--msgid", "ORDER"]
    logger(*NETWORKS[network](site), "--rfc5424", *data, "-t", "shop", "--id=77", f"{word} 서울")
    [event] = site.wait_for(word)
    expected = {"program": "shop", "pid": "77", "priority": 13, "syslog_version": 1, "msgid": "ORDER"}
    assert event | expected == event
    assert event["message"] == f"{word} 서울"
    assert event["structured_data"]["shop@32473"] == {"user": 'a "b" [c]', "n": "1"}
    assert "tags" not in event


HANDLERS: dict[str, Callable[[Site], SysLogHandler]] = {
    "udp": lambda site: SysLogHandler((HOST, site.port("sys", "udp"))),
    "tcp": lambda site: SysLogHandler((HOST, site.port("sys", "tcp")), socktype=socket.SOCK_STREAM),
    "path": lambda site: SysLogHandler(str(site.path)),
}


@pytest.mark.parametrize("network", HANDLERS)
def test_handler_of_python(site: Site, network: str) -> None:
    """Without a formatter it sends no time, which the tag says; the priority counts all the same."""
    with closing(HANDLERS[network](site)) as handler:
        record = logging.LogRecord("django", logging.ERROR, "f", 1, f"python_{network}\nTraceback", (), None)
        handler.emit(record)
        handler.setFormatter(logging.Formatter("%(asctime)s web1 app[7]: %(message)s", "%b %d %H:%M:%S"))
        handler.emit(record)
    [parsed] = site.wait_for(f"python_{network}")
    assert (parsed["message"], parsed["program"]) == (f"python_{network}\nTraceback", "app")
    [bare] = site.wait_for(f"<11>python_{network}")
    assert (bare["severity_label"], bare["tags"]) == ("Error", ["_grokparsefailure_sysloginput"])


def gelf(message: str, **fields: Any) -> bytes:
    """Return a record as the handlers of graypy make it."""
    record = {"version": "1.1", "host": "web1", "short_message": message, "level": 3, "timestamp": 1796000000.5}
    return json.dumps(record | {f"_{name}": value for name, value in fields.items()}).encode()


def chunks(data: bytes, size: int) -> list[bytes]:
    """Return a message in chunks of that many bytes."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    message_id = os.urandom(8)
    return [b"\x1e\x0f%b%c%c%b" % (message_id, number, len(parts), part) for number, part in enumerate(parts)]


def test_gelf_over_udp(site: Site) -> None:
    """Plain, compressed, in chunks in any order, mixed with those of others; and one that lacks a chunk."""
    long = "x" * 5000
    datagrams = [gelf("gelf plain"), gzip.compress(gelf("gelf gzip")), zlib.compress(gelf("gelf zlib"))]
    first, second = chunks(gelf("gelf one", text=long), 1000), chunks(zlib.compress(gelf("gelf two", text=long)), 10)
    datagrams += [part for pair in zip_longest(reversed(first), second) for part in pair if part]
    datagrams += chunks(gelf("gelf lost"), 20)[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for datagram in datagrams:
            client.sendto(datagram, (HOST, site.port("gelf", "udp")))
    events = {event["message"]: event for event in site.wait_for("gelf ", 5)}
    assert {*events} == {f"gelf {name}" for name in ("plain", "gzip", "zlib", "one", "two")}
    assert events["gelf one"]["text"] == events["gelf two"]["text"] == long
    expected = {"host": "web1", "source_host": HOST, "level": 3, "@timestamp": "2026-11-30T00:53:20.500Z"}
    assert events["gelf zlib"] | expected == events["gelf zlib"]

    lost = gelf("gelf lost")[20:]
    wait_until(lambda: lost in [letter["raw"] for letter in site.daemon.dead_letters()], "the incomplete message")


def test_gelf_over_tcp(site: Site) -> None:
    with socket.create_connection((HOST, site.port("gelf", "tcp"))) as connection:
        for number in range(50):
            connection.sendall(gelf(f"stream {number}\nline two", n=number) + b"\0")
    events = site.wait_for("stream ", 50)
    assert numbers(events) == Counter(range(50))
    assert {event["source_host"] for event in events} == {HOST}
    assert all(event["message"].endswith("\nline two") and "tags" not in event for event in events)


def test_lines_from_a_socket_of_the_file_system(site: Site) -> None:
    """They come over one connection, also after a reload; the end of the stream ends the last line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(site.stream_path))
        connection.sendall(b"".join(b"unix %d\n" % number for number in range(500)))
        site.wait_for("unix ", 500)
        reload(site)
        for byte in b"unix 500 %b\n" % (b"x" * 1000):  # the kernel has no room for so many pieces
            connection.sendall(bytes([byte]))
        connection.sendall(b"unix 501 %b\nunix 502" % (b"x" * 400_000))
    events = site.wait_for("unix ", 503)
    assert numbers(events) == Counter(range(503))
    assert [len(event["message"]) for event in events if " x" in event["message"]] == [1009, 400_009]
    assert {(event["host"], event["path"]) for event in events} == {(socket.gethostname(), str(site.stream_path))}


def test_a_kill_loses_no_line_of_a_socket_of_the_file_system(site: Site) -> None:
    sent = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WAIT_SECONDS)
        connection.connect(str(site.stream_path))
        for _ in range(10 if LONG else 2):
            with Background(site.kill_workers) as kill:
                while kill.running:
                    connection.sendall(b"".join(b"shot_unix %d\n" % number for number in range(sent, sent + 10)))
                    sent += 10
                    time.sleep(0.002)
    events = site.wait_for("shot_unix ", sent)
    assert numbers(events) == Counter(range(sent))


def reload(site: Site) -> None:
    """Load the config again, and wait until every process has it."""
    done = "every process runs the new config"
    before = len(site.daemon.said(done))
    site.daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(site.daemon.said(done)) > before, "the reload")


def test_transport_of_python_logstash_async(site: Site, tmp_path: Path) -> None:
    options = {"ssl_enable": False, "ssl_verify": False, "keyfile": None, "certfile": None, "ca_certs": None}
    transport = UdpTransport(HOST, site.port("udp", "udp"), timeout=5, **options)
    handler = AsynchronousLogstashHandler(HOST, 0, str(tmp_path / "db"), transport=transport)
    log = logging.getLogger("tests.udp")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    try:
        log.info("async hello", extra={"order": 5})
        handler.flush()
        [event] = site.wait_for("async hello")
    finally:
        log.removeHandler(handler)
        handler.close()
    assert event["level"] == "INFO"


def numbers(events: list[dict[str, Any]]) -> Counter[int]:
    return Counter(int(event["message"].split()[1]) for event in events)


def test_datagrams_that_come_while_no_worker_lives_are_read_by_the_next(site: Site) -> None:
    """Those of a batch that was read and not stored would be lost: none is read here when the workers are killed."""
    before, ports = site.workers(), [site.port("udp", "udp"), site.port("sys", "udp")]
    try:
        for pid in before:
            send_signal(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(is_stopped, before)), "the workers to stand still")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for number in range(100):
                client.sendto(b'{"message":"gap_udp %d"}' % number, (HOST, ports[0]))
                client.sendto(b"<13>Nov 29 10:00:00 web1 app: gap_sys %d" % number, (HOST, ports[1]))
    finally:
        for pid in before:
            send_signal(pid, signal.SIGKILL)
    for word in ("gap_udp", "gap_sys"):
        assert numbers(site.wait_for(word, 100)) == Counter(range(100))


def dropped(port: int) -> int:
    """Return how many datagrams the kernel had no room for: the last column of /proc/net/udp."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    [drops] = [int(row[-1]) for row in rows if row[1] == f"0100007F:{port:04X}"]
    return drops


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_kill_loses_no_more_datagrams_than_are_read_at_once(site: Site) -> None:
    port, before, sent = site.port("udp", "udp"), dropped(site.port("udp", "udp")), 0
    kill = threading.Thread(target=site.kill_workers)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:

        def send(number: int) -> None:
            nonlocal sent
            client.sendto(b'{"message":"shot %d"}' % number, (HOST, port))
            sent += 1

        kill.start()
        while kill.is_alive() or sent < 2000:
            send(sent)
            if sent % 20 == 0:
                time.sleep(0.002)
        kill.join()

        def all_read() -> bool:
            send(-1)
            return bool(site.events("shot -1"))

        wait_until(all_read, "the last datagram")

    def lost() -> int:
        return sent - len(site.events("shot ")) - (dropped(port) - before)

    wait_until(lambda: lost() <= MAX_BATCH, "all that was stored")
    assert lost() >= 0
    found = numbers(site.events("shot "))
    assert max(found[number] for number in range(sent)) == 1, "none is there twice"


@pytest.mark.parametrize("framing", ["lines", "nul", "octet_count"])
def test_nothing_is_lost_or_doubled_over_tcp_when_workers_are_killed(site: Site, framing: str) -> None:
    count, word = 6000, f"kill_{framing}"

    def framed(number: int) -> bytes:
        text = f"<13>Nov 29 10:00:00 web1 app: {word} {number} {'x' * (number % 300)}".encode()
        return {"lines": text + b"\n", "nul": text + b"\n more\0"}.get(framing, b"%d %b" % (len(text), text))

    half = threading.Event()

    def send() -> None:
        with socket.create_connection((HOST, site.port("sys", "tcp"))) as connection:
            for number in range(count):
                connection.sendall(framed(number))
                if number == count // 2:
                    half.set()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        site.kill_workers()
        assert half.wait(WAIT_SECONDS)
        site.kill_workers()
    finally:
        sender.join(WAIT_SECONDS)
    assert numbers(site.wait_for(word, count)) == Counter(range(count))


def test_garbage_among_frames_is_a_dead_letter_and_ends_the_connection(site: Site) -> None:
    with socket.create_connection((HOST, site.port("sys", "tcp"))) as connection:
        connection.settimeout(WAIT_SECONDS)
        connection.sendall(b"40 <13>Nov 29 10:00:00 web1 app: broken one")
        site.wait_for("broken one")
        connection.sendall(b"garbage")
        assert connection.recv(1) == b""
    wait_until(lambda: b"garbage" in [letter["raw"] for letter in site.daemon.dead_letters()], "the dead letter")


def test_every_framing_over_tls(site: Site) -> None:
    """Records of any size come in pieces of TLS; the last one of each connection lacks its end."""
    texts = [f"<13>Nov 29 10:00:00 web1 app: tls {number} {'x' * number * 999}".encode() for number in range(30)]
    streams = {
        "lines": b"\n".join(texts),
        "nul": b"\0".join(text + b"\nmore" for text in texts),
        "octet_count": b"".join(b"%d %b" % (len(text), text) for text in texts),
    }
    for stream in streams.values():
        with socket.create_connection((HOST, site.port("tls", "tcp"))) as sock:
            context = site.authority.client_context()
            with context.wrap_socket(sock, server_hostname=HOST) as connection:
                connection.sendall(stream)
                connection.unwrap()
    assert numbers(site.wait_for("tls ", 90)) == Counter([*range(30)] * 3)


def test_garbage_among_frames_over_tls(site: Site) -> None:
    with (
        socket.create_connection((HOST, site.port("tls", "tcp"))) as sock,
        site.authority.client_context().wrap_socket(sock, server_hostname=HOST) as connection,
    ):
        connection.settimeout(WAIT_SECONDS)
        connection.sendall(b"40 <13>Nov 29 10:00:00 web1 app: framed onerubbish")
        assert connection.recv(1) == b""
    site.wait_for("framed one")
    wait_until(lambda: b"rubbish" in [letter["raw"] for letter in site.daemon.dead_letters()], "the dead letter")


def test_a_reload_keeps_the_sockets(site: Site) -> None:
    before = site.workers()
    reload(site)
    assert not before & site.workers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b'{"message":"reload_udp"}', (HOST, site.port("udp", "udp")))
    site.wait_for("reload_udp")
    logger("--socket", str(site.path), "-t", "app", "reload_path")
    site.wait_for("reload_path")
