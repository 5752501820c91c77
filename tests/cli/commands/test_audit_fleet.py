"""``ingestd audit --fleet``: what it prints, and what it says about daemons that do not answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.commands.audit import audit
from ingestd.cli.daemons import fleet
from ingestd.cli.daemons.fleet import Daemon

NOTHING: dict[str, Any] = {"duplicates": 0, "dead": 0, "dropped": 0, "queued": 0, "difference": 0, "balanced": True}


def accounts(plugin: str, to: str, received: int) -> dict[str, Any]:
    account = {"pipeline": "main", "output": "out", "plugin": plugin, "delivered": received}
    days = [{"day": "2026-11-22", "input": "in", "received": received}]
    own = account | {"delivered_to": {to: received}, "days": days}
    return {"received": received, "delivered": received, **NOTHING, "outputs": [own]}


def offsets(group: str = "", **numbers: int) -> dict[str, Any]:
    client = {"pipeline": "main", "plugin": "in" if group else "out", "servers": "kafka:9092", "group": group}
    return {"kafka": [client | {"cluster": "one", "topics": {"logs": {"records": 1100, **numbers}}}]}


Pages = dict[str, tuple[int, Any]]
EDGE: Pages = {"accounts": (200, accounts("kafka", "logs", 1100)), "kafka": (200, offsets())}
WORKER: Pages = {"accounts": (200, accounts("elasticsearch", "a", 1050)), "kafka": (200, offsets("ingestd", lag=50))}


@contextmanager
def serving(pages: Pages, asked: list[tuple[str, str | None]] | None = None) -> Iterator[str]:
    """Serve documents, or what functions make of paths, under ``/api/``.

    ``asked`` gets the path and authorization of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append((self.path, self.headers["Authorization"]))
            status, page = pages.get(self.path.rpartition("/")[2].partition("?")[0], (404, {}))
            page = page(self.path) if callable(page) else page
            body = page if isinstance(page, bytes) else json.dumps(page).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", page)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(audit, [*arguments], env=environ)


def test_a_table(tmp_path: Path) -> None:
    with serving(EDGE) as edge, serving(WORKER) as worker:
        done = run("--fleet", edge, worker, "--data-dir", str(tmp_path))
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()]
    assert [edge, "1,100", "0", "0", "1,100", "0", "0", "0", "0"] in rows
    assert [worker, "0", "1,050", "1,050", "0", "0", "0", "0", "0"] in rows
    assert ["all", "1,100", "1,050", "1,050", "1,100", "0", "0", "0", "0"] in rows
    assert ["ingestd", "logs", "1,100", "1,050", "50", "0", "0"] in rows
    assert done.output.endswith("everything adds up\n")


def test_events_that_nobody_read(tmp_path: Path) -> None:
    behind = WORKER | {"kafka": (200, offsets("ingestd", lag=20))}
    with serving(EDGE) as edge, serving(behind) as worker:
        done = run("--fleet", edge, worker, "--json", "--data-dir", str(tmp_path))
        text = run("--fleet", edge, worker, "--data-dir", str(tmp_path))
    assert (done.exit_code, text.exit_code) == (1, 1)
    document = json.loads(done.stdout)
    assert (document["balanced"], document["groups"][0]["missing"]) == (False, 30)
    assert "group ingestd: 30 of 1,100 delivered events were not received" in text.output


def test_a_token_in_korean(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []
    with serving(EDGE, asked) as host:
        done = run("--fleet", host, "--data-dir", str(tmp_path), INGESTD_HTTP_TOKEN="아주비밀한토큰입니다")
    assert done.exit_code == 0, done.output
    assert {(header or "").encode("latin-1").decode() for _, header in asked} == {"Bearer 아주비밀한토큰입니다"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [("{}", "Bearer secret-token"), ("http://kim:pass%20word@{}/logs", "Basic a2ltOnBhc3Mgd29yZA==")],
    ids=["token", "proxy_with_a_login"],
)
def test_authorization(tmp_path: Path, address: str, expected: str) -> None:
    asked: list[tuple[str, str | None]] = []
    with serving(EDGE, asked) as host:
        done = run("--fleet", address.format(host), "--data-dir", str(tmp_path), INGESTD_HTTP_TOKEN="secret-token")
    assert done.exit_code == 0, done.output
    assert {authorization for _, authorization in asked} == {expected}
    prefix = "/logs" if "logs" in address else ""
    assert {path for path, _ in asked} == {f"{prefix}/api/accounts", f"{prefix}/api/kafka?topic=logs"}


def test_a_redirect_does_not_get_the_token(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []
    with serving(EDGE, asked) as other, serving({"accounts": (302, f"http://{other}/api/accounts")}) as host:
        done = run("--fleet", host, "--data-dir", str(tmp_path), INGESTD_HTTP_TOKEN="secret-token")
    assert (done.exit_code, asked) == (1, [])
    assert f"{host} redirects to http://{other}/api/accounts: name the daemon's own address" in done.output


def test_many_topics_are_asked_about_in_several_requests(tmp_path: Path) -> None:
    topics = {f"logs-{number:03d}": 10 for number in range(450)}
    edge, worker = accounts("kafka", "logs-000", 4500), accounts("elasticsearch", "a", 4450)
    edge["outputs"][0]["delivered_to"] = topics
    asked: list[tuple[str, str | None]] = []

    def known(path: str) -> dict[str, Any]:
        names = parse_qs(urlsplit(path).query)["topic"]
        client = {"pipeline": "main", "plugin": "out", "servers": "kafka:9092", "cluster": "one"}
        return {"kafka": [client | {"topics": {name: {"records": 10} for name in names}}]}

    read = {"kafka": [offsets("g")["kafka"][0] | {"topics": {name: {"records": 10} for name in topics}}]}
    read["kafka"][0]["topics"]["logs-000"]["lag"] = 50
    edge_pages = {"accounts": (200, edge), "kafka": (200, known)}
    with serving(edge_pages, asked) as first, serving({"accounts": (200, worker), "kafka": (200, read)}) as second:
        done = run("--fleet", first, second, "--json", "--data-dir", str(tmp_path))
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert {topic["topic"]: topic["records"] for topic in document["topics"]} == topics
    [group] = document["groups"]
    assert (group["delivered"], group["received"], group["lag"]) == (4500, 4450, 50)
    counts = [path.count("topic=") for path, _ in asked if "/api/kafka" in path]
    assert counts == [200, 200, 50]


def problem(text: str) -> Pages:
    client = {"pipeline": "main", "plugin": "out", "servers": "kafka:9092", "problem": text}
    return EDGE | {"kafka": (200, {"kafka": [client]})}


REFUSALS: list[tuple[str, Pages, str]] = [
    ("token", {"accounts": (401, {})}, "requires its token: set INGESTD_HTTP_TOKEN or http_token_file"),
    ("name", {"accounts": (403, {"error": {"message": "http_hosts allows names"}})}, "403: http_hosts allows names"),
    ("none", {}, "has no accounts to show"),
    ("busy", {"accounts": (503, {"error": {"message": "it is busy"}})}, "answers with status 503: it is busy"),
    ("html", {"accounts": (200, b"<html>")}, "does not answer like an ingestd of this version"),
    ("other", {"accounts": (200, {"received": "many"})}, "does not answer like an ingestd of this version"),
    ("kafka", problem("Local: Timed out"), "cannot ask Kafka at kafka:9092: Local: Timed out"),
]  # fmt: skip


@pytest.mark.parametrize(("pages", "reason"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_daemon_that_cannot_say(tmp_path: Path, pages: Pages, reason: str) -> None:
    with serving(EDGE) as edge, serving(pages) as other:
        done = run("--fleet", edge, other, "--data-dir", str(tmp_path))
    assert done.exit_code == 1
    assert reason in done.output
    [line] = done.output.splitlines()
    assert line.startswith(f"Error: {other} ")


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    done = run("--fleet", "127.0.0.1:1", "--data-dir", str(tmp_path))
    assert (done.exit_code, done.output) == (1, "Error: 127.0.0.1:1 does not answer: Connection refused\n")


def test_a_daemon_that_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and answers nothing, as one that is stopped does."""
    monkeypatch.setattr(fleet, "_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        done = run("--fleet", where, "--data-dir", str(tmp_path))
    assert (done.exit_code, done.output) == (1, f"Error: {where} does not answer: timed out\n")


@pytest.mark.parametrize(
    ("host", "name"),
    [("::1", "[::1]:9600"), ("[::1]:80", "[::1]:80"), ("edge1", "edge1:9600"), ("https://e/logs/", "e:443/logs")],
)
def test_addresses(host: str, name: str) -> None:
    assert Daemon(host, "").name == name


USAGE: list[tuple[str, tuple[str, ...], str]] = [
    ("no_host", ("--fleet",), "--fleet needs the hosts"),
    ("no_fleet", ("edge1",), "hosts are for --fleet"),
    ("day", ("--fleet", "edge1", "--day", "today"), "one data folder"),
    ("no_address", ("--fleet", "http://:99"), "is not a host"),
    ("scheme", ("--fleet", "ftp://edge1"), "is not a host"),
    ("port", ("--fleet", "edge1:99999"), "is not a host"),
    ("name", ("--fleet", "edge1..example.org"), "is not a host"),
]


@pytest.mark.parametrize(("arguments", "reason"), [row[1:] for row in USAGE], ids=[row[0] for row in USAGE])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    done = run(*arguments, "--data-dir", str(tmp_path))
    assert done.exit_code == 2
    assert reason in done.output
