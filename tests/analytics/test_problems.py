"""The list of problems, of the incident of 19 November in the built-in store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestd.analytics.problem_marks import MAX_MARKS, Mark, MarkError, load_marks, mark_problem, marks_document
from ingestd.analytics.problems import BARS, MAX_SHOWN_CHARS, Problem, is_known, list_problems
from ingestd.event.table import Table
from ingestd.plugins.filters.problem import Options, build
from ingestd.plugins.registry import BuildContext
from ingestd.stores.base import LogStore
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query
from tests.analytics.conftest import Fill
from tests.e2e import incident

pytestmark = pytest.mark.usefixtures("shared_duckdb")

NOW = "2026-11-30T00:00:00.000Z"
WEEK = Query("2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z")
CHECKOUT = "ConnectionError in orders.views.checkout: Error <n> connecting to <ip>. Connection refused for order <n>"
CHECKOUT_ID = "25cd21aac86c"
ITEM = "KeyError in items.views.item: <n>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogStore]:
    root = tmp_path_factory.mktemp("store")
    writer = LocalWriter(root, "w0")
    events = [event for event in incident.events() if event["level"] == "ERROR"]
    table = Table.of_events(events, [*range(len(events))])
    build(Options(), BuildContext())(table, table.rows, 0)
    documents = table.documents(table.rows)
    for day in sorted({event["@timestamp"][:10] for event in events}):
        rows = [row for row, event in enumerate(events) if event["@timestamp"].startswith(day)]
        writer.append(
            f"logstash-{day.replace('-', '.')}", [documents[row] for row in rows], [f"e{row}" for row in rows]
        )
    writer.close()
    store = LocalStore(root)
    yield store
    store.close()


def problems(store: LogStore, query: Query = WEEK, marks: Mapping[str, Mark] | None = None) -> list[Problem]:
    return list_problems(store, query, marks or {}, now=NOW)


def test_the_incident_stands_first(store: LogStore) -> None:
    mark = Mark("resolved", "2026-11-19T05:10:00.000Z", "kim", "redis is back")
    first, second = problems(store, marks={CHECKOUT_ID: mark})
    assert (first.problem, first.mark, first.is_regressed, second.mark.state) == (CHECKOUT_ID, mark, True, "open")
    document = msgspec.json.decode(msgspec.json.encode(first.document()))
    assert [*document][:5] == ["problem", "title", "count", "first_seen", "last_seen"]
    assert (first.title, first.count) == (CHECKOUT, incident.FAILURES)
    assert (second.title, second.count) == (ITEM, 7)
    assert first.first_seen == "2026-11-19T05:00:00.000Z"
    assert first.last_seen == "2026-11-19T05:28:59.000Z"
    assert (first.levels, first.paths, first.hosts) == (("ERROR",), ("/checkout/",), ("web1", "web2"))
    assert len(first.sparkline) in (BARS, BARS + 1)
    assert (sum(first.sparkline), max(first.sparkline)) == (48, 48)
    assert (first.is_new, second.is_new) == (True, False)


ECS: list[dict[str, Any]] = [  # the same error, in the Elastic Common Schema: nested, and with dots
    {
        "@timestamp": "2026-11-19T05:00:00.000Z",
        "log": {"level": "error"},
        "host": {"name": "web1", "ip": ["10.0.0.1"]},
        "url": {"path": "/checkout/?a=1"},
        "client": {"ip": "192.0.2.1"},
        "error": {"type": "KeyError", "message": "7", "stack_trace": '  File "/srv/shop/a.py", line 8, in f\n    x\n'},
    },
    {
        "@timestamp": "2026-11-19T05:00:01.000Z",
        "log.level": "error",
        "host.name": "web2",
        "url.path": "/checkout/",
        "client.ip": "192.0.2.2",
        "error.type": "KeyError",
        "error.message": "8",
        "error.stack_trace": '  File "/srv/shop/a.py", line 9, in f\n    x\n',
    },
    {
        "@timestamp": "2026-11-19T05:00:02.000Z",
        "level": "ERROR",
        "host": "web3",
        "request_path": "/cart/",
        "client_ip": "192.0.2.3",
        "stack_trace": 'Traceback (most recent call last):\n  File "/srv/shop/a.py", line 9, in f\nKeyError: 9\n',
    },
    {"@timestamp": "2026-11-19T05:00:03.000Z", "level": "INFO", "log": {"level": "info"}, "message": "no problem"},
]


def test_the_elastic_common_schema(tmp_path: Path) -> None:
    table = Table.of_events(ECS, [*range(len(ECS))])
    build(Options(), BuildContext())(table, table.rows, 0)
    writer = LocalWriter(tmp_path, "w0")
    writer.append("logstash-2026.11.19", table.documents(table.rows), ["a", "b", "c", "d"])
    writer.close()
    store = LocalStore(tmp_path)
    (found,) = problems(store)
    assert [store.count(Query(condition=parse(text))) for text in ("log.level:>=ERROR", "log.level:Error")] == [2, 2]
    store.close()
    assert (found.title, found.count, found.levels) == ("KeyError in a.f: <n>", 3, ("ERROR",))
    assert (found.paths, sorted(found.hosts)) == (("/checkout/", "/cart/"), ["web1", "web2", "web3"])
    assert found.visitors == 2


def test_without_a_period_everything_counts(store: LogStore) -> None:
    first, second = problems(store, Query())
    assert (first.count, second.count, second.is_new) == (48, incident.DAILY_FAILURES, False)
    assert sum(second.sparkline) == incident.DAILY_FAILURES


def test_a_period_without_problems(store: LogStore) -> None:
    assert problems(store, Query("2027-01-01T00:00:00Z", None)) == []


STATES = [  # id, mark, state, regressed
    ("resolved_after", Mark("resolved", "2026-11-19T06:00:00.000Z"), "resolved", False),
    ("seen_since", Mark("resolved", "2026-11-19T05:10:00.000Z"), "open", True),
    ("muted", Mark("muted", "2026-11-19T05:10:00.000Z"), "muted", False),
    ("reopened", Mark("open", "2026-11-19T05:10:00.000Z"), "open", False),
]


@pytest.mark.parametrize(("mark", "state", "regressed"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
def test_states(mark: Mark, state: str, regressed: bool) -> None:
    seen = "2026-11-19T05:28:59.000Z"
    problem = Problem("a", "E", 1, seen, seen, (), (), (), 0, (), is_new=False, mark=mark)
    assert (problem.state, problem.is_regressed) == (state, regressed)
    assert (problem.document()["mark"] or {})["state"] == mark.state


KNOWN = [  # id, problem, whether it is known
    ("stored", CHECKOUT_ID, True),
    ("marked", "gone", True),
    ("other_bytes", "a\udcff", True),
    ("unknown", "nosuch", False),
]


@pytest.mark.parametrize(("problem", "known"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN])
def test_what_is_known(store: LogStore, problem: str, known: bool, tmp_path: Path) -> None:
    for marked in ("gone", "a\udcff"):
        mark_problem(tmp_path, marked, "mute", at=NOW, by="kim", note="")
    assert is_known(tmp_path, store, problem) is known


NUMBERS: list[dict[str, Any]] = [{"problem": 5}, {"problem": "6"}, {"problem": 7.0, "level": "ERROR"}]
SAME = [("5", True), ("5.0", False), ("05", False), ("6", True), ("6.0", False), ("7", False), ("7.0", True)]


def test_an_id_is_a_text(tmp_path: Path, store_of: Fill) -> None:
    """An event has a number, which a query finds however it is written."""
    store = store_of({"@timestamp": str(WEEK.since), "message": "x"} | event for event in NUMBERS)
    assert [(name, is_known(tmp_path, store, name)) for name, _ in SAME] == SAME
    assert list_problems(store, WEEK, {}, problem="5.0", now=NOW) == []


def test_one_of_several_in_an_event(store_of: Fill) -> None:
    event = {"@timestamp": str(WEEK.since), "problem": ["a", "b"], "level": "", "log": {"level": "ERROR"}}
    (found,) = list_problems(store_of([event]), WEEK, {}, problem="b", now=NOW)
    assert (found.count, found.first_seen[:10], found.levels) == (1, str(WEEK.since)[:10], ("ERROR",))


def test_long_texts_are_cut(store_of: Fill) -> None:
    """A client may send any."""
    names = ("problem_title", "level", "request_path", "host")
    store = store_of([{"@timestamp": str(WEEK.since), "problem": "a"} | dict.fromkeys(names, "x" * 100_000)])
    (found,) = problems(store)
    shown = [found.title, *found.levels, *found.paths, *found.hosts]
    assert [len(text) for text in shown] == [MAX_SHOWN_CHARS + 1] * 4


def test_marks_are_kept(tmp_path: Path) -> None:
    mark_problem(tmp_path, "a", "resolve", at=NOW, by="kim", note="fixed")
    mark_problem(tmp_path, "b", "mute", at=NOW, by="kim", note="")
    assert load_marks(tmp_path) == {"a": Mark("resolved", NOW, "kim", "fixed"), "b": Mark("muted", NOW, "kim")}
    mark_problem(tmp_path, "a", "reopen", at=NOW, by="lee", note="\udcff not text")
    assert load_marks(tmp_path)["a"] == Mark("open", NOW, "lee", "? not text")


def test_the_oldest_marks_are_forgotten(tmp_path: Path) -> None:
    with marks_document(tmp_path).update() as content:
        content.problems |= {f"p{number}": Mark("muted", NOW, "x" * 40, "한" * 500) for number in range(MAX_MARKS)}
    mark_problem(tmp_path, "p0", "resolve", at=NOW, by="", note="")
    mark_problem(tmp_path, "new", "resolve", at=NOW, by="", note="")
    marks = load_marks(tmp_path)
    assert len(marks) == MAX_MARKS
    assert "p1" not in marks
    assert [*marks][-2:] == ["p0", "new"]


REFUSED = [("a", "delete", ""), ("", "resolve", ""), ("a" * 501, "mute", ""), ("a", "mute", "x" * 501)]


@pytest.mark.parametrize(("problem", "action", "note"), REFUSED, ids=["action", "no_id", "long_id", "long_note"])
def test_refused_marks(tmp_path: Path, problem: str, action: str, note: str) -> None:
    with pytest.raises(MarkError):
        mark_problem(tmp_path, problem, action, at=NOW, by="", note=note)
    assert load_marks(tmp_path) == {}
