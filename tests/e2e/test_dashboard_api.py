"""What the dashboard asks a running daemon for, over real sockets, on the built-in store."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.e2e.daemon import Daemon, free_port
from tests.e2e.servers import SearchServer
from tests.processes import children, command_line, is_alive, open_files
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, wait_until

DAY = "2026-11-22"
PIPE = "tail-x-00001.ndjson"
LEVELS = ["INFO"] * 5 + ["DEBUG", "WARNING", "WARNING", "ERROR", "CRITICAL"]
WORDS = ["서울 맛집", "서울 맛집", "부산", "", "커피"]
EVENTS = [  # one each minute from 10:00 UTC on
    {
        "@timestamp": f"{DAY}T10:{n:02d}:00.000Z",
        "level": LEVELS[n % 10],
        "message": f"event number {n}",
        "request_path": f"/search?page={n}",
        "search_word": WORDS[n % 5],
        "n": n,
        "big": 2**63 + n,
    }
    for n in range(50)
]
RANGE = f"since={DAY}T10:00:00Z&until={DAY}T11:00:00Z"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("dashboard")) as running:
        running.send([*EVENTS, b"no json"])
        running.wait_for_delivery(len(EVENTS) + 1)
        yield running


def get(daemon: Daemon, path: str) -> Any:
    return json.loads(daemon.get("/api/" + path))


def refused(daemon: Daemon, path: str) -> tuple[int, Any]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        daemon.get("/api/" + path)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["error"]


def quoted(query: str) -> str:
    return urllib.parse.quote(query)


def numbers(found: Any) -> list[int]:
    return [hit["event"]["n"] for hit in found["hits"]]


SEARCHES = [  # id, parameters, numbers of the events
    ("newest_first", "limit=3", [49, 48, 47]),
    ("range", f"since={DAY}T10:10:00Z&until={DAY}T10:12:00Z", [11, 10]),
    ("range_in_seoul", f"since={DAY}T19:10:00%2B09:00&until={DAY}T19:12:00%2B09:00", [11, 10]),
    ("level", f"q={quoted('level:>=ERROR')}&limit=2", [49, 48]),
    ("words", f"q={quoted('level:WARNING AND search_word:')}%22{quoted('서울 맛집')}%22&limit=2", [46, 36]),
    ("nothing", "q=level:TRACE", []),
]


@pytest.mark.parametrize(("parameters", "expected"), [c[1:] for c in SEARCHES], ids=[c[0] for c in SEARCHES])
def test_search(daemon: Daemon, parameters: str, expected: list[int]) -> None:
    found = get(daemon, f"search?{RANGE if 'since' not in parameters else ''}&{parameters}")
    assert numbers(found) == expected
    assert (found["next"] is not None) == ("limit" in parameters)
    assert isinstance(found["ms"], int)


def test_a_hit_holds_the_event_as_it_is(daemon: Daemon) -> None:
    text = daemon.get(f"/api/search?{RANGE}&limit=1")
    [hit] = json.loads(text)["hits"]
    assert sorted(hit) == ["cursor", "event", "id", "index"]
    assert (hit["index"], hit["event"]["search_word"]) == ("logstash-2026.11.22", "커피")
    assert str(2**63 + 49) in text


def test_pages(daemon: Daemon) -> None:
    seen: list[int] = []
    after = ""
    while True:
        page = get(daemon, f"search?{RANGE}&limit=17&after={quoted(after)}")
        seen += numbers(page)
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == list(range(49, -1, -1))


def test_histogram(daemon: Daemon) -> None:
    found = get(daemon, f"histogram?{RANGE}")
    assert (found["seconds"], found["total"], len(found["buckets"])) == (60, 50, 50)
    assert found["buckets"][6] == {"time": f"{DAY}T10:06:00.000Z", "counts": {"WARNING": 1}}
    wide = get(daemon, f"histogram?{RANGE}&seconds=1800&offset=600")
    assert [bucket["time"][11:16] for bucket in wide["buckets"]] == ["09:50", "10:20"]
    words = get(daemon, f"histogram?{RANGE}&seconds=3600&field=search_word")
    assert words["buckets"][0]["counts"] == {"서울 맛집": 20, "부산": 10, "커피": 10, "": 10}
    whole = get(daemon, "histogram?q=event")
    assert (whole["total"], whole["seconds"] > 60) == (50, True)


def test_top(daemon: Daemon) -> None:
    found = get(daemon, f"top?field=search_word&n=2&{RANGE}")
    assert found["values"] == [{"value": "서울 맛집", "count": 20}, {"value": "부산", "count": 10}]
    assert found["field"] == "search_word"


def test_top_paths_are_without_their_query_strings(daemon: Daemon) -> None:
    found = get(daemon, f"top?field=request_path&n=1&paths=1&{RANGE}")
    assert found["values"] == [{"value": "/search", "count": 50}]
    assert refused(daemon, "top?field=message&paths=2")[0] == 400


def test_aggregate(daemon: Daemon) -> None:
    asked = f"aggregate?metric=count&metric=max:n&metric=rate&by=level&by=request_path&n=1&paths=1&seconds=1800&{RANGE}"
    assert get(daemon, asked)["buckets"] == [
        {
            "key": {"level": "INFO", "request_path": "/search"},
            "time": f"{DAY}T10:{minute}:00.000Z",
            "metrics": {"count": count, "max:n": most, "rate": count / 1800},
        }
        for minute, count, most in (("00", 15, 24.0), ("30", 10, 44.0))
    ]
    [whole] = get(daemon, f"aggregate?metric=avg:n&metric=rate&{RANGE}")["buckets"]
    assert whole == {"key": {}, "metrics": {"avg:n": 24.5, "rate": 50 / 3600}}
    for wrong, text in (
        ("metric=median:n", "is not a metric"),
        ("metric=rate", "a rate needs an interval"),
        ("by=a&by=b&by=c", "by is given 3 times, and at most 2 are allowed"),
        ("by=[a", "[a"),
        ("seconds=1&offset=x", "offset must be a whole number"),
    ):
        status, error = refused(daemon, f"aggregate?{wrong}")
        assert (status, text in error["message"]) == (400, True), error


def test_indices(daemon: Daemon) -> None:
    [index, *_] = get(daemon, "indices")["indices"]
    assert index.pop("bytes") > 0
    assert index == {
        "index": "logstash-2026.11.22",
        "day": DAY,
        "events": index["events"],
        "backup": None,
        "delete_at": "2126-10-30",  # tests keep days for 100 years
        "restored_from": None,
    }
    assert index["events"] >= 50


def test_another_store(tmp_path: Path, search_server: SearchServer, index_prefix: str) -> None:
    config = f"""
    input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
    output {{ elasticsearch {{ hosts => ["{search_server.url}"] index => "{index_prefix}%{{+YYYY.MM.dd}}"
                               template_name => "{index_prefix}t" }} }}
    """
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send(EVENTS)
        daemon.wait_for_delivery(len(EVENTS))
        search_server.call("POST", f"/{index_prefix}*/_refresh")
        assert numbers(get(daemon, f"search?{RANGE}&limit=3&q={quoted('level:>=ERROR')}")) == [49, 48, 39]
        assert get(daemon, "histogram?q=event")["total"] == 50
        assert get(daemon, f"top?field=search_word&n=1&{RANGE}")["values"] == [{"value": "서울 맛집", "count": 20}]
        assert [index["events"] for index in get(daemon, "indices")["indices"]] == [50]
        assert get(daemon, "status")["store"] == f"elasticsearch {search_server.url}"
        assert refused(daemon, "search?after=nonsense")[0] == 400


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with Daemon(tmp_path, store=f"http://127.0.0.1:{free_port()}") as daemon:
        status, error = refused(daemon, "search")
        assert (status, bool(error["message"])) == (503, True)
        assert json.loads(daemon.get("/health"))["ready"]


DEEP_FIELD = "a." * 60 + "b"

REFUSED = [  # id, path, status, in the answer
    (
        "query",
        "search?q=" + quoted("level:(ERROR"),
        {"column": 7, "length": 1, "hint": "add a )", "kind": "bracket_not_closed"},
    ),
    ("time", "search?since=yesterday", {}),
    ("limit", "search?limit=1001", {}),
    ("number", "top?field=level&n=0", {}),
    ("field", "top", {}),
    ("field_in_query", "search?q=" + quoted("\\[a:x"), {"column": 1, "length": 3, "kind": "field_brackets"}),
    (
        "deep_field_in_query",
        "search?q=" + quoted(f"{DEEP_FIELD}:x"),
        {"values": {"text": DEEP_FIELD, "depth": "61", "limit": "50"}},
    ),
    ("bars", f"histogram?seconds=1&{RANGE}", {}),
    ("cursor", "search?after=nonsense", {}),
    ("time_of_a_trace", "trace?index=logstash-2026.11.22&id=x", {}),
    ("no_such_event", f"trace?index=logstash-2026.11.22&id=x&time={DAY}T10:00:00Z", {}),
    ("tail_query", "tail?q=" + quoted("level:("), {"column": 7}),
]


@pytest.mark.parametrize(("path", "expected"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(daemon: Daemon, path: str, expected: dict[str, Any]) -> None:
    status, error = refused(daemon, path)
    assert (status, bool(error["message"])) == (400, True)
    assert error | expected == error


def test_trace(daemon: Daemon) -> None:
    """Through the pipeline that runs, each step with its place, from the document with all its digits."""
    hit = get(daemon, f"search?{RANGE}&limit=1&q=level:ERROR")["hits"][0]
    path = f"trace?index={hit['index']}&id={quoted(hit['id'])}&time={quoted(hit['event']['@timestamp'])}"
    [pipeline] = get(daemon, path)["pipelines"]
    assert (pipeline["name"], pipeline["input"]) == ("main", "")
    [trace] = pipeline["traces"]
    assert {step["file"] for step in trace["steps"]} == {"default.conf"}
    [result] = trace["results"]
    assert trace["event"] == hit["event"]
    assert (result["document"]["big"], result["outputs"][0]["index"]) == (hit["event"]["big"], hit["index"])


def test_status(daemon: Daemon) -> None:
    def counted() -> bool:
        return not get(daemon, "status")["counting"]

    wait_until(counted, "everything to be counted")
    status = get(daemon, "status")
    [pipeline] = status["pipelines"]
    [tcp] = pipeline["inputs"]
    assert (status["store"], pipeline["name"]) == ("local", "main")
    assert (tcp["kind"], tcp["host"], tcp["events"] >= 51, tcp["connections"]) == ("tcp", "127.0.0.1", True, 0)
    assert pipeline["outputs"][0]["events"] >= 51
    assert (status["audit"]["balanced"], status["audit"]["received"] >= 51) == (True, True)
    assert status["workers"]["running"] == status["workers"]["wanted"] > status["workers"]["replacing"] == 0
    assert all(status["counted"].values())
    assert (status["health"]["ready"], status["queue"]) == (True, {"events": 0, "bytes": 0})
    assert set(status["rates"]) == {"received_per_s", "delivered_per_s"}
    assert (status["geoip"]["database"], status["problems"]) == (None, [])
    assert status["geoip"]["install"].endswith("ingestd geoip install dbip:country-lite")


def test_answers_are_packed_for_those_who_take_it(daemon: Daemon) -> None:
    request = urllib.request.Request(f"{daemon.url}/api/search?{RANGE}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(answer.read()))["hits"]) == 50


def test_a_page_that_the_browser_has_keeps_its_policy(daemon: Daemon) -> None:
    with urllib.request.urlopen(daemon.url, timeout=WAIT_SECONDS) as answer:
        tag, policy = answer.headers["ETag"], answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    again = urllib.request.Request(daemon.url, headers={"If-None-Match": tag})
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(again, timeout=WAIT_SECONDS):
        pass
    with caught.value as answer:
        assert (answer.code, answer.headers["Content-Security-Policy"]) == (304, policy)


def test_static_files(daemon: Daemon) -> None:
    path = f"{daemon.url}/static/world.json"
    request = urllib.request.Request(path, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        tag, packed = answer.headers["ETag"], answer.read()
        assert (answer.headers["Content-Type"], answer.headers["Content-Encoding"]) == ("application/json", "gzip")
    with urllib.request.urlopen(path, timeout=WAIT_SECONDS) as answer:
        assert answer.read() == gzip.decompress(packed)
    again = urllib.request.Request(path, headers={"If-None-Match": tag})
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(again, timeout=WAIT_SECONDS):
        pass
    with caught.value as answer:
        assert (answer.code, answer.read()) == (304, b"")


def test_files_of_the_page_are_kept_for_good(daemon: Daemon) -> None:
    found = re.findall(r'="(static/~[0-9a-f]+/)([\w.]+)"', daemon.get("/"))
    (folder,) = {folder for folder, _ in found}
    assert {"app.css", "app.js", "theme.js", "icon.svg"} <= {name for _, name in found}
    older = "static/~0123456789ab/"  # of a page that was loaded before an upgrade
    for place, expected in (
        ("static/", "no-cache"),
        (folder, "public, max-age=31536000, immutable"),
        (older, "no-cache"),
    ):
        with urllib.request.urlopen(f"{daemon.url}/{place}app.js", timeout=WAIT_SECONDS) as answer:
            assert (answer.headers["Cache-Control"], answer.read()[:3]) == (expected, b"/**")


@pytest.mark.parametrize("path", ["~/app.py", "app.py", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "", "none.js"])
def test_no_other_file_is_served(daemon: Daemon, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        daemon.get(f"/static/{path}")
    with caught.value as answer:
        assert answer.code == 404


@contextmanager
def following(daemon: Daemon, parameters: str = "") -> Iterator[IO[bytes]]:
    with urllib.request.urlopen(f"{daemon.url}/api/tail?{parameters}", timeout=WAIT_SECONDS) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.readline() == b"retry: 2000\n"
        assert stream.readline() == b"\n"
        yield stream


def hits(stream: IO[bytes]) -> list[Any]:
    """Return the hits of the next message, after those that keep the connection alive."""
    while (line := stream.readline()) in (b": keep-alive\n", b"\n"):
        pass
    assert line == b"event: hits\n"
    line = stream.readline()
    assert stream.readline() == b"\n"
    found: list[Any] = json.loads(line.removeprefix(b"data: "))
    return found


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.500Z", time.gmtime(time.time() - seconds_ago))


def test_tail(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.send([{"@timestamp": stamp(5), "level": "ERROR", "message": "before"}])
        daemon.wait_for_delivery(1)
        with following(daemon, "q=level:ERROR") as stream, following(daemon, f"since={stamp(250)}") as other:
            assert [hit["event"]["message"] for hit in hits(other)] == ["before"]
            daemon.send(
                [
                    {"@timestamp": stamp(-1), "level": "ERROR", "message": "second"},
                    {"@timestamp": stamp(100), "level": "ERROR", "message": "first, and late"},
                    {"@timestamp": stamp(0), "level": "INFO", "message": "not asked for"},
                ]
            )
            messages: list[str] = []
            while len(messages) < 2:
                messages += [hit["event"]["message"] for hit in hits(stream)]
            assert sorted(messages) == ["first, and late", "second"]


def test_streams_are_counted_and_end_with_their_reader(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        streams = [urllib.request.urlopen(f"{daemon.url}/api/tail", timeout=WAIT_SECONDS) for _ in range(8)]
        assert refused(daemon, "tail")[0] == 503
        for stream in streams:
            stream.close()

        def free() -> bool:
            try:
                with following(daemon):
                    return True
            except urllib.error.HTTPError as error:
                error.close()
                return False

        wait_until(free, "a stream to be free")


def test_a_stop_does_not_wait_for_streams(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, following(daemon):
        began = time.monotonic()
        daemon.stop()
        assert time.monotonic() - began < PROMPT_SECONDS


def busy_children(daemon: Daemon) -> set[int]:
    """Return the query processes: the children of the HTTP process."""
    grandchildren = [pid for child in children(daemon.process.pid) for pid in children(child)]
    return {pid for pid in grandchildren if "query_process" in command_line(pid)}


def hanging_children(daemon: Daemon) -> set[int]:
    """Return those of them that read the pipe of `hanging_queries`."""
    return {pid for pid in busy_children(daemon) if any(file.endswith(PIPE) for file in open_files(pid))}


def test_a_query_ends_when_its_client_goes(tmp_path: Path) -> None:
    with Daemon(tmp_path, query_timeout="1h") as daemon:
        daemon.send(EVENTS)
        daemon.wait_for_delivery(len(EVENTS))
        host, port = daemon.url.removeprefix("http://").split(":")
        with hanging_queries(daemon):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(b"GET /api/search HTTP/1.1\r\nHost: localhost\r\n\r\n")
                wait_until(lambda: hanging_children(daemon), "a query that hangs")
                hanging = hanging_children(daemon)
            wait_until(lambda: not hanging & busy_children(daemon), "the query to be stopped", PROMPT_SECONDS)
        assert len(get(daemon, "search")["hits"]) == 50


def test_a_query_has_a_limit_of_time(tmp_path: Path) -> None:
    with Daemon(tmp_path, query_timeout="500ms") as daemon:
        daemon.send(EVENTS)
        daemon.wait_for_delivery(len(EVENTS))
        with hanging_queries(daemon):
            status, error = refused(daemon, "search")
        assert (status, error["message"]) == (504, "the query took more than 0.5 s; choose a shorter time range")


@contextmanager
def hanging_queries(daemon: Daemon) -> Iterator[None]:
    """Make each query hang: an append log that is a pipe, to which nobody writes.

    We hold it open: otherwise the sealer, which opens each append log for a moment, would be its writer, and a query
    would come to the end of the pipe when it closes it.
    """
    pipe = daemon.data_dir / "indices" / "logstash-2026.11.22" / PIPE
    os.mkfifo(pipe)
    fd = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield
    finally:
        pipe.unlink()
        os.close(fd)


def test_a_query_has_a_limit_of_memory(tmp_path: Path) -> None:
    with Daemon(tmp_path, query_memory="4MiB") as daemon:
        daemon.send({"@timestamp": f"{DAY}T10:00:00.000Z", "message": f"{n:05d}" * 50} for n in range(20_000))
        daemon.wait_for_delivery(20_000)
        status, error = refused(daemon, "top?field=message&n=1000")
        assert (status, "too much memory" in error["message"]) == (503, True)
        assert daemon.get("/health/ready")


def test_query_processes_end_with_the_daemon(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        get(daemon, "search")
        processes = busy_children(daemon)
        assert processes
        daemon.kill()
        wait_until(lambda: not any(map(is_alive, processes)), "them to end")
