"""Facts from a store: what arrived lately, and the search server itself."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ingestd.diagnosis.facts import RecentRecords
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_datetime, to_epoch_ns
from ingestd.recipes import CLIENT_LOGGER
from ingestd.stores.base import Hit, LogStore
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
_LATEST = 200
"""Access lines of each kind that are compared to find requests that are logged twice."""

_PAIR_S = 2.0
"""Two servers write the line of a request at most this far apart; nginx logs whole seconds."""

_MIN_PAIRS = 3
_CLIENTS = 20


def recent_records(store: LogStore, now: datetime.datetime) -> RecentRecords:
    """Return what arrived in the last hour.

    Raises:
        StoreError: The store cannot be queried.
    """
    lately = Query(from_datetime(now - LATELY), from_datetime(now + FUTURE))
    access = replace(lately, condition=ACCESS_LINES)
    django = replace(lately, condition=And((_DJANGO, Not(ACCESS_LINES))))
    access_total = store.count(access)
    loggers = {str(top.value): top.count for top in store.top("logger_name", access, _NAMES)} if access_total else {}
    if without := access_total - sum(loggers.values()):
        loggers[""] = without
    named, unnamed = _latest_requests(store, access) if len(loggers) > 1 else ([], [])
    of_client = [request for request in named if request.logger == CLIENT_LOGGER]
    clients = store.top("client_ip", access, _CLIENTS) if access_total else []
    total = store.count(lately)
    of_django = store.count(django) if total else 0
    python = store.count(replace(lately, condition=Exists("logger_name"))) if total and not of_django else 0
    return RecentRecords(
        total=total,
        access=loggers,
        twice=logged_twice(named, unnamed),
        twice_client=logged_twice([request for request in named if request.logger != CLIENT_LOGGER], of_client),
        django=of_django,
        python=python,
        clients={str(top.value): top.count for top in clients},
        future=store.count(Query(since=from_datetime(now + FUTURE))),
        newest=None if total else _newest(store),
    )


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """What an access line says; ``seconds``: its time since 1970."""

    seconds: float
    method: str
    path: str
    logger: str = ""


def logged_twice(named: Sequence[LoggedRequest], others: Sequence[LoggedRequest]) -> tuple[str, ...]:
    """Return the loggers of ``named`` access lines that are about the same requests as ``others``, at the same time.

    Two servers that take turns, such as after a change from one to another, do not log the same requests.
    """
    if not others:
        return ()
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for request in others:
        times[request.method, request.path].append(request.seconds)
    by_logger: dict[str, list[LoggedRequest]] = defaultdict(list)
    for request in named:
        by_logger[request.logger].append(request)
    found = []
    for logger, requests in by_logger.items():
        left = {key: list(all_) for key, all_ in times.items()}
        pairs = sum(_take_pair(request, left.get((request.method, request.path), [])) for request in requests)
        if pairs >= max(_MIN_PAIRS, _common(requests, others) / 2):
            found.append(logger)
    return tuple(sorted(found))


def _take_pair(request: LoggedRequest, times: list[float]) -> bool:
    """Return whether a time is that of the request, and remove it."""
    nearest = min(times, key=lambda seconds: abs(seconds - request.seconds), default=None)
    if nearest is None or abs(nearest - request.seconds) > _PAIR_S:
        return False
    times.remove(nearest)
    return True


def _common(requests: Sequence[LoggedRequest], others: Sequence[LoggedRequest]) -> int:
    """Return how many could be in both at most: the fewer of those in the time that both cover."""
    seconds, other = [request.seconds for request in requests], [request.seconds for request in others]
    first, last = max(min(seconds), min(other)) - _PAIR_S, min(max(seconds), max(other)) + _PAIR_S
    return min(sum(first <= moment <= last for moment in moments) for moments in (seconds, other))


def _latest_requests(store: LogStore, access: Query) -> tuple[list[LoggedRequest], list[LoggedRequest]]:
    """Return the latest access lines with a logger, and those without."""
    named = Exists("logger_name")
    parts: tuple[Condition, Condition] = (named, Not(named))
    queries = [replace(access, condition=And((access.condition or And(()), part))) for part in parts]
    with_logger, without = ([*map(_request, store.search(query, _LATEST))] for query in queries)
    return [*filter(None, with_logger)], [*filter(None, without)]


def _request(hit: Hit) -> LoggedRequest | None:
    try:
        event = loads(hit.document)
        seconds = to_epoch_ns(event["@timestamp"]) / 1e9
        return LoggedRequest(seconds, event["method"], event["request_path"], str(event.get("logger_name", "")))
    except (NotJsonError, KeyError, TypeError, ValueError):
        return None


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
