"""A real Django site under each of its servers, set up by the Production page: each search counts exactly once."""

from __future__ import annotations

import datetime as dt
import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.fronts import PROGRAMS, in_front, program_of
from tests.e2e.servers import REQUIRED, SearchServer
from tests.e2e.serving import served, uwsgi
from tests.e2e.site import Site
from tests.e2e.test_production import following
from tests.waiting import WAIT_SECONDS, wait_until

WITH_FILE = ["daphne", "uwsgi", "nginx", "apache"]
"""Servers that write their access lines to a file."""

SEARCHES = [  # path, word, status
    ("/search?q={}", "서울 맛집", 200),
    ("/missing?q={}", "부산", 404),
    ("/broken?q={}", "제주", 500),
    ("/moved?q={}", "강릉", 302),
]
NO_SEARCHES = ["/search?q=%EC%84%9C%EC%9A%B8&page=2", "/autocomplete?q=%EC%84%9C", "/static/app.js?s=83hf82", "/order"]


@contextmanager
def site_of(folder: Path, server: str, daemon: Daemon) -> Iterator[Site]:
    """Serve the site; if the server writes its access lines to a file, they are sent from there."""
    access_log = folder / "access.log"
    log = access_log if server in WITH_FILE else None
    with ExitStack() as stack:
        if log is not None:
            log.write_text("")
            stack.enter_context(following(log, daemon.port))
        if server not in PROGRAMS:
            yield stack.enter_context(served(folder, server, daemon.port, access_log=log))
            return
        behind = stack.enter_context(served(folder, "gunicorn", daemon.port, front=server))
        yield stack.enter_context(in_front(folder, server, behind, access_log))


def counted(data_dir: Path, field: str) -> dict[Any, int]:
    """Return the values of a field as the dashboard counts them."""
    values = json.loads(ingestd(data_dir, "top", field, "NOT visit:false", "--json"))
    return {term["value"]: term["count"] for term in values}


def requires(server: str) -> None:
    """Skip a test if a server is not installed; only uWSGI, which has to be compiled, may always be missing."""
    if (server == "uwsgi" and uwsgi() is None) or (server in PROGRAMS and program_of(server) is None and not REQUIRED):
        pytest.skip(f"{server} is not installed")


@pytest.mark.parametrize("server", ["runserver", "gunicorn", "uvicorn", *WITH_FILE])
def test_each_search_counts_once(tmp_path: Path, server: str) -> None:
    requires(server)
    # The lines of Daphne have the time of TIME_ZONE.
    with Daemon(tmp_path, line_timezone="Asia/Seoul") as daemon, site_of(tmp_path, server, daemon) as site:
        for path, word, status in SEARCHES:
            assert site.get(path.format(quote_plus(word))) == status
        codes = Counter([status for _, _, status in SEARCHES] + [site.get(path) for path in NO_SEARCHES])
        requests = len(SEARCHES) + len(NO_SEARCHES)
        # Three paths are missing, one is broken: django.request has a record of each. The view of /order logs one.
        daemon.wait_for_delivery(requests + 5)
    visits = [json.loads(line) for line in ingestd(daemon.data_dir, "search", "visit:true", "--json").splitlines()]
    assert len(visits) == requests
    assert {visit["method"] for visit in visits} == {"GET"}
    assert {visit["client_ip"] for visit in visits} == {"127.0.0.1"}
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert not ingestd(daemon.data_dir, "search", "--since", later, "--json"), "events of the future"
    assert counted(daemon.data_dir, "search_word") == {word: 1 for _, word, _ in SEARCHES}
    assert counted(daemon.data_dir, "status_code") == codes
    [broken] = [
        json.loads(line) for line in ingestd(daemon.data_dir, "search", "ZeroDivisionError", "--json").splitlines()
    ]
    assert (broken["request_path"].partition("?")[0], broken["visit"]) == ("/broken", False)


@pytest.mark.parametrize("server", ["uwsgi", "nginx", "apache"])
def test_bytes_that_the_client_did_not_encode(tmp_path: Path, server: str) -> None:
    """Each server writes them in a way of its own; the word is counted whatever the status."""
    requires(server)
    searches = {"/search?q=전주".encode(): "전주", f"/search?q={quote_plus('제주')}".encode(): "제주"}
    searches["/search?q=서울".encode("cp949")] = "서울"
    searches[f"/search?q={quote_plus('책 추천', encoding='cp949')}".encode()] = "책 추천"
    if server != "uwsgi":  # it does not escape backslashes
        searches[rb"/search?q=a\xEC"] = r"a\xec"
    with Daemon(tmp_path, line_timezone="Asia/Seoul") as daemon, site_of(tmp_path, server, daemon) as site:
        for target in searches:
            with socket.create_connection(("127.0.0.1", site.port), WAIT_SECONDS) as client:
                client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                while client.recv(1000):
                    pass
        daemon.wait_for_delivery(len(searches))
        wait_until(lambda: sum(counted(daemon.data_dir, "search_word").values()) == len(searches), "the searches")
    assert counted(daemon.data_dir, "search_word") == dict.fromkeys(searches.values(), 1)
    assert set(counted(daemon.data_dir, "request_path")) == {"/search"}


TRACE = "Traceback (most recent call last):\n" + '  File "shop.py", line 8, in boom\n' * 60 + "ValueError: 터짐\n"
ASYNC_RECORD = {  # as python-logstash-async's default formatter writes it
    "@timestamp": "2026-11-26T10:00:00.000Z",
    "@version": "1",
    "host": "vm",
    "level": "ERROR",
    "message": "boom",
    "extra": {
        "status_code": 500,
        "request": "<WSGIRequest: GET '/boom/?q=x'>",
        "logger_name": "django.request",
        "path": "/srv/shop/log.py",
        "line": 293,
        "stack_trace": TRACE,
    },
}


def check_record(found: str) -> None:
    [event] = [json.loads(line) for line in found.splitlines()]
    expected = {"request_path": "/boom/?q=x", "status_code": 500, "logger_name": "django.request", "visit": False}
    assert event.items() >= (expected | {"stack_trace": TRACE, "level": "ERROR"}).items()
    assert "search_word" not in event


def send(daemon: Daemon) -> None:
    daemon.send([ASYNC_RECORD])
    daemon.wait_for_delivery(1)


def test_a_long_stack_trace_under_extra_is_found_in_the_built_in_store(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        send(daemon)
        check_record(ingestd(daemon.data_dir, "search", "터짐", "--json"))


def test_a_long_stack_trace_under_extra_is_found_in_a_search_server(
    clean_search_server: SearchServer, tmp_path: Path
) -> None:
    server = clean_search_server
    with Daemon(tmp_path, "--elasticsearch", server.url) as daemon:
        send(daemon)
        server.call("POST", "/logstash-*/_refresh")
        check_record(ingestd(daemon.data_dir, "search", "터짐", "--elasticsearch", server.url, "--json"))
