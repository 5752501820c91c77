"""A small Django site, in this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import django
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path


def search(request: HttpRequest) -> HttpResponse:
    request.search_results = 0
    return HttpResponse("nothing found")


def failing(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a defect")


def query(request: HttpRequest) -> HttpResponse:
    from django.db import connection  # noqa: PLC0415 -- needs the settings

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 2")
    return HttpResponse("two")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for _number in range(3):
            time.sleep(0.01)
            yield b"x" * 10

    return StreamingHttpResponse(chunks())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 10

    return StreamingHttpResponse(chunks())


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(Path(__file__).open("rb"))


urlpatterns = [
    path("search/", search, name="search"),
    path("fails/", failing),
    path("query/", query),
    path("stream/", stream),
    path("async-stream/", async_stream),
    path("file/", download),
]


def set_up() -> None:
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["ingestd_django"],
            LOGGING_CONFIG=None,
            MIDDLEWARE=["ingestd_django.AccessLog"],
            ROOT_URLCONF=__name__,
            SECRET_KEY="for tests",
            USE_TZ=True,
        )
        django.setup()
