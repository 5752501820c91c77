"""Heads of requests, as h11 reads them, and requests whose end is not certain."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.http.http1 import Head, RequestError, answer, chunk_size, parse_head


def head(*lines: str, first: str = "POST /a?b=c HTTP/1.1") -> bytes:
    return "\r\n".join([first, "Host: h", *lines, "", ""]).encode("latin-1")


def test_a_head() -> None:
    found = parse_head(head("Content-Type:  text/plain ", "X-A: 1", "x-a: 2", "Content-Length: 5", "Empty:"))
    headers = (("host", "h"), ("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2"), ("content-length", "5"))
    assert found == Head("POST", "/a?b=c", "HTTP/1.1", (*headers, ("empty", "")), 5)
    assert (found.path, found.get("x-a"), found.get("none")) == ("/a", "1, 2", "")


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ([], 0),
        (["Content-Length: 0"], 0),
        (["Content-Length: 7", "content-length: 7"], 7),
        (["Transfer-Encoding: Chunked"], None),
    ],
    ids=["none", "0", "repeated", "chunked"],
)
def test_size_of_the_body(lines: list[str], size: int | None) -> None:
    assert parse_head(head(*lines)).size == size


@pytest.mark.parametrize(
    ("first", "lines", "keep_alive", "expects_continue"),
    [
        ("GET / HTTP/1.1", [], True, False),
        ("GET / HTTP/1.1", ["Connection: Close, TE"], False, False),
        ("GET / HTTP/1.0", [], False, False),
        ("GET / HTTP/1.0", ["Connection: keep-alive", "Expect: 100-continue"], True, False),
        ("GET / HTTP/1.1", ["Expect: 100-Continue"], True, True),
    ],
)
def test_what_the_client_wants(first: str, lines: list[str], keep_alive: bool, expects_continue: bool) -> None:
    found = parse_head(head(*lines, first=first))
    assert (found.keep_alive, found.expects_continue) == (keep_alive, expects_continue)


REFUSED: list[tuple[str, bytes, int]] = [
    ("no_request", b"hello\r\n\r\n", 400),
    ("blanks", head(first="GET  / HTTP/1.1"), 400),
    ("http2", b"PRI * HTTP/2.0\r\n\r\n", 505),
    ("no_host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two_hosts", head("Host: b"), 400),
    ("blank_before_colon", head("X-A : 1"), 400),
    ("folded", head("X-A: 1", " 2"), 400),
    ("no_colon", head("X-A"), 400),
    ("zero", head("X-A: \0"), 400),
    ("line_feed", head("X-A: 1\nX-B: 2"), 400),
    ("sign", head("Content-Length: +1"), 400),
    ("huge", head("Content-Length: " + "9" * 30), 400),
    ("list", head("Content-Length: 1, 1"), 400),
    ("two_sizes", head("Content-Length: 1", "Content-Length: 2"), 400),
    ("both", head("Content-Length: 1", "Transfer-Encoding: chunked"), 400),
    ("chunked_1_0", head("Transfer-Encoding: chunked", first="POST / HTTP/1.0"), 400),
    ("gzip", head("Transfer-Encoding: gzip, chunked"), 501),
    ("twice", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501),
]


@pytest.mark.parametrize(("data", "status"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(data: bytes, status: int) -> None:
    with pytest.raises(RequestError) as caught:
        parse_head(data)
    assert caught.value.status == status


PARTS = ["GET ", "POST ", "/", "/a b", " HTTP/1.1", " HTTP/1.0", "\r\n", "\n", "Host: h\r\n", "X", ":", " ", "\t", "\0"]
PARTS += ["Content-Length: ", "1", "2", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "\xe9", ",", "é"]


@given(parts=st.lists(st.sampled_from(PARTS), max_size=12), whole=st.booleans())
def test_nothing_is_accepted_that_h11_refuses(parts: list[str], whole: bool) -> None:
    """h11 is an implementation of the RFC by others; it also accepts some old forms, which are refused here."""
    text = "".join(parts).partition("\r\n\r\n")[0].removesuffix("\r\n")
    data = (("POST / HTTP/1.1\r\nHost: h\r\n" if whole else "") + text + "\r\n\r\n").encode()
    try:
        found = parse_head(data)
    except RequestError:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method.decode(), event.http_version.decode()) == (found.method, found.version[5:])
    assert {(name.decode(), value.decode().lower()) for name, value in event.headers} == {
        (name, value.lower()) for name, value in found.headers
    }
    assert found.size in (None, 0) or ("content-length", str(found.size)) in found.headers


@pytest.mark.parametrize(
    ("line", "size"), [(b"a\r\n", 10), (b"0\r\n", 0), (b"1F;x=y\r\n", 31), (b"00\r\n", 0)], ids=str
)
def test_chunk_size(line: bytes, size: int) -> None:
    assert chunk_size(line) == size


@pytest.mark.parametrize(
    "line", [b"\r\n", b"-1\r\n", b"0x1\r\n", b"1 2\r\n", b"f" * 16 + b"\r\n", b"1;a\rb\r\n"], ids=str
)
def test_no_chunk_size(line: bytes) -> None:
    with pytest.raises(RequestError):
        chunk_size(line)


@pytest.mark.parametrize(
    ("status", "without_body", "text"),
    [
        (200, False, b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
        (200, True, b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"),
        (204, False, b"HTTP/1.1 204 No Content\r\nA: b\r\nConnection: close\r\n\r\n"),
    ],
)
def test_answer(status: int, without_body: bool, text: bytes) -> None:
    assert answer(status, b"ok", [("A", "b")], close=True, without_body=without_body) == text
