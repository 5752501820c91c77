"""The input ``beats`` in a daemon: what clients of the Lumberjack protocol send comes out, and the replies."""

from __future__ import annotations

import contextlib
import json
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import BeatsTransport

from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.lumberjack import LumberjackConnection, filebeat_event, send_all
from tests.e2e.stub import StubElasticsearch
from tests.lumberjack_writer import compressed_frame, data_frame, encode_window, json_frame, window_frame
from tests.processes import send_signal
from tests.waiting import wait_until

CONFIG = """
input {{
  beats {{ id => "plain" port => 0 host => "127.0.0.1" }}
  beats {{ id => "tls" port => 0 host => "127.0.0.1" ssl_enabled => true
    ssl_certificate => "{cert}" ssl_key => "{key}" }}
}}
filter {{ if ![@metadata][beat] {{ mutate {{ add_field => {{ "[@metadata][beat]" => "other" }} }} }} }}
output {{ elasticsearch {{ hosts => ["{url}"] index => "%{{[@metadata][beat]}}-%{{+YYYY.MM.dd}}" }} }}
"""


class Site:
    """The daemon of all tests here, and what it has delivered: each test knows its events by ``test``."""

    def __init__(self, daemon: Daemon, stub: StubElasticsearch, config: str) -> None:
        self.daemon, self.stub, self.config = daemon, stub, config
        ports = {said["input"]: said["port"] for said in daemon.said("listening for events")}
        self.port, self.tls_port = ports["plain"], ports["tls"]

    def events(self, test: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the documents of a test by index and id."""
        with self.stub.lock:
            return {key: found for key, found in self.stub.documents.items() if found.get("test") == test}

    def numbers(self, test: str) -> list[int]:
        return sorted(event["n"] for event in self.events(test).values())

    def wait_for(self, test: str, count: int) -> None:
        wait_until(lambda: len(self.events(test)) >= count, f"{count} events of {test}")

    def requested(self) -> int:
        """Return how many documents came in bulk requests, also again."""
        with self.stub.lock:
            return sum(request.count for request in self.stub.bulks())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Site]:
    folder, (cert, key) = tmp_path_factory.mktemp("beats"), certificate
    with StubElasticsearch() as stub:
        config = CONFIG.format(url=stub.url, cert=cert, key=key)
        with Daemon(folder, config=config, workers="2") as daemon:
            wait_until(lambda: len(daemon.said("listening for events")) == 2, "both inputs")
            yield Site(daemon, stub, config)


def events(test: str, count: int, **fields: Any) -> list[bytes]:
    return [filebeat_event(number, path=f"/{test}", test=test, **fields) for number in range(count)]


def test_a_window_of_filebeat(site: Site) -> None:
    send_all(site.port, events("window", 300), window=128)
    site.wait_for("window", 300)
    assert site.numbers("window") == [*range(300)]
    (index, event_id), event = next(item for item in site.events("window").items() if item[1]["n"] == 0)
    sent = json.loads(filebeat_event(0, path="/window", test="window"))
    del sent["@metadata"]
    assert event == sent | {"@version": "1", "tags": ["beats_input_codec_plain_applied"]}
    assert index == "filebeat-2026.11.22"
    assert event_id.startswith("b_")


@pytest.mark.parametrize("level", [0, 9], ids=["plain", "compressed"])
def test_a_huge_window(site: Site, level: int) -> None:
    test = f"huge{level}"
    assert send_all(site.port, events(test, 20_000), window=20_000, level=level) == 0
    site.wait_for(test, 20_000)
    assert site.numbers(test) == [*range(20_000)]


def test_tls(site: Site, certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    assert send_all(site.tls_port, events("tls", 5000), window=2500, tls=context) == 0
    site.wait_for("tls", 5000)
    assert site.numbers("tls") == [*range(5000)]


def test_events_come_once_if_the_acknowledgement_is_lost(site: Site) -> None:
    documents = events("lost_ack", 500)
    with LumberjackConnection(site.port) as connection:
        connection.send(encode_window(documents))
        site.wait_for("lost_ack", 500)  # it is acknowledged, and the client does not know
    before = site.requested()
    send_all(site.port, documents, window=77)
    wait_until(lambda: site.requested() - before >= 500, "the events to come again")
    assert site.numbers("lost_ack") == [*range(500)]


def test_what_came_of_a_window_is_kept(site: Site) -> None:
    documents = events("partial", 3)
    with LumberjackConnection(site.port) as connection:
        frames = b"".join(json_frame(number, document) for number, document in enumerate(documents, 1))
        connection.send(window_frame(100) + frames + json_frame(4, documents[0])[:-1])
    site.wait_for("partial", 3)
    send_all(site.port, [*documents, filebeat_event(3, path="/partial", test="partial")])
    site.wait_for("partial", 4)
    assert site.numbers("partial") == [0, 1, 2, 3]


def test_early_and_empty_windows(site: Site) -> None:
    one, two, three = events("early", 3)
    with LumberjackConnection(site.port) as connection:
        connection.send(
            window_frame(9) + json_frame(1, one) + json_frame(2, two) + window_frame(1) + json_frame(7, three)
        )
        assert connection.await_acknowledgement(7) == [2, 7]
        connection.send(window_frame(0))
        assert connection.await_acknowledgement(0) == [0]
    site.wait_for("early", 3)


def test_version_1(site: Site) -> None:
    pairs = [(b"line", "한글".encode()), (b"test", b"v1"), (b"@timestamp", b"2026-11-22T10:00:00.000Z")]
    with LumberjackConnection(site.port) as connection:
        connection.send(window_frame(2, 1) + data_frame(1, pairs) + compressed_frame(data_frame(2, pairs), 1))
        connection.await_acknowledgement(2)
    site.wait_for("v1", 2)
    assert {event["message"] for event in site.events("v1").values()} == {"한글"}


def test_what_the_server_refuses_is_replayed_under_its_own_id(site: Site) -> None:
    refused = filebeat_event(1, path="/refused", test="refused")
    site.stub.refuses = lambda document: document.get("test") == "refused" and document["n"] == 1
    send_all(site.port, [filebeat_event(0, path="/refused", test="refused"), refused])
    wait_until(lambda: len(site.daemon.dead_letters()) == 1, "the dead letter")
    site.stub.refuses = lambda document: False
    [letter] = site.daemon.dead_letters()
    assert json.loads(letter["refused"])["n"] == 1
    ingestd(site.daemon.data_dir, "deadletters", "replay", "-e", site.config)
    site.wait_for("refused", 2)
    send_all(site.port, [refused])
    ids = {event_id for _, event_id in site.events("refused")}
    assert letter["id"] in ids
    assert site.numbers("refused") == [0, 1]


def test_events_that_do_not_name_themselves(site: Site) -> None:
    """Equal records of one millisecond are different events."""
    send_all(site.port, [b'{"@timestamp":"2026-11-22T10:00:00.000Z","test":"nameless","n":0}'] * 50, window=20)
    site.wait_for("nameless", 50)


@contextlib.contextmanager
def logger(handler: logging.Handler) -> Iterator[logging.Logger]:
    made = logging.getLogger(f"{__name__}.site")
    made.setLevel(logging.INFO)
    made.propagate = False
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)
    handler.flush()
    handler.close()


def test_python_logstash_async(site: Site) -> None:
    beats = BeatsTransport("127.0.0.1", site.port, False, False, None, None, None, None, timeout=60)
    handler = AsynchronousLogstashHandler("127.0.0.1", site.port, database_path=None, transport=beats)
    with logger(handler) as made:
        for number in range(120):
            made.info("record %d", number, extra={"test": "async", "n": number})

        def arrived() -> list[dict[str, Any]]:
            with site.stub.lock:
                found = [*site.stub.documents.values()]
            return [event for event in found if event.get("extra", {}).get("test") == "async"]

        wait_until(lambda: len(arrived()) >= 120, "120 records")
    assert sorted(event["extra"]["n"] for event in arrived()) == [*range(120)]


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "json": b'{"message":"x"}\n',
    "compressed_twice": compressed_frame(compressed_frame(json_frame(1, b"{}"))),
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_client_of_another_protocol_is_disconnected(site: Site, sent: bytes) -> None:
    with LumberjackConnection(site.port) as connection:
        connection.send(sent)
        with contextlib.suppress(ConnectionResetError):  # it was closed with bytes unread
            assert connection.acknowledgements() == []
    assert send_all(site.port, [filebeat_event(0)]) == 0


def test_the_reader_of_a_connection_dies(site: Site) -> None:
    """The connection ends with its worker, so that the client sends again what was not acknowledged."""
    with LumberjackConnection(site.port) as connection:
        connection.send(window_frame(2) + json_frame(1, filebeat_event(0, path="/dies", test="dies")))
        site.wait_for("dies", 1)
        for worker in workers(site.daemon):
            send_signal(worker)
        with pytest.raises(ConnectionError):
            connection.await_acknowledgement(2)
    send_all(site.port, events("dies", 2))
    site.wait_for("dies", 2)
    assert site.numbers("dies") == [0, 1]
