"""TLS over real sockets: stock clients, certificates of clients, new files, reloads, and what a kill costs."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from logstash_async.handler import AsynchronousLogstashHandler

from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.stub import StubElasticsearch
from tests.plugins.inputs.authority import Authority
from tests.processes import is_alive, send_signal
from tests.waiting import WAIT_SECONDS, wait_until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Site:
    """A daemon with two inputs: ``tls``, and ``mtls``, which needs a certificate of its clients."""

    def __init__(self, folder: Path, authority: Authority, stub: StubElasticsearch, **settings: str) -> None:
        self.authority, self.stub, self.files = authority, stub, (folder / "tls.crt", folder / "tls.key")
        self.install("server")
        tls = f"""host => "127.0.0.1" port => 0 codec => json_lines ssl_enabled => true
          ssl_certificate => "{self.files[0]}" ssl_key => "{self.files[1]}" """
        config = f"""
        input {{
          tcp {{ {tls} id => "tls" ssl_client_authentication => none }}
          tcp {{ {tls} id => "mtls" ssl_certificate_authorities => "{authority.folder / "ca.crt"}" }}
        }}
        output {{ elasticsearch {{ hosts => "{stub.url}" index => "logs" }} }}
        """
        self.daemon = Daemon(folder, config=config, **settings)

    def install(self, name: str) -> None:
        """Replace the files, first the key."""
        for source, target in reversed([*zip(self.authority.files(name), self.files, strict=True)]):
            self.replace(target, source)

    def replace(self, file: Path, source: Path) -> None:
        """Replace a file by renaming, as certbot does."""
        shutil.copy(source, file.with_suffix(".new"))
        file.with_suffix(".new").rename(file)

    def port(self, name: str = "tls") -> int:
        entries = self.daemon.said("listening for events")
        return next(int(entry["port"]) for entry in entries if entry["input"] == name)

    @contextlib.contextmanager
    def connect(self, name: str = "tls", **client: Any) -> Iterator[ssl.SSLSocket]:
        context = self.authority.client_context(**client)
        with (
            socket.create_connection(("127.0.0.1", self.port(name)), WAIT_SECONDS) as sock,
            context.wrap_socket(sock, server_hostname="127.0.0.1") as connection,
        ):
            yield connection

    def numbers(self) -> list[int]:
        """Return the numbers of the lines that were delivered; python-logstash-async puts extra fields into one."""
        with self.stub.lock:
            return sorted(
                document["n"] if "n" in document else document["extra"]["n"]
                for document in self.stub.documents.values()
            )

    def warnings(self, message: str) -> list[dict[str, Any]]:
        return self.daemon.said(message)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Site]:
    with StubElasticsearch() as stub:
        made = Site(tmp_path_factory.mktemp("site"), authority, stub, workers="1")
        with made.daemon:
            yield made


def line(number: int) -> bytes:
    return b'{"n": %d, "@timestamp": "2026-11-22T10:00:00.000Z"}\n' % number


def send_and_find(site: Site, number: int, name: str = "tls", **client: Any) -> None:
    with site.connect(name, **client) as connection:
        connection.sendall(line(number))
        wait_until(lambda: number in site.numbers(), "the line to be delivered")


def test_lines(site: Site) -> None:
    send_and_find(site, 1)


def test_python_logstash_async(site: Site) -> None:
    handler = AsynchronousLogstashHandler(
        "127.0.0.1",
        site.port(),
        database_path=None,
        ssl_enable=True,
        ssl_verify=True,
        ca_certs=str(site.authority.folder / "ca.crt"),
    )
    logger = logging.Logger("tls")  # noqa: LOG001 -- no handlers but this one
    logger.addHandler(handler)
    try:
        for number in range(100, 120):
            logger.info("request", extra={"n": number})
        handler.flush()

        wait_until(lambda: {*range(100, 120)} <= {*site.numbers()}, "all records")
    finally:
        handler.close()


def test_clients_with_a_certificate(site: Site) -> None:
    send_and_find(site, 2, "mtls", certificate="client")


REFUSED = {  # id: input, client, reason in the log
    "no_certificate": ("mtls", {}, "the client has no certificate"),
    "stranger": ("mtls", {"certificate": "stranger"}, "the certificate of the client is not trusted"),
    "old_version": ("tls", {"old": True}, "the client does not support TLS 1.2 or newer"),
    "not_trusted": ("tls", {"trusts": "stranger"}, "the client does not trust the certificate of this input"),
}


@pytest.mark.parametrize(("name", "client", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(name: str, client: dict[str, Any], reason: str, site: Site) -> None:
    """Said once, however often the client tries."""
    for _ in range(3):
        with contextlib.suppress(OSError), site.connect(name, **client) as connection:
            connection.sendall(line(-1))
            assert connection.recv(1) == b"", "it was accepted"  # TLS 1.3: only now the client learns of it

    def said() -> list[dict[str, Any]]:
        entries = site.warnings("a TLS handshake failed; the client was disconnected")
        return [entry for entry in entries if entry["reason"] == reason]

    wait_until(said, "the log to say why")
    assert len(said()) == 1
    assert -1 not in site.numbers()


def test_plain_text_to_a_tls_port(site: Site) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", site.port()), WAIT_SECONDS) as plain:
            plain.sendall(line(-2))
            with contextlib.suppress(ConnectionError):
                assert plain.recv(1) == b""
    [entry] = site.warnings("a client does not speak TLS, which this input needs; it was disconnected")
    assert (entry["kind"], entry["level"]) == ("lines", "WARNING")
    assert -2 not in site.numbers()


def test_new_certificates(site: Site) -> None:
    """New connections get them, old ones go on; one that does not fit changes nothing."""

    def served() -> str:
        with site.connect() as connection:
            certificate: Any = connection.getpeercert()
            return str(certificate["subject"][0][0][1])

    assert served() == "server"
    with site.connect() as old:
        try:
            site.install("client")
            assert served() == "client"
            site.replace(site.files[1], site.authority.files("stranger")[1])
            assert [served(), served()] == ["client", "client"]
            text = "the TLS files cannot be used; the previous ones stay in use"
            entries = site.warnings(text)
            assert {entry["level"] for entry in entries} == {"ERROR"}
            assert any("is not the key of the certificate" in entry["error"] for entry in entries)
            count = len(entries)
            served()
            assert len(site.warnings(text)) == count
        finally:
            site.install("server")
        assert served() == "server"
        old.sendall(line(3))
        wait_until(lambda: 3 in site.numbers(), "the old connection to go on")


def test_a_worker_that_starts_while_the_files_do_not_fit(site: Site) -> None:
    site.files[1].write_bytes(b"broken")
    try:
        wait_until(lambda: len(workers(site.daemon)) == 1, "the worker")
        [worker] = workers(site.daemon)
        send_signal(worker)
        wait_until(lambda: not is_alive(worker) and workers(site.daemon), "another worker")
        send_and_find(site, 4)
    finally:
        site.install("server")
    send_and_find(site, 5)


def test_a_client_that_never_reads(site: Site) -> None:
    """It closes with its last lines on their way: unread bytes would have its system reset the connection."""
    numbers = range(10_000, 40_000)
    with site.connect() as connection:
        connection.sendall(b"".join(map(line, numbers)))
    wait_until(lambda: {*numbers} <= {*site.numbers()}, "all lines to be delivered")


class Sender:
    """Sends lines without a break, in a thread, and connects again when it is disconnected.

    ``sent``: the numbers of the lines, by connection.
    """

    def __init__(self, site: Site, first: int) -> None:
        self._site, self._next = site, first
        self.sent: list[list[int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError), self._site.connect() as connection:
                self.sent.append([])
                connection.settimeout(0.001)
                while not self._stop.is_set() and self._is_open(connection):
                    connection.sendall(line(self._next))
                    self.sent[-1].append(self._next)
                    self._next += 1

    def _is_open(self, connection: ssl.SSLSocket) -> bool:
        try:
            return connection.recv(1) != b""
        except TimeoutError:
            return True

    @property
    def count(self) -> int:
        return sum(map(len, self.sent))

    def wait_for_delivery(self) -> None:
        """Wait until lines are delivered that were sent after the call."""
        wanted = self._next + 20
        wait_until(lambda: max(self._site.numbers(), default=0) >= wanted, "lines to be delivered")

    def check(self, most_lost: int) -> int:
        """Check that of each connection all lines are there but for the last ones; returns how many are missing."""
        found, lost = set(self._site.numbers()), 0
        for sent in self.sent:
            there = [number in found for number in sent]
            assert there == sorted(there, reverse=True), "a line is missing amid others"
            assert there.count(False) <= most_lost
            lost += there.count(False)
        return lost


def test_reload_and_upgrade_take_in_what_was_sent(site: Site) -> None:
    """A client that looks whether the connection has ended loses nothing."""
    with Sender(site, 1_000_000) as sender:
        sender.wait_for_delivery()
        site.daemon.process.send_signal(signal.SIGHUP)
        site.daemon.wait_for("every process runs the new config")
        sender.wait_for_delivery()
        site.daemon.process.send_signal(signal.SIGUSR2)
        site.daemon.wait_for("the upgrade is complete")
        sender.wait_for_delivery()
    wait_until(lambda: sender.sent[-1][-1] in site.numbers(), "the last line")
    assert len(sender.sent) >= 3
    sender.check(most_lost=0)


def test_workers_are_killed(tmp_path: Path, authority: Authority) -> None:
    """What was stored before is delivered, once; of what was under way whole lines, and none between others is lost."""
    with StubElasticsearch() as stub:
        site = Site(tmp_path, authority, stub, workers="2")
        with site.daemon, Sender(site, 0) as sender:
            for _ in range(4):
                sender.wait_for_delivery()
                for worker in workers(site.daemon):
                    send_signal(worker)
            sender.wait_for_delivery()
        assert sender.sent[-1][-1] in site.numbers(), "the stop takes in what was sent before"
        lost = sender.check(most_lost=1 << 30)
        audit = json.loads(ingestd(site.daemon.data_dir, "audit", "--json"))
        assert audit["balanced"]
        assert audit["received"] == stub.stored() == sender.count - lost
