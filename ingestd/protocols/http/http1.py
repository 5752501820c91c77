"""Requests and answers of HTTP/1.1 as bytes: RFC 9112, with the semantics of RFC 9110.

Strict where servers and proxies could disagree about the end of a request: such requests are refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD_BYTES = 32 << 10
"""Of a request line with its headers: cookies and tokens of proxies have some kilobytes."""

END_OF_HEAD = b"\r\n\r\n"

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIRST_LINE = re.compile(rf"({_NAME}) ([!-~\u0080-\U0010ffff]+) HTTP/([0-9])\.([0-9])")
_HEADER = re.compile(rf"({_NAME}):[ \t]*([^\0-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_SIZE = re.compile(r"[0-9]{1,18}")


class RequestError(ValueError):
    """A request that is answered with ``status``, and after which its connection has to be closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """The first line of a request, and its headers."""

    method: str
    target: str
    """Path and query, as they came."""
    version: str
    """``HTTP/1.1`` or ``HTTP/1.0``."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, and values."""
    size: int | None
    """Bytes of the body, 0 if there is none; None: it comes in chunks."""

    def get(self, name: str) -> str:
        """Return the value of a header, of a repeated one all values as a list; empty if there is none."""
        return ", ".join([value for key, value in self.headers if key == name])

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to send another request on the connection."""
        options = {option.strip() for option in self.get("connection").lower().split(",")}
        return "keep-alive" in options if self.version == "HTTP/1.0" else "close" not in options

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        return self.version != "HTTP/1.0" and self.get("expect").lower() == "100-continue"


def parse_head(data: bytes) -> Head:
    """Return the head of a request.

    Args:
        data: It, with the empty line at its end.

    Raises:
        RequestError: It is none, or one that this server cannot serve.
    """
    first, *lines = _text(data.removesuffix(END_OF_HEAD)).split("\r\n")
    if (match := _FIRST_LINE.fullmatch(first)) is None:
        raise RequestError(400, "this is not a valid HTTP request: its first line is not METHOD PATH VERSION")
    method, target, major, minor = match.groups()
    if major != "1":
        raise RequestError(505, f"HTTP/{major}.{minor} is not supported; use HTTP/1.1")
    version = "HTTP/1.0" if minor == "0" else "HTTP/1.1"
    headers = tuple([_header(line) for line in lines])
    head = Head(method, target, version, headers, 0)
    if version == "HTTP/1.1" and len([value for name, value in headers if name == "host"]) != 1:
        raise RequestError(400, "a request needs one header Host")
    return head._replace(size=_body_size(head))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _header(line: str) -> tuple[str, str]:
    if (match := _HEADER.fullmatch(line)) is None:
        raise RequestError(400, f"this is not a valid header: {line[:100]!r}")
    return match[1].lower(), match[2]


def _body_size(head: Head) -> int | None:
    codings = [value.lower() for name, value in head.headers if name == "transfer-encoding"]
    sizes = {value for name, value in head.headers if name == "content-length"}
    if codings:
        if sizes or head.version == "HTTP/1.0":
            raise RequestError(400, "a request has either Content-Length or, in HTTP/1.1, Transfer-Encoding")
        if codings != ["chunked"]:
            raise RequestError(501, f"the transfer encoding {', '.join(codings)!r} is not supported, only chunked")
        return None
    if len(sizes) > 1 or any(not _SIZE.fullmatch(size) for size in sizes):
        raise RequestError(400, f"Content-Length is not a size: {', '.join(sorted(sizes))[:100]!r}")
    return int(sizes.pop()) if sizes else 0


def chunk_size(line: bytes) -> int:
    """Return the size of a chunk, from its first line; 0: it is the last one, only trailers follow.

    Raises:
        RequestError: The line has no size.
    """
    if (match := _CHUNK.fullmatch(line.removesuffix(b"\r\n"))) is None:
        raise RequestError(400, "the body is not in chunks, as its headers say")
    return int(match[1], 16)


def answer(
    status: int, body: bytes, headers: Iterable[tuple[str, str]] = (), *, close: bool, without_body: bool = False
) -> bytes:
    """Return an answer.

    Args:
        status: 204 has no body.
        body: Its text; the header Content-Length is added.
        headers: Names and values.
        close: Whether the connection will be closed.
        without_body: Whether the request was HEAD.
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    if status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close" if close else "Connection: keep-alive")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    return head if without_body or status == HTTPStatus.NO_CONTENT else head + body
