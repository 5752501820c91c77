"""Download a file over HTTP, with limits on size and time."""

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
"""Called with the bytes of each step and the total bytes, None if the server does not report it."""


class FetchError(Exception):
    """A download failed; the message names the server, and no secret."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The downloaded version, as the server identifies it."""

    etag: str
    last_modified: str


class _OnlyHttp(HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            raise FetchError(f"{_server(req)} redirects to a URL that is not HTTP")
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme == "http":
            raise FetchError(f"{_server(req)} redirects from HTTPS to HTTP")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(download: Download, to: Path, progress: Progress, etag: str = "", last_modified: str = "") -> Fetched | None:
    """Download into the file ``to``; return None if the server still has the previous version.

    Args:
        download: What to download.
        to: The file to write.
        progress: Called for each step.
        etag: The previous version, if there is one.
        last_modified: The same as a Last-Modified header.

    Raises:
        FetchError: No response, an error, more than `MAX_BYTES`, or longer than `MAX_S` seconds.
        OSError: The file cannot be written.
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
                reason = "the account ID or the license key is wrong" if error.code in {401, 403} else error.reason
                raise FetchError(f"{_server(request)} responded with {error.code}: {reason}") from None
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            raise FetchError(f"{_server(request)}: {getattr(error, 'reason', error) or type(error).__name__}") from None
    raise AssertionError("a download has at least one address")


def _request(url: str, download: Download, etag: str, last_modified: str) -> Request:
    request = Request(url, headers={"User-Agent": "ingestd"})  # noqa: S310 -- sources.download() lets only http(s) pass
    for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
        if value:
            request.add_header(name, value)
    for name, value in download.headers.items():
        request.add_unredirected_header(name, value)
    return request


def _read(request: Request, to: Path, progress: Progress) -> Fetched:
    with build_opener(_OnlyHttp).open(request, timeout=_STALL_S) as response, to.open("wb") as file:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        for chunk in _read_within_limits(response, _server(request)):
            file.write(chunk)
            progress(len(chunk), total)
        if total is not None and file.tell() < total:
            raise FetchError(f"{_server(request)} sent {file.tell()} bytes of {total}")
        return Fetched(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))


def _read_within_limits(response: Any, server: str) -> Iterator[bytes]:
    """Yield the parts of a body; raise FetchError when it exceeds MAX_BYTES bytes or MAX_S seconds."""
    size, deadline = 0, time.monotonic() + MAX_S
    while chunk := response.read1(_CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise FetchError(f"{server} sent more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise FetchError(f"{server} sent only {size} bytes in {MAX_S:.0f} s")
        yield chunk


def _server(request: Request) -> str:
    return urlsplit(request.full_url).netloc
