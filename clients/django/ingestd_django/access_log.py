"""Middleware that logs a record for each request, as ingestd's filter ``access_line`` would make it of a server's."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import connections
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ingestd_django.client import client_address, networks

log = logging.getLogger("ingestd_django.access")

_DEFAULTS: dict[str, Any] = {
    "TRUSTED_PROXIES": (),
    "USER_ID": False,
    "SQL": False,
    "SEARCH_PARAMETERS": ("q", "query", "keyword", "search", "word", "s"),
    "REQUEST_ID_HEADER": "X-Request-ID",
}
_MAX_ID = 128
_PAGES, _FIRST_PAGES = ("page", "p", "paged", "pageno", "page_no"), ("", "0", "1")


class AccessLog:
    """Logs each request to the logger ``ingestd_django.access`` when its response has ended.

    Put it first in ``MIDDLEWARE``. The fields: ``method``, ``request_path`` with its query, ``status_code``, ``bytes``,
    ``duration_ms``, ``client_ip``, ``user_agent``, ``referrer``, ``route``, ``request_id``, ``search_word``; and
    ``search_results`` if the view sets ``request.search_results``.

    The dict ``INGESTD_ACCESS_LOG`` in Django's settings may have:

    - ``TRUSTED_PROXIES``: addresses and networks (``"10.0.0.0/8"``) of proxies: ``X-Forwarded-For`` counts as far as
      they wrote it. Default: none, so that ``client_ip`` is the address of the connection.
    - ``USER_ID``: whether to log ``user_id`` of users who are logged in. Default: False.
    - ``SQL``: whether to log ``sql_count`` and ``sql_ms``, of synchronous queries. Default: False.
    - ``SEARCH_PARAMETERS``: names of the query's parameters with a search word, in any case.
    - ``REQUEST_ID_HEADER``: a request's id, if a proxy sets one; otherwise it is made here. The view finds it in
      ``request.request_id``.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        options = {**_DEFAULTS, **getattr(settings, "INGESTD_ACCESS_LOG", {})}
        if unknown := sorted(options.keys() - _DEFAULTS.keys()):
            raise ValueError(f"INGESTD_ACCESS_LOG: unknown: {', '.join(unknown)}; known: {', '.join(_DEFAULTS)}")
        self._proxies = networks(tuple(options["TRUSTED_PROXIES"]))
        self._user_id, self._sql = bool(options["USER_ID"]), bool(options["SQL"])
        self._parameters = frozenset(name.lower() for name in options["SEARCH_PARAMETERS"])
        self._id_header = options["REQUEST_ID_HEADER"]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request, and log it."""
        if self._is_async:
            return self._answer_async(request)
        entry = self._entry(request)
        with ExitStack() as stack:
            if self._sql:
                for connection in connections.all():
                    stack.enter_context(connection.execute_wrapper(entry.count_query))
            try:
                response = self._get_response(request)
            except BaseException:
                entry.write(500, None)
                raise
        return entry.follow(response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        entry = self._entry(request)
        try:
            response = await self._get_response(request)
        except BaseException:
            entry.write(500, None)
            raise
        return entry.follow(response)

    def _entry(self, request: HttpRequest) -> _Entry:
        given = request.headers.get(self._id_header, "")[:_MAX_ID]
        request.request_id = given if given.isprintable() and given else uuid.uuid4().hex
        return _Entry(request, self._fields)

    def _fields(self, request: HttpRequest) -> dict[str, Any]:
        headers, match = request.headers, request.resolver_match
        fields = {
            "method": request.method,
            "request_path": request.get_full_path(),
            "client_ip": client_address(request.META, self._proxies),
            "user_agent": headers.get("User-Agent"),
            "referrer": headers.get("Referer"),
            "route": (match.view_name or match.route) if match else None,
            "request_id": request.request_id,
            "search_word": self._word(request),
            "search_results": getattr(request, "search_results", None),
            "user_id": _user_id(request) if self._user_id else None,
        }
        return {name: value for name, value in fields.items() if value not in (None, "")}

    def _word(self, request: HttpRequest) -> str:
        """Return what the visitor searched for, on the first page of the result."""
        if any(request.GET.get(name, "") not in _FIRST_PAGES for name in _PAGES):
            return ""
        for name, values in request.GET.lists():
            if name.lower() in self._parameters and (word := " ".join(values[-1].split())):
                return word
        return ""


class _Entry:
    """The record of one request."""

    def __init__(self, request: HttpRequest, fields: Callable[[HttpRequest], dict[str, Any]]) -> None:
        self._request, self._fields = request, fields
        self._started = time.perf_counter()
        self._sql_count, self._sql_seconds, self._counts_sql = 0, 0.0, False
        self.streamed: int | None = 0
        """Bytes of the response so far, None: unknown."""

    def count_query(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Execute a query, see ``connection.execute_wrapper``."""
        started = time.perf_counter()
        self._counts_sql = True
        try:
            return execute(sql, params, many, context)
        finally:
            self._sql_count += 1
            self._sql_seconds += time.perf_counter() - started

    def follow(self, response: HttpResponseBase) -> HttpResponseBase:
        """Write the record, of a stream when it has ended."""
        status = response.status_code
        if isinstance(response, HttpResponse):
            self.write(status, len(response.content))
            return response
        if isinstance(response, FileResponse):  # as it is: servers may send the file without reading it
            self.streamed = _content_length(response)
        elif isinstance(response, StreamingHttpResponse):
            count: Any = _counted_async if response.is_async else _counted
            response.streaming_content = count(response.streaming_content, self)
        response._resource_closers.append(lambda: self.write(status, self.streamed))
        return response

    def add(self, chunk: bytes) -> None:
        """Count a part of a streamed response."""
        self.streamed = (self.streamed or 0) + len(chunk)

    def write(self, status: int, size: int | None) -> None:
        """Log the record."""
        try:
            fields = self._fields(self._request)
            fields["status_code"], fields["visit"] = status, True
            fields["duration_ms"] = round((time.perf_counter() - self._started) * 1000, 3)
            if size is not None:
                fields["bytes"] = size
            if self._counts_sql:
                fields["sql_count"], fields["sql_ms"] = self._sql_count, round(self._sql_seconds * 1000, 3)
            level = logging.ERROR if status >= 500 else logging.INFO
            text = "%s %s %d"
            log.log(level, text, fields["method"], fields["request_path"], status, extra=fields)
        except Exception:
            log.exception("a request could not be logged")


def _counted(chunks: Iterable[bytes], entry: _Entry) -> Iterator[bytes]:
    for chunk in chunks:
        entry.add(chunk)
        yield chunk


async def _counted_async(chunks: AsyncIterable[bytes], entry: _Entry) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        entry.add(chunk)
        yield chunk


def _user_id(request: HttpRequest) -> Any:
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def _content_length(response: HttpResponseBase) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None
