"""Facts from a store: what arrived lately, and the search server itself."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

from ingestd.diagnosis.facts import Records
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_datetime
from ingestd.stores.base import LogStore
from ingestd.stores.elastic.server_state import SearchServer
from ingestd.stores.query import And, Condition, Equal, Exists, Gap, Like, Not, Or, Query

LATELY = datetime.timedelta(hours=1)
FUTURE = datetime.timedelta(minutes=5)

_UNMARKED = And(
    (Not(Exists("visit")), Exists("method"), Exists("request_path"), Not(Equal("logger_name", "django.request")))
)
"""An access line of a pipeline without the filter access_line."""

ACCESS_LINES: Condition = Or((Equal("visit", "true"), _UNMARKED))
"""Events that are visits."""

_DJANGO = Or((Equal("logger_name", "django"), Like("logger_name", ("django.", Gap.MANY))))
_NAMES = 50
_CLIENTS = 20


def recent_records(store: LogStore, now: datetime.datetime) -> Records:
    """Return what arrived in the last hour.

    Raises:
        StoreError: The store cannot be queried.
    """
    lately = Query(from_datetime(now - LATELY), from_datetime(now + FUTURE))
    access = replace(lately, condition=ACCESS_LINES)
    django = replace(lately, condition=And((_DJANGO, Not(ACCESS_LINES))))
    access_total = store.count(access)
    loggers = {str(top.value): top.count for top in store.top("logger_name", access, _NAMES)} if access_total else {}
    if unnamed := access_total - sum(loggers.values()):
        loggers[""] = unnamed
    clients = store.top("client_ip", access, _CLIENTS) if access_total else []
    total = store.count(lately)
    return Records(
        total=total,
        access=loggers,
        django=store.count(django) if total else 0,
        clients={str(top.value): top.count for top in clients},
        future=store.count(Query(since=from_datetime(now + FUTURE))),
        newest=None if total else _newest(store),
    )


def _newest(store: LogStore) -> str | None:
    for hit in store.search(Query(), 1):
        try:
            return str(loads(hit.document)["@timestamp"])
        except (NotJsonError, KeyError, TypeError):
            return None
    return None


def search_server(store: LogStore) -> SearchServer | None:
    """Return the search server of a store, None if it is the built-in one.

    Raises:
        StoreError: The server does not answer.
    """
    state: Callable[[], SearchServer] | None = getattr(store, "server_state", None)
    return None if state is None else state()
