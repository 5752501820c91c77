"""Fetch a file over HTTP, within bounds of size and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ingestd.geoip.sources import Download

MAX_BYTES = 1 << 30
MAX_S = 1800.0
_STALL_S = 30.0
_CHUNK = 1 << 17

Progress = Callable[[int, int | None], None]
"""Called with the bytes of each step and the bytes of the whole, None if the server does not tell."""


class FetchError(Exception):
    """A download failed; the message names the server, and no secret."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The server's words for the version that came."""

    etag: str
    last_modified: str


class _OnlyHttp(HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            raise FetchError(f"{_server(req)} redirects to something that is no web address")
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme == "http":
            raise FetchError(f"{_server(req)} redirects to an address without encryption")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(download: Download, to: Path, progress: Progress, etag: str = "", last_modified: str = "") -> Fetched | None:
    """Write what the server sends into ``to``; return None if it still has the version of before.

    Args:
        download: What to ask for.
        to: A file of ours.
        progress: Told of each step.
        etag: The version of before, if there is one.
        last_modified: The same, in the other form that servers have for it.

    Raises:
        FetchError: No answer, a refusal, more than `MAX_BYTES`, longer than `MAX_S` seconds.
        OSError: The disk refuses.
    """
    for number, url in enumerate(download.urls, start=1):
        request = _request(url, download, etag, last_modified)
        try:
            return _read(request, to, progress)
        except HTTPError as error:
            error.close()
            if error.code == 304:
                return None
            if error.code != 404 or number == len(download.urls):
                why = "the account or the key is wrong" if error.code in {401, 403} else error.reason
                raise FetchError(f"{_server(request)} answers {error.code}: {why}") from None
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            raise FetchError(f"{_server(request)}: {getattr(error, 'reason', error) or type(error).__name__}") from None
    raise AssertionError("a download has at least one address")


def _request(url: str, download: Download, etag: str, last_modified: str) -> Request:
    request = Request(url, headers={"User-Agent": "ingestd"})  # noqa: S310 -- is_remote() let only http(s) pass
    for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
        if value:
            request.add_header(name, value)
    for name, value in download.headers.items():
        request.add_unredirected_header(name, value)
    return request


def _read(request: Request, to: Path, progress: Progress) -> Fetched:
    with build_opener(_OnlyHttp).open(request, timeout=_STALL_S) as answer, to.open("wb") as file:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        for chunk in _bounded(answer, _server(request)):
            file.write(chunk)
            progress(len(chunk), total)
        if total is not None and file.tell() < total:
            raise FetchError(f"{_server(request)} sent {file.tell()} bytes of {total}")
        return Fetched(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))


def _bounded(answer: Any, server: str) -> Iterator[bytes]:
    size, deadline = 0, time.monotonic() + MAX_S
    while chunk := answer.read1(_CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise FetchError(f"{server} sends more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise FetchError(f"{server} sent no more than {size} bytes in {MAX_S:.0f} s")
        yield chunk


def _server(request: Request) -> str:
    return urlsplit(request.full_url).netloc
