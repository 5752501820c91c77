"""The inputs that are HTTP servers, with the clients that people use, in one daemon."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch, helpers
from logstash_async.formatter import LogstashFormatter
from logstash_async.handler import AsynchronousLogstashHandler
from logstash_async.transport import HttpTransport
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.e2e.daemon import Daemon
from tests.e2e.stub import StubElasticsearch
from tests.plugins.inputs.authority import Authority
from tests.waiting import WAIT_SECONDS, wait_until

INDEX = 'index => "%{[@metadata][_index]}"'
OUTPUT = 'elasticsearch { %s hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 }'
LOCAL = 'host => "127.0.0.1" port => 0'
CONFIG = f"""
input {{
  http {{ {LOCAL} id => "http" user => "joe" password => "secret" }}
  http {{ {LOCAL} id => "https" ssl_enabled => true ssl_certificate => "%(certificate)s" ssl_key => "%(key)s"
          user => "joe" password => "secret" }}
  elasticsearch_bulk {{ {LOCAL} id => "bulk" tokens => ["secret"] }}
  otlp {{ {LOCAL} id => "otlp" tokens => ["secret"] }}
}}
output {{
  if [@metadata][_index] {{ %(output_of_bulk)s }} else {{ %(output)s }}
}}
"""


@dataclass
class Running:
    """A daemon, and the server that it delivers to."""

    daemon: Daemon
    stub: StubElasticsearch
    authority: Authority

    def port(self, input_id: str) -> int:
        """Return the port of an input."""
        [said] = [entry for entry in self.daemon.said("listening for events") if entry["input"] == input_id]
        return int(said["port"])

    def documents(self, name: str, value: Any, count: int) -> list[dict[str, Any]]:
        """Wait until so many documents have a value in a field, and return them."""

        def found() -> list[dict[str, Any]]:
            with self.stub.lock:
                return [document for document in self.stub.documents.values() if document.get(name) == value]

        wait_until(lambda: len(found()) >= count, f"{count} documents with {name} {value!r}")
        return found()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    certificate, key = authority.server
    with StubElasticsearch() as stub:
        outputs = {"output": OUTPUT % ("", stub.url), "output_of_bulk": OUTPUT % (INDEX, stub.url)}
        config = CONFIG % {"certificate": certificate, "key": key, **outputs}
        with Daemon(tmp_path_factory.mktemp("http_inputs"), config=config) as daemon:
            yield Running(daemon, stub, authority)


# http


@pytest.mark.parametrize("input_id", ["http", "https"])
def test_http_transport_of_python_logstash_async(running: Running, input_id: str) -> None:
    transport = HttpTransport(
        "127.0.0.1",
        running.port(input_id),
        ssl_enable=input_id == "https",
        ssl_verify=str(running.authority.folder / "ca.crt"),
        username="joe",
        password="secret",
        timeout=WAIT_SECONDS,
    )
    handler = AsynchronousLogstashHandler(
        "127.0.0.1", running.port(input_id), database_path=None, transport=transport, enable=True
    )
    handler.setFormatter(LogstashFormatter(message_type=input_id))
    logger = logging.getLogger(f"test.{input_id}")
    logger.propagate = False
    logger.addHandler(handler)
    for number in range(200):
        logger.warning("number %d", number, extra={"n": number})
    handler.flush()
    handler.close()
    found = running.documents("type", input_id, 200)
    assert Counter(event["message"] for event in found) == Counter(f"number {number}" for number in range(200))
    assert {event["level"] for event in found} == {"WARNING"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_curl(running: Running, tmp_path: Path) -> None:
    """A body so long that curl waits for ``100 Continue``, compressed, in chunks."""
    lines = [json.dumps({"curl": True, "n": number, "message": "x" * 500}) for number in range(4000)]
    (tmp_path / "body").write_bytes(gzip.compress("\n".join(lines).encode(), compresslevel=0))
    headers = ["Content-Type: application/x-ndjson", "Content-Encoding: gzip", "Transfer-Encoding: chunked"]
    command = ["curl", "-sS", "-u", "joe:secret", "--data-binary", "@body", "-w", " %{http_code}"]
    command += [argument for header in headers for argument in ("-H", header)]
    url = f"http://127.0.0.1:{running.port('http')}/"
    done = subprocess.run(
        [*command, url], cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert (done.stdout, done.stderr) == ("ok 200", "")
    found = running.documents("curl", True, 4000)
    assert sorted(event["n"] for event in found) == [*range(4000)]


def test_a_client_without_a_password_is_refused_and_counted(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port("http"), timeout=WAIT_SECONDS)
    connection.request("POST", "/", b"x")
    response = connection.getresponse()
    assert (response.status, response.getheader("WWW-Authenticate")) == (401, 'Basic realm="ingestd", charset="UTF-8"')
    connection.close()
    assert running.daemon.metric("ingestd_http_requests_total", input="http", status="401") == 1


# elasticsearch_bulk


def test_bulk_helper_of_the_client_of_elasticsearch(running: Running) -> None:
    """What has an ``_id`` and is sent again is there once."""
    client = Elasticsearch(f"http://127.0.0.1:{running.port('bulk')}", api_key="secret", request_timeout=WAIT_SECONDS)
    with_id = [{"_op_type": "index", "_index": "a", "_id": f"{n}", "bulk": "id", "n": n} for n in range(700)]
    without_id = [{"_op_type": "create", "_index": "a", "bulk": "no id", "n": n} for n in range(700)]
    actions = [action for pair in zip(with_id, without_id, strict=True) for action in pair]
    assert helpers.bulk(client, actions, chunk_size=300) == (1400, [])
    assert helpers.bulk(client, with_id) == (700, [])
    assert client.index(index="a", document={"bulk": "single"})["result"] == "created"
    assert client.info()["version"]["number"] == "8.19.0"
    client.close()
    for kind in ("id", "no id"):
        found = running.documents("bulk", kind, 700)
        assert sorted(event["n"] for event in found) == [*range(700)]
    running.documents("bulk", "single", 1)
    wait_until(lambda: running.daemon.metric("ingestd_queue_events") == 0, "an empty queue")
    assert len(running.documents("bulk", "id", 700)) == 700
    with running.stub.lock:
        assert {index for (index, _), document in running.stub.documents.items() if "bulk" in document} == {"a"}


def test_a_document_with_an_id_that_the_server_refuses_is_a_dead_letter_as_it_came(running: Running) -> None:
    running.stub.refuses = lambda document: document.get("bulk") == "refused"
    client = Elasticsearch(f"http://127.0.0.1:{running.port('bulk')}", api_key="secret", request_timeout=WAIT_SECONDS)
    client.index(index="a", id="r", document={"bulk": "refused"})
    client.close()

    def letters() -> list[bytes]:
        return [letter["raw"] for letter in running.daemon.dead_letters() if b"refused" in letter["raw"]]

    wait_until(letters, "the dead letter")
    assert letters() == [b'{"action":"index","_index":"a","_id":"r"}\t{"bulk":"refused"}']


# otlp


@pytest.mark.parametrize("compression", Compression)
def test_exporter_of_the_sdk_of_opentelemetry(running: Running, compression: Compression) -> None:
    exporter = OTLPLogExporter(
        f"http://127.0.0.1:{running.port('otlp')}/v1/logs",
        headers={"Authorization": "Bearer secret"},
        timeout=WAIT_SECONDS,
        compression=compression,
    )
    service = f"shop {compression.value}"
    provider = LoggerProvider(Resource({"service.name": service, "host.name": service}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_export_batch_size=100))
    logger = logging.getLogger(f"otlp.{compression.value}")
    logger.propagate = False
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    for number in range(300):
        logger.warning("number %d", number)
    try:
        raise KeyError("x")
    except KeyError:
        logger.exception("it failed")
    provider.shutdown()
    logger.removeHandler(handler)
    found = running.documents("host", service, 301)
    expected = Counter([*(f"number {number}" for number in range(300)), "it failed"])
    assert Counter(event["message"] for event in found) == expected
    assert {(event["logger_name"], event["resource"]["service.name"]) for event in found} == {(logger.name, service)}
    [failed] = [event for event in found if event["message"] == "it failed"]
    assert (failed["level"], failed["attributes"]["exception.type"]) == ("ERROR", "KeyError")
    assert "KeyError: 'x'" in failed["stack_trace"]
