"""What becomes of events when the server fails: a stub that fails as configured, and the exact outcome."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections import Counter
from pathlib import Path

from tests.e2e.daemon import Daemon, free_port
from tests.e2e.gate import Gate
from tests.e2e.stub import Fault, StubElasticsearch
from tests.waiting import wait_until

CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output {
  elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 %s }
}
"""
EVENTS = [{"@timestamp": "2026-11-22T10:00:00.000Z", "n": number} for number in range(100)]
NUMBERS = list(range(100))
RETRIED = "a delivery is tried again"
REFUSED = "the server refuses requests; delivery waits until it accepts them"


def daemon(folder: Path, stub: StubElasticsearch, options: str = "", **settings: str) -> Daemon:
    return Daemon(folder, config=CONFIG % (stub.url, options), **settings)


FAULTS = [  # what happens to a request, the reason of the retry in the metrics
    (Fault(503, "no master"), "503"),
    (Fault(429, '{"error":{"type":"circuit_breaking_exception"}}', headers={"Retry-After": "0"}), "429"),
    (Fault(), "closed"),
    (Fault(store=True), "closed"),
    (Fault(store=True, delay=5.5), "timeout"),
    (Fault(200, "<html>login</html>", store=True), "200"),
    (Fault(200, '{"errors":false,"items":[{"create":{"status":201}}]}'), "200"),
    (Fault(502, "bad gateway", store=True), "502"),
    (Fault(items={3: 429, 99: 503}), "item"),
]


def test_requests_that_fail_are_sent_again(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, daemon(tmp_path, stub, "timeout => 4") as running:
        stub.bulk_faults.extend(fault for fault, _ in FAULTS)
        running.send(EVENTS)
        running.wait_for_delivery(100)
        for reason, count in Counter(reason for _, reason in FAULTS).items():
            assert running.metric("ingestd_retried_requests_total", reason=reason) == count, reason
        assert running.metric("ingestd_queue_events") == 0
    assert stub.values("n") == NUMBERS
    assert len(stub.bulks()) == len(FAULTS) + 1
    assert running.dead_letters() == []


def test_many_refused_documents_cost_few_requests(tmp_path: Path) -> None:
    """They are encoded again once, all in one request, and are dead letters then."""
    refused = dict.fromkeys(range(0, 100, 2), 400)
    with StubElasticsearch() as stub, daemon(tmp_path, stub) as running:
        stub.bulk_faults.extend([Fault(items=refused), Fault(items=dict.fromkeys(range(50), 400))])
        running.send(event | {"@version": "1"} for event in EVENTS)  # nothing to add: they are sent as they came
        wait_until(lambda: len(running.dead_letters()) == 50, "the dead letters")
    assert [request.count for request in stub.bulks()] == [100, 50]
    assert stub.values("n") == NUMBERS[1::2]
    assert [json.loads(letter["refused"])["n"] for letter in running.dead_letters()] == NUMBERS[::2]


def test_credentials_in_the_url_of_the_built_in_pipeline(tmp_path: Path) -> None:
    authorization = f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    with StubElasticsearch(authorization=authorization) as stub:
        url = stub.url.replace("http://", "http://me:p%40ss@")
        with Daemon(tmp_path, "--elasticsearch", url) as running:
            running.send(EVENTS)
            running.wait_for_metric("ingestd_delivered_events_total", 100)
    assert stub.values("n") == NUMBERS
    assert "p%40ss" not in running.log_file.read_text()


def test_only_the_refused_items_are_sent_again(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, daemon(tmp_path, stub) as running:
        stub.bulk_faults.append(Fault(items={3: 429, 50: 503, 99: 429}))
        stub.bulk_faults.append(Fault(items={1: 429}))
        running.send(EVENTS)
        running.wait_for_metric("ingestd_delivered_events_total", 100)
    assert [request.count for request in stub.bulks()] == [100, 3, 1]
    assert stub.values("n") == NUMBERS
    assert running.dead_letters() == []


def test_too_large_requests_are_split(tmp_path: Path) -> None:
    events = [*EVENTS[:50], EVENTS[50] | {"text": "x" * 5000}, *EVENTS[51:]]
    with StubElasticsearch(max_bytes=3000) as stub, daemon(tmp_path, stub) as running:
        running.send(events)
        wait_until(lambda: len(stub.documents) == 99, "99 documents")
        wait_until(running.dead_letters, "a dead letter")
        assert running.metric("ingestd_dead_letter_events_total", stage="output") == 1
    assert stub.values("n") == [number for number in NUMBERS if number != 50]
    [letter] = running.dead_letters()
    assert json.loads(letter["refused"]) == events[50] | {"@version": "1"}
    assert (letter["stage"], letter["plugin"]) == ("output", "elasticsearch_0")
    assert letter["reason"] == "HTTP 413: Request Entity Too Large"


def test_requests_that_take_too_long_are_split(tmp_path: Path) -> None:
    with StubElasticsearch(most_in_time=60) as stub, daemon(tmp_path, stub, "timeout => 1") as running:
        running.send(EVENTS)
        running.wait_for_delivery(100)
    assert stub.values("n") == NUMBERS
    assert max(request.count for request in stub.bulks()) > 60 >= stub.bulks()[-1].count
    assert running.dead_letters() == []


def test_a_document_that_spoils_its_request_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    """A 400 for the request as a whole does not say whose fault it is."""
    with StubElasticsearch() as stub, daemon(tmp_path, stub) as running:
        stub.bulk_faults.append(Fault(400, '{"error":{"type":"illegal_argument_exception","reason":"bad"}}'))
        running.send(EVENTS)
        running.wait_for_metric("ingestd_delivered_events_total", 100)
    assert stub.values("n") == NUMBERS
    assert running.dead_letters() == []


TEMPLATE_FAULTS = [Fault(503, "not yet"), Fault(429, "busy"), Fault()]


def test_no_document_goes_before_the_template(tmp_path: Path) -> None:
    stub = StubElasticsearch()
    stub.template_faults.extend(TEMPLATE_FAULTS)
    with stub, daemon(tmp_path, stub, workers="1") as running:
        running.send(EVENTS)
        running.wait_for_metric("ingestd_delivered_events_total", 100)
    asked = [request for request in stub.requests if not request.path.startswith("/_cat/")]  # for the names of indices
    kinds = ["bulk" if request.path.startswith("/_bulk") else request.method for request in asked]
    first = kinds.index("bulk")
    assert kinds[:first] == [*["GET"] * len(TEMPLATE_FAULTS), "GET", "GET", "PUT"]
    assert set(kinds[first:]) == {"bulk"}
    assert stub.templates["ingestd"]["index_patterns"] == ["logstash-*"]


def test_an_account_without_the_right_to_templates_delivers_all_the_same(tmp_path: Path) -> None:
    stub = StubElasticsearch()
    stub.template_faults.append(Fault(403, '{"error":{"type":"security_exception","reason":"unauthorized"}}'))
    with stub, daemon(tmp_path, stub) as running:
        running.send(EVENTS)
        running.wait_for_metric("ingestd_delivered_events_total", 100)
    assert stub.values("n") == NUMBERS
    [problem] = running.problems()
    assert problem["message"] == "the index template could not be installed"
    assert "the user lacks a privilege" in problem["error"]


def test_wrong_password(tmp_path: Path) -> None:
    """Nothing is lost and nothing is hammered; once the account is right, everything goes."""
    with StubElasticsearch(authorization="Basic right") as stub:
        running = daemon(tmp_path, stub, 'user => "me" password => "secret" manage_template => false')
        with running:
            running.send(EVENTS)
            running.wait_for(REFUSED)
            assert running.metric("ingestd_queue_events") == 100
            running.kill()
    assert stub.documents == {}
    assert len(stub.bulks()) == 1
    assert "secret" not in running.log_file.read_text()


def test_tls_and_password(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    authorization = f"Basic {base64.b64encode('me:비밀'.encode()).decode()}"
    options = f'user => "me" password => "비밀" ssl_certificate_authorities => ["{certificate[0]}"]'
    options += ' custom_headers => { "X-Shop" => "1" } compression_level => 1 pipeline => "clean"'
    with StubElasticsearch(tls=context, authorization=authorization) as stub:
        with daemon(tmp_path, stub, options) as running:
            running.send(EVENTS)
            running.wait_for_metric("ingestd_delivered_events_total", 100)
        assert running.problems() == []
    assert stub.values("n") == NUMBERS
    assert {request.headers["x-shop"] for request in stub.requests} == {"1"}
    assert all(request.path.endswith("&pipeline=clean") for request in stub.bulks())
    assert {request.headers["content-encoding"] for request in stub.bulks()} == {"gzip"}
    assert "비밀" not in running.log_file.read_text()


def test_the_server_comes_late(tmp_path: Path) -> None:
    port = free_port()
    config = CONFIG % (f"http://127.0.0.1:{port}", "")
    with Daemon(tmp_path, config=config, workers="1") as running:
        running.send(EVENTS)
        running.wait_for("no answer yet; events are kept until there is one")
        running.wait_for_metric("ingestd_queue_events", 100)
        with StubElasticsearch(port=port) as stub:
            running.wait_for_metric("ingestd_delivered_events_total", 100)
    assert stub.values("n") == NUMBERS
    assert RETRIED not in {entry["message"] for entry in running.log()}
    assert_logged_once(running, "no answer yet; events are kept until there is one", "the server answers")


def assert_logged_once(running: Daemon, start: str, end: str) -> None:
    """However often it was tried: a line when it began, one a minute, one at its end."""
    for sentence in (start, end):
        assert len([entry for entry in running.said(sentence) if "for_seconds" not in entry]) == 1


def test_an_outage_is_logged_once(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        gate.open()
        with Daemon(tmp_path, config=CONFIG % (gate.url, ""), workers="1") as running:
            running.send(EVENTS[:1])
            running.wait_for_delivery(1)
            gate.shut()
            running.send(EVENTS[1:])
            wait_until(lambda: running.metric("ingestd_retried_requests_total") > 8, "many tries")
            gate.open()
            running.wait_for_delivery(100)
    assert_logged_once(running, RETRIED, "deliveries succeed again")
    assert stub.values("n") == NUMBERS


def test_a_server_that_refuses_us_is_asked_once_a_minute(tmp_path: Path) -> None:
    """By one request, however many deliveries wait."""
    with StubElasticsearch(authorization="Basic right") as stub:
        running = daemon(tmp_path, stub, "manage_template => false", workers="1", queue_bytes="1MB")
        start = time.monotonic()
        with running:
            for number in range(20):
                running.send(EVENTS)
                running.wait_for_metric("ingestd_received_events_total", 100 * (number + 1))
            running.wait_for(REFUSED)
            time.sleep(2)
            asked = len(stub.bulks())
            minutes = int(time.monotonic() - start) // 60
            assert asked <= 2 + minutes  # as many requests are under way at first
            assert len(running.said(REFUSED)) <= 1 + minutes
            running.kill()
    assert RETRIED not in {entry["message"] for entry in running.log()}
