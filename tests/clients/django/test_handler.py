"""The handler: what it sends, and that nothing is lost or sent twice when the server is away."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ingestd_django import IngestdHandler

from tests.clients.django.conftest import Make
from tests.clients.django.server import Server, wait_until

CLIENT = Path(__file__).parents[3] / "clients" / "django"


def handler_of(logger: logging.Logger) -> IngestdHandler:
    [handler] = logger.handlers
    assert isinstance(handler, IngestdHandler)
    return handler


def texts(first: int, last: int) -> list[str]:
    return [f"record {number}" for number in range(first, last)]


def send(logger: logging.Logger, first: int, last: int) -> None:
    for text in texts(first, last):
        logger.info(text)


class Odd:
    def __repr__(self) -> str:
        raise ValueError("no text")


class TestFields:
    def test_those_of_python_logstash(self, server: Server, make: Make) -> None:
        logger = make(message_type="django", tags=["web"])
        logger.warning("seen %s", "서울", extra={"user": "kim", "request": object})
        server.wait_for(1)
        [event] = server.events
        assert event["message"] == "seen 서울"
        assert (event["type"], event["tags"], event["level"]) == ("django", ["web"], "WARNING")
        assert (event["logger_name"], event["user"], event["request"]) == (logger.name, "kim", "<class 'object'>")
        assert event["path"] == __file__
        assert event["@timestamp"].endswith("Z")
        assert list(event)[:2] == ["@timestamp", "@metadata"]

    def test_of_an_exception(self, server: Server, make: Make) -> None:
        try:
            raise KeyError("basket")
        except KeyError:
            make().exception("failed")
        server.wait_for(1)
        [event] = server.events
        assert event["stack_trace"].startswith("Traceback")
        assert event["stack_trace"].endswith("KeyError: 'basket'\n")
        assert event["process"] == os.getpid()

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (float("nan"), "nan"),
            ([1, float("inf")], [1, "inf"]),
            ("\ud800", "\ud800"),
            ({(1, 2): 3}, {"(1, 2)": 3}),
            ({"set": {1}}, {"set": "{1}"}),
            (Odd(), "<Odd: ValueError in repr()>"),
        ],
        ids=["nan", "inf_in_list", "surrogate", "key_is_no_text", "set", "repr_fails"],
    )
    def test_any_value(self, value: Any, expected: Any, server: Server, make: Make) -> None:
        make().info("odd", extra={"value": value})
        server.wait_for(1)
        assert server.events[0]["value"] == expected

    def test_a_value_that_contains_itself(self, server: Server, make: Make) -> None:
        loop: list[Any] = []
        loop.append(loop)
        make().info("loop", extra={"value": loop})
        assert server.wait_for(1) == ["loop"]

    def test_arguments_that_do_not_fit(self, server: Server, make: Make) -> None:
        make().info("%d items", "many")
        [text] = server.wait_for(1)
        assert text.startswith("'%d items' % ('many',) (TypeError: ")

    def test_a_formatter_makes_the_message(self, server: Server, make: Make) -> None:
        logger = make()
        handler_of(logger).setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.info("hello")
        assert server.wait_for(1) == ["INFO: hello"]

    def test_compressed(self, server: Server, make: Make) -> None:
        logger = make(compression_level=6)
        logger.info("x" * 10_000)
        assert server.wait_for(1) == ["x" * 10_000]


def test_a_file_for_tls_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ca_certs: there is no file"):
        IngestdHandler(ssl=True, ca_certs=str(tmp_path / "ca.pem"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate and its key, for 127.0.0.1, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "server.crt", folder / "server.key"
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(files[1]), "-out", str(files[0])]
    name = ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "9"]
    subprocess.run(["openssl", "req", "-x509", *key, *name], check=True, capture_output=True)
    return files


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    running = Server(tls=context)
    yield running
    running.stop()


class TestTls:
    def test_records_arrive(self, tls_server: Server, certificate: tuple[Path, Path], make: Make) -> None:
        logger = make(port=tls_server.port, ssl=True, ca_certs=str(certificate[0]))
        send(logger, 0, 10)
        assert sorted(tls_server.wait_for(10)) == sorted(texts(0, 10))
        tls_server.stop()
        send(logger, 10, 20)
        tls_server.start()
        assert sorted(tls_server.wait_for(20)) == sorted(texts(0, 20))

    def test_a_certificate_that_is_not_trusted(self, tls_server: Server, make: Make) -> None:
        logger = make(port=tls_server.port, ssl=True, exit_seconds=0)
        logger.info("kept")
        wait_until(lambda: "certificate verify failed" in handler_of(logger).error, "the error")
        assert not tls_server.events

    def test_gevent_after_the_handler_was_made(
        self, tls_server: Server, certificate: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """As gunicorn does with --preload: waiting for an acknowledgement does not hold up the other greenlets."""
        pytest.importorskip("gevent")
        tls_server.silent = True
        code = f"""
import logging, os
from ingestd_django import IngestdHandler
log = logging.getLogger("preload"); log.setLevel("INFO")
log.addHandler(IngestdHandler(
    "127.0.0.1", {tls_server.port}, ssl=True, ca_certs={str(certificate[0])!r}, spool_dir={str(tmp_path)!r}
))
if not (pid := os.fork()):
    from gevent import monkey; monkey.patch_all()
    import gevent
    log.info("from a worker")
    while not (connection := log.handlers[0]._sender._connection):
        gevent.sleep(0.01)
    for _ in range(100):
        gevent.sleep(0.01)
    print("alive", type(connection._socket).__module__, flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
        done = _python(code)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("alive gevent")


class TestOutages:
    def test_a_server_that_is_away(self, server: Server, make: Make, tmp_path: Path) -> None:
        logger = make()
        send(logger, 0, 10)
        assert handler_of(logger).flush(300)  # else what was not acknowledged comes twice
        server.stop()
        send(logger, 10, 2000)
        wait_until(lambda: list((tmp_path / "spool").glob("*.spool")), "the file")
        server.start()
        assert sorted(server.wait_for(2000)) == sorted(texts(0, 2000))
        assert handler_of(logger).flush()
        assert len(server.events) == 2000  # each once

    def test_a_lost_acknowledgement(self, server: Server, make: Make) -> None:
        server.lose_acknowledgements = 3
        logger = make()
        send(logger, 0, 100)
        wait_until(lambda: handler_of(logger).flush(300), "the acknowledgement")
        assert sorted(server.messages()) == sorted(texts(0, 100))
        assert len(server.events) > 100  # with the same ids

    def test_a_server_that_hangs_does_not_block(self, server: Server, make: Make, tmp_path: Path) -> None:
        server.silent = True
        logger = make(memory_bytes=20_000)
        send(logger, 0, 500)  # more than may wait in memory
        assert not server.events
        server.silent = False
        server.stop()
        server.start()
        assert sorted(server.wait_for(500)) == sorted(texts(0, 500))

    def test_what_does_not_fit_is_counted(self, server: Server, make: Make, capfd: pytest.CaptureFixture[str]) -> None:
        server.stop()
        logger = make(memory_bytes=10_000, spool_bytes=10_000)
        send(logger, 0, 500)
        sender = handler_of(logger)._sender
        wait_until(lambda: sender.dropped, "a drop")
        dropped = sender.dropped
        server.start()
        server.wait_for(500 - dropped)
        assert "cannot be reached" in (err := capfd.readouterr().err) or "are lost" in err

    def test_records_that_come_during_each_acknowledgement(
        self, server: Server, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """As under mod_wsgi: what was sent leaves the file, though it is never empty."""
        monkeypatch.setitem(sys.modules, "mod_wsgi", ModuleType("mod_wsgi"))
        logger = make(memory_bytes=0, spool_bytes=8000)
        sender, sizes = handler_of(logger)._sender, list[int]()
        deliver, numbers = sender._deliver, iter(range(1, 100))

        def deliver_and_log(documents: list[bytes]) -> None:
            deliver(documents)
            for number in islice(numbers, 1):
                send(logger, number, number + 1)
            sizes.extend(file.stat().st_size for file in (tmp_path / "spool").iterdir())

        monkeypatch.setattr(sender, "_deliver", deliver_and_log)
        sender._hurry.set()
        send(logger, 0, 1)
        wait_until(lambda: sender.dropped or len(server.messages()) == 100, "the records")
        assert handler_of(logger).flush(300)
        assert [event["message"] for event in server.events] == texts(0, 100)
        assert max(sizes) <= 8000 < sum(len(str(event)) for event in server.events)
        assert len(list((tmp_path / "spool").iterdir())) == 1

    def test_no_place_for_a_file(self, server: Server, make: Make, tmp_path: Path) -> None:
        (tmp_path / "spool").write_text("not a folder")
        server.stop()
        logger = make()
        send(logger, 0, 100)
        server.start()
        assert sorted(server.wait_for(100)) == sorted(texts(0, 100))


class TestProcesses:
    def test_what_a_process_leaves_is_sent_by_the_next(self, server: Server, make: Make) -> None:
        server.stop()
        first = make(exit_seconds=0.0)
        send(first, 0, 100)
        handler_of(first).close()
        server.start()
        send(second := make(), 100, 101)
        assert sorted(server.wait_for(101)) == sorted(texts(0, 101))
        assert handler_of(second).flush(300)

    def test_what_a_handler_has_not_sent_of_another_process(self, server: Server, make: Make) -> None:
        """Its files are given up when it is closed, though its process goes on."""
        server.stop()
        first = make(exit_seconds=0.0)
        send(first, 0, 100)
        handler_of(first).close()
        server.start()
        second = make(exit_seconds=0.0)
        sender = handler_of(second)._sender
        sender._adopt_at = float("inf")
        send(second, 100, 101)
        server.wait_for(1)
        server.silent = True
        with sender._changed:
            sender._adopt_at = 0.0
            sender._changed.notify_all()
        wait_until(lambda: sender._adopted, "the file")
        handler_of(second).close()
        server.silent = False
        send(make(), 101, 102)
        assert sorted(server.wait_for(102)) == sorted(texts(0, 102))

    def test_short_processes_send_what_another_has_left_once(self, server: Server, make: Make) -> None:
        server.stop()
        first = make(exit_seconds=0.0)
        send(first, 0, 100)
        handler_of(first).close()
        server.start()
        for number in range(100, 104):
            send(logger := make(), number, number + 1)
            handler_of(logger).close()
        assert sorted(server.wait_for(104)) == sorted(texts(0, 104))
        assert len(server.events) == 104

    def test_after_the_end(self, server: Server, make: Make) -> None:
        first = make()
        send(first, 0, 1)
        handler_of(first).close()
        send(first, 1, 2)
        handler_of(first).close()
        send(make(), 2, 3)
        assert sorted(server.wait_for(3)) == texts(0, 3)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_fork_while_others_log(self, server: Server, tmp_path: Path) -> None:
        """In a process of its own: pytest has threads that a fork would not survive."""
        code = f"""
import logging, os, threading
from ingestd_django import IngestdHandler
log = logging.getLogger("forks"); log.setLevel("INFO")
log.addHandler(IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path)!r}, exit_seconds=60))
def work():
    for number in range(300):
        log.info("thread %d", number)
thread = threading.Thread(target=work)
thread.start()
children = []
for child in range(4):
    if not (pid := os.fork()):
        for number in range(50):
            log.info("child %d %d", child, number)
        logging.shutdown()
        os._exit(0)
    children.append(pid)
thread.join()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
"""
        done = _python(code)
        assert done.returncode == 0, done.stderr
        expected = [f"thread {n}" for n in range(300)] + [f"child {c} {n}" for c in range(4) for n in range(50)]
        assert sorted(server.wait_for(500)) == sorted(expected)
        assert len(server.events) == 500

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_the_end_of_a_process_of_multiprocessing(self, server: Server, tmp_path: Path) -> None:
        """It ends without ``atexit``."""
        code = f"""
import logging, multiprocessing
from ingestd_django import IngestdHandler
log = logging.getLogger("pool"); log.setLevel("INFO")
log.addHandler(IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path)!r}, exit_seconds=60))
log.info("parent")
def work(number):
    log.info("child %d", number)
for number in range(3):
    child = multiprocessing.get_context("fork").Process(target=work, args=(number,))
    child.start(); child.join()
    assert child.exitcode == 0
"""
        done = _python(code)
        assert done.returncode == 0, done.stderr
        assert sorted(server.wait_for(4)) == ["child 0", "child 1", "child 2", "parent"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_fork_that_python_does_not_notice(self, server: Server, tmp_path: Path) -> None:
        """uWSGI forks its workers in C; in its master, which has no worker's number, there may be no thread."""
        code = f"""
import ctypes, logging, os, sys, threading, types
sys.modules["uwsgi"] = types.SimpleNamespace(worker_id=lambda: 0)
from ingestd_django import IngestdHandler
log = logging.getLogger("worker"); log.setLevel("INFO")
log.addHandler(IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path)!r}, exit_seconds=60))
log.info("loaded")
assert threading.active_count() == 1
pids = []
for number in range(2):
    if not (pid := ctypes.PyDLL(None).fork()):
        sys.modules["uwsgi"].worker_id = lambda: number + 1
        log.info("worker %d", number)
        logging.shutdown()
        os._exit(0)
    pids.append(pid)
for pid in pids:
    assert os.waitpid(pid, 0)[1] == 0
"""
        done = _python(code)
        assert done.returncode == 0, done.stderr
        assert sorted(server.wait_for(3)) == ["loaded", "worker 0", "worker 1"]

    @pytest.mark.skipif(os.name == "nt", reason="no files there")
    @pytest.mark.parametrize("server_module", ["uwsgi", "mod_wsgi"])
    def test_killed_under_a_server_that_gives_no_notice(
        self, server_module: str, server: Server, make: Make, tmp_path: Path
    ) -> None:
        code = f"""
import logging, os, signal, sys, types
sys.modules[{server_module!r}] = types.SimpleNamespace(worker_id=lambda: 1)
from ingestd_django import IngestdHandler
log = logging.getLogger("killed"); log.setLevel("INFO")
log.addHandler(IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path / "spool")!r}))
for number in range(20):
    log.info("request %d", number)
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert _python(code).returncode == -signal.SIGKILL
        make().info("next process")
        assert sorted(server.wait_for(21)) == sorted(["next process", *(f"request {number}" for number in range(20))])

    @pytest.mark.parametrize("handled", [False, True], ids=["default", "handled_by_the_server"])
    def test_ended_by_sigterm(self, handled: bool, server: Server, make: Make, tmp_path: Path) -> None:
        """As uvicorn ends after it has shut down: by the signal itself, so that nothing is flushed."""
        server.silent = True
        code = f"""
import logging, os, signal
from ingestd_django import IngestdHandler
log = logging.getLogger("terminated"); log.setLevel("INFO")
before = signal.getsignal(signal.SIGTERM)
if {handled}:
    signal.signal(signal.SIGTERM, lambda *_: log.info("shutting down"))
handler = IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path / "spool")!r})
log.addHandler(handler)
log.info("first")
os.kill(os.getpid(), signal.SIGTERM)
log.info("last request")
signal.signal(signal.SIGTERM, before)
os.kill(os.getpid(), signal.SIGTERM)
"""
        assert _python(code).returncode == -signal.SIGTERM
        server.silent = False
        make().info("next process")
        ended = ["first", "last request", "shutting down"] if handled else ["first"]
        assert sorted(server.wait_for(len(ended) + 1)) == sorted([*ended, "next process"])

    def test_what_is_sent_while_sigterm_comes_is_not_sent_again(self, server: Server, make: Make) -> None:
        logger = make()
        sender = handler_of(logger)._sender
        server.silent = True
        send(logger, 0, 10)
        wait_until(lambda: server.held, "a window")
        sender.terminating()
        send(logger, 10, 20)
        server.speak()
        assert sorted(server.wait_for(20)) == sorted(texts(0, 20))
        assert handler_of(logger).flush(300)
        assert len(server.events) == 20

    def test_the_thread_imports_nothing(self) -> None:
        """What a thread imports while its process forks may be half there in the child, for good."""
        code = "import sys, ingestd_django.handler; assert {'encodings.idna', 'ssl', 'select'} <= {*sys.modules}"
        done = _python(code)
        assert done.returncode == 0, done.stderr

    def test_killed_while_the_server_is_away(self, server: Server, make: Make, tmp_path: Path) -> None:
        """Only what was in memory is lost: nothing once the outage is noticed."""
        server.stop()
        code = f"""
import logging, os, signal, time
from ingestd_django import IngestdHandler
log = logging.getLogger("killed"); log.setLevel("INFO")
handler = IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path / "spool")!r})
log.addHandler(handler)
log.info("first")
while not handler._sender._away: time.sleep(0.01)
for number in range(200):
    log.info("record %d", number)
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert _python(code).returncode == -signal.SIGKILL
        server.start()
        make().info("last")
        assert sorted(server.wait_for(202)) == sorted(["first", "last", *texts(0, 200)])

    def test_records_that_sending_records_makes(self, server: Server, make: Make, tmp_path: Path) -> None:
        """Celery makes records of what is written to stderr; a signal's handler may log at any moment."""
        server.stop()
        code = f"""
import faulthandler, logging, sys, time
from ingestd_django import IngestdHandler
faulthandler.dump_traceback_later(60, exit=True)
log = logging.getLogger("celery"); log.setLevel("INFO")
handler = IngestdHandler("127.0.0.1", {server.port}, spool_dir={str(tmp_path / "spool")!r}, exit_seconds=0)
log.addHandler(handler)
class Logging:
    def write(self, text):
        if text.strip(): log.warning(text.strip())
    def flush(self): pass
stderr, sys.stderr = sys.stderr, Logging()
log.info("first")
while not handler._sender._away: time.sleep(0.01)
with handler._sender._changed: log.info("in a handler of a signal")
log.info("last")
logging.shutdown()
sys.stderr = stderr
"""
        done = _python(code)
        assert done.returncode == 0, done.stderr
        server.start()
        make().info("next process")
        found = [text for text in server.wait_for(5) if "cannot be reached" not in text]
        assert sorted(found) == ["first", "in a handler of a signal", "last", "next process"]

    def test_many_threads(self, server: Server, make: Make) -> None:
        logger = make()
        threads = [threading.Thread(target=send, args=(logger, first, first + 200)) for first in range(0, 1000, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(server.wait_for(1000)) == sorted(texts(0, 1000))
        assert server.windows < 1000  # together


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(CLIENT)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=300, check=False
    )
