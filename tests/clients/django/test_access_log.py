"""The middleware: one record for each request."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from ingestd_django.records import RecordFormatter

from tests.clients.django import site

site.set_up()

FIELDS = (
    *("method", "request_path", "client_ip", "user_agent", "referrer", "route", "request_id", "search_word"),
    *("search_results", "user_id", "status_code", "visit", "duration_ms", "bytes", "sql_count", "sql_ms"),
)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that gets a page, and returns the fields that were logged for it."""
    caplog.set_level(logging.INFO, "ingestd_django.access")

    def get(path: str, *, options: dict[str, Any] | None = None, is_async: bool = False, **headers: str) -> Any:
        caplog.clear()
        with override_settings(INGESTD_ACCESS_LOG=options or {}):
            if is_async:
                asyncio.run(_get_async(path, headers))
            else:
                response = Client(raise_request_exception=False).get(path, headers=headers)
                b"".join(response) if response.streaming else response.content
                response.close()
        [record] = [record for record in caplog.records if record.name == "ingestd_django.access"]
        found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        assert found.pop("duration_ms") >= 0
        assert found.pop("visit") is True
        return found | {"message": record.getMessage(), "level": record.levelname}

    return get


async def _get_async(path: str, headers: dict[str, str]) -> None:
    response = await AsyncClient(raise_request_exception=False).get(path, headers=headers)
    if response.streaming:
        async for _ in response:
            pass
    response.close()


def test_a_search(logged: Any) -> None:
    found = logged("/search/?q=%EC%84%9C%EC%9A%B8+%EC%97%AD", **{"user-agent": "Firefox", "x-request-id": "abc"})
    assert found == {
        "method": "GET",
        "request_path": "/search/?q=%EC%84%9C%EC%9A%B8+%EC%97%AD",
        "client_ip": "127.0.0.1",
        "user_agent": "Firefox",
        "route": "search",
        "request_id": "abc",
        "search_word": "서울 역",
        "search_results": 0,
        "status_code": 200,
        "bytes": len("nothing found"),
        "message": "GET /search/?q=%EC%84%9C%EC%9A%B8+%EC%97%AD 200",
        "level": "INFO",
    }


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("path", "status", "size"),
    [
        ("/search/", 200, 13),
        ("/fails/", 500, None),
        ("/missing/", 404, None),
    ],
    ids=["page", "exception", "missing"],
)
def test_status_and_size(path: str, status: int, size: int | None, is_async: bool, logged: Any) -> None:
    found = logged(path, is_async=is_async)
    assert found["status_code"] == status
    assert found["level"] == ("ERROR" if status == 500 else "INFO")
    assert size is None or found["bytes"] == size


def test_a_file_has_its_length(logged: Any) -> None:
    assert logged("/file/")["bytes"] == Path(site.__file__).stat().st_size


def test_a_stream_is_logged_at_its_end(logged: Any) -> None:
    assert logged("/stream/")["bytes"] == 30
    assert logged("/async-stream/", is_async=True)["bytes"] == 30


CLIENTS = pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        ((), "1.2.3.4", "127.0.0.1"),
        (("127.0.0.0/8",), "1.2.3.4", "1.2.3.4"),
        (("127.0.0.1", "10.0.0.0/8"), "6.6.6.6, 1.2.3.4, 10.1.1.1", "1.2.3.4"),
        (("127.0.0.1",), "made up", "127.0.0.1"),
        (("127.0.0.1",), "", "127.0.0.1"),
        (("127.0.0.1",), "2001:db8::1", "2001:db8::1"),
    ],
    ids=["none_trusted", "one", "chain", "made_up", "no_header", "ipv6"],
)


@CLIENTS
def test_the_client_of_proxies(proxies: tuple[str, ...], forwarded: str, expected: str, logged: Any) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert logged("/search/", options={"TRUSTED_PROXIES": proxies}, **headers)["client_ip"] == expected


@CLIENTS
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_record_of_django_has_the_same_client(
    proxies: tuple[str, ...], forwarded: str, expected: str, is_async: bool, logged: Any, caplog: Any
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    options = {"TRUSTED_PROXIES": proxies}
    in_access_log = logged("/fails/", options=options, is_async=is_async, **headers)["client_ip"]
    [record] = [record for record in caplog.records if record.name == "django.request"]
    with override_settings(INGESTD_ACCESS_LOG=options):
        fields = RecordFormatter().fields(record)
    assert (in_access_log, fields["client_ip"]) == (expected, expected)


class _Odd:
    @property
    def META(self) -> Any:
        raise RuntimeError("no META")


_GIVEN = {"META": {"REMOTE_ADDR": "1.2.3.4"}}


@pytest.mark.parametrize(
    ("extra", "options", "expected"),
    [
        ({"request": SimpleNamespace(**_GIVEN)}, {}, "1.2.3.4"),
        ({"request": SimpleNamespace(**_GIVEN), "client_ip": "own"}, {}, "own"),
        ({"request": SimpleNamespace(**_GIVEN)}, {"TRUSTED_PROXIES": ["no address"]}, None),
        ({"request": SimpleNamespace(META={"REMOTE_ADDR": None})}, {}, None),
        ({"request": SimpleNamespace(META={"REMOTE_ADDR": 5, "HTTP_X_FORWARDED_FOR": 5})}, {}, None),
        ({"request": socket.socket}, {}, None),
        ({"request": _Odd()}, {}, None),
        ({}, {}, None),
    ],
    ids=["request", "own_field", "wrong_setting", "unix_socket", "no_text", "of_runserver", "raises", "no_request"],
)
def test_a_record_is_never_lost_for_its_client(extra: dict[str, Any], options: Any, expected: str | None) -> None:
    record = logging.makeLogRecord({"name": "django.request", "msg": "failed", **extra})
    with override_settings(INGESTD_ACCESS_LOG=options):
        fields = RecordFormatter().fields(record)
    assert (fields["message"], fields.get("client_ip")) == ("failed", expected)


def test_queries_are_counted_if_wanted(logged: Any) -> None:
    assert "sql_count" not in logged("/query/")
    found = logged("/query/", options={"SQL": True})
    assert found["sql_count"] == 2
    assert found["sql_ms"] >= 0


@pytest.mark.parametrize(("query", "counts"), [("q=a&page=1", True), ("q=a&page=2", False)], ids=["first", "second"])
def test_a_further_page_is_no_search(query: str, counts: bool, logged: Any) -> None:
    assert ("search_word" in logged(f"/search/?{query}")) is counts


def test_a_wrong_option_is_named() -> None:
    with override_settings(INGESTD_ACCESS_LOG={"SQLS": True}), pytest.raises(ValueError, match="unknown: SQLS; known"):
        Client().get("/search/")
