"""What the suite of all stores does not cover: pages, cancelling, limits, sealed and unsealed files together."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.base import Bucket, Hit, QueryMemoryError, QueryTimeoutError, StoreError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.index.index_folder import replace_index
from ingestd.stores.local.index.layout import IndexFolder, index_folders
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.engine import Engine, QueryFailedError, QuerySession, VanishedError
from ingestd.stores.local.query.planning import FileLister
from ingestd.stores.local.query.store import read_documents
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Condition, Equal, Exists, Gap, Like, Not, Or, Query, Range, Text
from tests.random_cases import random_cases
from tests.threads import Background

INDEX = "logstash-2026.11.22"
NOW = Policy(idle_s=0)
sharing = pytest.mark.usefixtures("shared_duckdb")


def fill(root: Path, events: list[dict[str, Any]], ids: list[str] | None = None, index: str = INDEX) -> None:
    writer = LocalWriter(root, "w0")
    writer.append(index, [json.dumps(event).encode() for event in events], ids)
    writer.close()


def pages(store: LocalStore, query: Query, size: int) -> list[Hit]:
    """Follow the cursors to the end."""
    found: list[Hit] = []
    after = None
    while page := list(store.search(query, size, after)):
        assert len(page) <= size
        found += page
        after = page[-1].cursor
    return found


TIMES = st.sampled_from(["2026-11-21T23:00:00.000Z", "2026-11-22T10:00:00.000123Z", "2026-11-22T10:00:00.001Z", None])


@sharing
@random_cases(8)
@given(
    events=st.lists(st.tuples(TIMES, st.sampled_from(["", "a", "b", "c"])), max_size=12),
    size=st.integers(1, 5),
    sealed=st.integers(0, 12),
)
def test_pages_neither_skip_nor_repeat(
    events: list[tuple[str | None, str]], size: int, sealed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whichever times and ids are equal, and however the events are spread over indices and files."""
    root = tmp_path_factory.mktemp("store")
    for at, (moment, key) in enumerate(events):
        event = {"n": at} if moment is None else {"@timestamp": moment, "n": at}
        fill(root, [event], [key], "other" if at % 3 == 0 else INDEX)
        if at == sealed:
            seal_once(root, NOW)
    store = LocalStore(root, threads=1)
    found = pages(store, Query(), size)
    assert sorted(json.loads(hit.document)["n"] for hit in found) == list(range(len(events)))
    order = [(json.loads(hit.document).get("@timestamp", ""), hit.id) for hit in found]
    assert order == sorted(order, reverse=True)
    assert [hit.id for hit in store.search(Query(), 0)] == [hit.id for hit in found]
    with pytest.MonkeyPatch.context() as patch:  # with a limit that is more than a page, too
        patch.setattr("ingestd.stores.local.query.store._PAGE", 0)
        assert list(store.search(Query(), len(events) + 1)) == found
        assert pages(store, Query(), size) == found


@sharing
def test_pages_while_events_are_appended_and_sealed(tmp_path: Path) -> None:
    def event(second: int) -> dict[str, Any]:
        return {"@timestamp": f"2026-11-22T10:00:{second:02}.000Z", "n": second}

    fill(tmp_path, [event(n) for n in range(10)], [f"a{n}" for n in range(10)])
    store = LocalStore(tmp_path)
    first = list(store.search(Query(), 4))
    fill(tmp_path, [event(50)], ["new"])
    seal_once(tmp_path, NOW)
    second = list(store.search(Query(), 99, first[-1].cursor))
    assert [hit.id for hit in [*first, *second]] == [f"a{n}" for n in range(9, -1, -1)]


@pytest.mark.sampled
@sharing
@pytest.mark.parametrize(("large", "queries"), [(None, 1), (3, 1), (5, 2)], ids=["none", "older", "newest"])
def test_small_indices_are_read_in_one_query(large: int | None, queries: int, tmp_path: Path) -> None:
    """A large one is read in a query of its own, as are those that are older: here only if they are needed."""
    for day in range(1, 6):
        text = "x" * (5 << 20) if day == large else "x"
        event = {"@timestamp": f"2026-11-0{day}T10:00:00.000Z", "n": day, "text": text}
        fill(tmp_path, [event], [f"{day}"], f"logstash-2026.11.0{day}")
    with mock.patch.object(QuerySession, "run", autospec=True, side_effect=QuerySession.run) as asked:
        [hit] = LocalStore(tmp_path, threads=1).search(Query(), 1)
    assert (json.loads(hit.document)["n"], asked.call_count) == (5, queries)


@pytest.mark.parametrize("text", ["", "x", "{}", "[1,2,3]", '[1,"a"]', '[1,"a",0]'])
def test_a_wrong_cursor_is_rejected(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        LocalStore(tmp_path).search(Query(), 1, text)


@sharing
def test_a_hit_has_its_index(tmp_path: Path) -> None:
    fill(tmp_path, [{"n": 1}], ["x"], "one")
    fill(tmp_path, [{"n": 2}], ["y"], "two")
    seal_once(tmp_path, NOW)
    fill(tmp_path, [{"n": 3}], ["z"], "two")
    hits = {hit.id: (hit.index, json.loads(hit.document)) for hit in LocalStore(tmp_path).search(Query())}
    assert hits == {"x": ("one", {"n": 1}), "y": ("two", {"n": 2}), "z": ("two", {"n": 3})}


HISTOGRAM: list[dict[str, Any]] = [
    {"@timestamp": "2026-11-21T14:59:59.999Z", "level": "INFO"},
    {"@timestamp": "2026-11-21T15:00:00.000Z", "level": "info", "tags": ["a", "b", "a"]},
    {"@timestamp": "2026-11-22T14:59:59.999999Z", "level": "ERROR", "tags": "a"},
    {"@timestamp": "2026-11-22T15:00:00.000Z", "level": None, "status_code": 200, "tags": []},
    {"@timestamp": "2026-11-22T15:00:00.000Z", "level": {"a": 1}, "status_code": "200"},
    {"@timestamp": "1969-12-31T23:59:59.000Z", "level": "WARN"},
    {"level": "INFO"},
]


@sharing
@pytest.mark.parametrize("sealed", [False, True], ids=["append_log", "sealed"])
def test_histogram(sealed: bool, tmp_path: Path) -> None:
    fill(tmp_path, HISTOGRAM)
    if sealed:
        seal_once(tmp_path, NOW)
    store = LocalStore(tmp_path)
    assert store.histogram(Query(), 86_400, 9 * 3600) == [  # days of Seoul
        Bucket("1969-12-31T15:00:00.000Z", {"WARN": 1}),
        Bucket("2026-11-20T15:00:00.000Z", {"INFO": 1}),
        Bucket("2026-11-21T15:00:00.000Z", {"INFO": 1, "ERROR": 1}),
        Bucket("2026-11-22T15:00:00.000Z", {"": 2}),
    ]
    assert store.histogram(Query(since="2026-11-22T00:00:00Z"), 3600, 0, "status_code") == [
        Bucket("2026-11-22T14:00:00.000Z", {"": 1}),
        Bucket("2026-11-22T15:00:00.000Z", {"200": 2}),
    ]
    assert store.histogram(Query(since="2026-11-21T15:00:00Z", until="2026-11-22T15:00:00Z"), 86_400, 0, "tags") == [
        Bucket("2026-11-21T00:00:00.000Z", {"a": 1, "b": 1}),
        Bucket("2026-11-22T00:00:00.000Z", {"a": 1}),
    ]


def test_histogram_of_less_than_a_second(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1 second"):
        LocalStore(tmp_path).histogram(Query(), 0)


VALUES: list[Any] = [
    *("x", "X", "", "404", "4.04e2", "[1]", "{}", "true", "null", "서울 맛집", 'a"b\\c', "100%_", "10"),
    *(404, 404.0, 4.5, -1, 2**60, 2**60 + 1, True, False, None),
    *([], ["x"], ["x", 404], [None], [["x"]], [{"a": 1}], {}, {"a": 1}, {"a": None}),
]
CONDITIONS = {
    "text": Equal("tags", "x"),
    "number": Equal("tags", "404"),
    "float": Equal("tags", "4.50"),
    "exponent": Equal("tags", "4.04e2"),
    "large": Equal("tags", str(2**60)),
    "true": Equal("tags", "true"),
    "null": Equal("tags", "null"),
    "array": Equal("tags", "[1]"),
    "empty": Equal("tags", ""),
    "quotes": Equal("tags", 'a"b\\c'),
    "not": Not(Equal("tags", "x")),
    "exists": Exists("tags"),
    "like": Like("tags", ("4", Gap.MANY)),
    "like_signs": Like("tags", ("100%", Gap.ONE)),
    "like_all": Like("tags", (Gap.MANY,)),
    "numbers": Range("tags", "4", "404"),
    "above": Range("tags", "4.5", None, low_inclusive=False),
    "texts": Range("tags", "a", "y"),
    "text_bound": Range("tags", None, "x", high_inclusive=False),
    "all": And(()),
    "none": Or(()),
    "equals_any": Or((Equal("tags", "x"), Equal("tags", "404"), Equal("other", "1"))),
    "words": Text("맛집", ("tags",)),
    "words_no_column": Text("맛집", ("more",)),
}


@pytest.mark.sampled
@sharing
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_columns_answer_as_documents_do(condition: Any, both: tuple[LocalStore, LocalStore]) -> None:
    append_log, sealed = (sorted(hit.id for hit in store.search(Query(condition=condition))) for store in both)
    assert append_log == sealed


@sharing
def test_tops_of_columns(both: tuple[LocalStore, LocalStore]) -> None:
    append_log, sealed = (store.top("tags", Query(), 99) for store in both)
    assert append_log == sealed
    assert [(value.value, value.count) for value in append_log][:2] == [("x", 4), (404, 2)]


def test_what_does_not_fit_into_memory_stays_in_the_store(tmp_path: Path) -> None:
    stale = tmp_path / ".spill-999999999"
    stale.mkdir()
    with Engine(tmp_path, 64 << 20, 1, None).session() as session:
        assert not stale.exists(), "left by a process that was killed"
        list(
            session.run(
                "CREATE TEMP TABLE large AS SELECT i, md5(i::VARCHAR) || md5(i::VARCHAR) FROM range(3000000) t(i)"
            )
        )
        [spilled] = tmp_path.iterdir()
        assert spilled.name == f".spill-{os.getpid()}"
        assert any(file.stat().st_size for file in spilled.iterdir())
        assert list(index_folders(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@sharing
@pytest.mark.parametrize("sealed", [False, True], ids=["append_log", "sealed"])
def test_numbers_with_an_exponent(sealed: bool, tmp_path: Path) -> None:
    texts = [
        '{"x":1e2}',
        '{"x": 1.2e1}',
        '{"x":[5, 1E+2]}',
        '{"x":[1200e-2]}',
        '{"x":0.05E2}',
        '{"x":100}',
        '{"x":"1e2"}',
    ]
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, list(map(str.encode, texts)))
    writer.close()
    if sealed:
        seal_once(tmp_path, NOW)
    store = LocalStore(tmp_path)
    assert [store.count(Query(condition=Equal("x", value))) for value in ("100", "12", "5")] == [3, 2, 2]


def test_a_session_that_ends_while_its_timer_fires(tmp_path: Path) -> None:
    with mock.patch.object(threading, "Timer") as timer, Engine(tmp_path, 64 << 20, 1, 60).session():
        pass
    _, function, arguments = timer.call_args.args
    function(*arguments)


def test_an_empty_folder_for_spilling_does_not_stay(tmp_path: Path) -> None:
    """Else each session would open a DuckDB."""
    spill = tmp_path / f".spill-{os.getpid()}"
    with Engine(tmp_path, 64 << 20, 1, None).session():
        spill.mkdir()
    assert not spill.exists()


def test_what_a_killed_process_with_the_same_id_spilled_is_removed_once(tmp_path: Path) -> None:
    spill = tmp_path / f".spill-{os.getpid()}"
    spill.mkdir()
    (spill / "left").touch()
    with Engine(tmp_path, 64 << 20, 1, None).session():
        assert not spill.exists()
        spill.mkdir()
        with Engine(tmp_path, 64 << 20, 1, None).session():
            assert spill.exists(), "another store of this process uses it"


@sharing
@pytest.mark.parametrize("sealed", [False, True], ids=["append_log", "sealed"])
def test_truth_values_in_arrays_are_no_numbers(sealed: bool, tmp_path: Path) -> None:
    fill(tmp_path, [{"x": [True], "a": [{"b": True}]}, {"x": [False, 2]}, {"x": [[1], "true"], "a": [{"b": [1.0]}]}])
    if sealed:
        seal_once(tmp_path, NOW)
    store = LocalStore(tmp_path)
    conditions: list[Condition] = [
        *(Equal("x", value) for value in ("0", "1", "true", "false", "2")),
        *(Equal("a.b", "1"), Range("x", "0", "1"), Range("a.b", "0", "1"), Like("x", ("t", Gap.MANY))),
    ]
    assert [store.count(Query(condition=condition)) for condition in conditions] == [0, 1, 2, 1, 1, 1, 1, 1, 2]


def test_sessions_share_a_duckdb_until_one_fails(tmp_path: Path) -> None:
    engine = Engine(tmp_path, 64 << 20, 1, None)
    with engine.session() as session:
        list(session.run("CREATE TABLE mark AS SELECT 1"))
    with engine.session() as session, engine.session(separate=True) as other:
        assert list(session.run("FROM mark")) == [(1,)]
        with pytest.raises(QueryFailedError):
            list(other.run("FROM mark"))
    with engine.session() as still_open:
        with pytest.raises(QueryFailedError), engine.session() as session:
            list(session.run("SELECT error('as after an internal error')"))
        assert list(still_open.run("FROM mark")) == [(1,)]
    with engine.session() as session, pytest.raises(QueryFailedError):
        list(session.run("FROM mark"))
    engine.close()


def test_documents_of_a_replaced_index_are_not_returned(tmp_path: Path) -> None:
    """Between finding the events and reading their documents, another file may get the same name."""
    for root, key in ((tmp_path / "a", "old"), (tmp_path / "b", "new")):
        fill(root, [{"n": 1}], [key])
        seal_once(root, NOW)
    groups = FileLister().file_groups(index_folders(tmp_path / "a"), Query())
    with Engine(Path("/nowhere"), 256 << 20, 1, None).session() as session:
        found = list(session.run(sql.newest_rows(groups, Query(), None, 9)))
        assert [row[1:3] for row in read_documents(session, groups, found)] == [("old", '{"n":1}')]
        file = Path(groups[0].files[0])
        (tmp_path / "b" / file.relative_to(tmp_path / "a")).replace(file)
        with pytest.raises(VanishedError, match="replaced"):
            read_documents(session, groups, found)


def test_a_file_that_is_replaced_by_one_with_other_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing the files and reading them an index may be replaced: then they are listed again."""
    for root, event in ((tmp_path / "a", {"n": 1, "old": "x"}), (tmp_path / "b", {"n": 2, "new": {"y": 1}})):
        fill(root, [event], ["same"])
        seal_once(root, NOW)
    usual = FileLister.file_groups

    def replaced(lister: FileLister, folders: list[IndexFolder], query: Query) -> list[sql.FileGroup]:
        groups = usual(lister, folders, query)
        if (tmp_path / "b").exists():
            replace_index(tmp_path / "b" / INDEX, tmp_path / "a" / INDEX)
            shutil.rmtree(tmp_path / "b")
        return groups

    monkeypatch.setattr(FileLister, "file_groups", replaced)
    with contextlib.closing(LocalStore(tmp_path / "a")) as store:
        assert [json.loads(hit.document) for hit in store.search(Query())] == [{"n": 2, "new": {"y": 1}}]


EQUALS = [  # equally frequent values: their order
    ("numbers", [100, 9, 12.5, -3], [-3, 9, 12.5, 100]),
    ("texts", ["b", "a!", "a", 'a"', "a\u00e9"], ["a", "a!", 'a"', "a\u00e9", "b"]),
    ("texts_of_digits", ["9", "10"], ["10", "9"]),
    ("texts_before_numbers", [1, "b", 0.5, "2"], ["2", "b", 0.5, 1]),
    ("truth", [True, False], [False, True]),
]


@pytest.mark.sampled
@sharing
@pytest.mark.parametrize("sealed", [False, True], ids=["append_log", "sealed"])
@pytest.mark.parametrize(("values", "expected"), [case[1:] for case in EQUALS], ids=[case[0] for case in EQUALS])
def test_top_of_equally_frequent_values(values: list[Any], expected: list[Any], sealed: bool, tmp_path: Path) -> None:
    fill(tmp_path, [{"tags": value} for value in values])
    if sealed:
        seal_once(tmp_path, NOW)
    assert [top.value for top in LocalStore(tmp_path, threads=1).top("tags", Query())] == expected


@pytest.mark.sampled
@sharing
@pytest.mark.parametrize("limit", range(1, 8))
def test_events_of_one_time_and_id_are_in_the_order_of_their_documents(limit: int, tmp_path: Path) -> None:
    """Even if the limit separates them, and whether they are sealed or not."""
    moment = "2026-11-22T10:00:00.000Z"
    fill(tmp_path, [{"@timestamp": moment, "n": n} for n in (3, 1, 5)], ["same"] * 3)
    seal_once(tmp_path, NOW)
    fill(tmp_path, [{"@timestamp": moment, "n": n} for n in (4, 2)], ["same"] * 2)
    fill(tmp_path, [{"@timestamp": "2026-11-22T10:00:01.000Z", "n": 6}], ["other"])
    hits = LocalStore(tmp_path, threads=1).search(Query(), limit)
    assert [json.loads(hit.document)["n"] for hit in hits] == [6, 5, 4, 3, 2, 1][:limit]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStore, LocalStore]:
    """The same events in an append log and sealed; ``tags`` has a column."""
    roots = [tmp_path_factory.mktemp(name) for name in ("append_log", "sealed")]
    for root in roots:
        fill(root, [{"tags": value, "more": value} for value in VALUES], [f"{at:02}" for at in range(len(VALUES))])
    seal_once(roots[1], NOW)
    return LocalStore(roots[0]), LocalStore(roots[1])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store so large that a query takes a while; tests only read it."""
    root = tmp_path_factory.mktemp("large")
    writer = LocalWriter(root, "w0")
    for _ in range(20):
        writer.append(INDEX, [b'{"message":"' + b"a b " * 100 + b'"}'] * 10_000)
    writer.close()
    yield root
    shutil.rmtree(root)


SLOW = Query(condition=Text("a b a b c"))


def test_interrupt(large: Path) -> None:
    store = LocalStore(large)
    caught: list[Exception] = []

    def ask() -> None:
        try:
            while True:
                store.count(SLOW)
        except StoreError as error:
            caught.append(error)

    with Background(ask) as asking:
        time.sleep(0.3)
        while asking.running:
            store.interrupt()
            time.sleep(0.05)
    assert isinstance(caught[0], QueryTimeoutError)
    assert str(caught[0]) == "the query was cancelled"
    assert store.count(Query()) == 200_000


@pytest.fixture
def _sigint() -> Iterator[None]:
    """Ctrl-C interrupts a query, and nothing else: not the test that waits for it."""

    def press(signum: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is QuerySession.run.__code__:
            raise KeyboardInterrupt

    handler = signal.signal(signal.SIGINT, press)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("_sigint")
def test_a_signal_during_a_query() -> None:
    """DuckDB drops what the handler raises; a RuntimeError comes instead."""
    endless = "SELECT count(*) FROM range(1000000000000000) WHERE range % 7 = 3"
    answered = threading.Event()

    def press() -> None:
        while not answered.wait(0.1):
            os.kill(os.getpid(), signal.SIGINT)

    def ask() -> None:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # it came before DuckDB had started
                list(session.run(endless))

    with Engine(Path("/nowhere"), 256 << 20, 1, None).session() as session:
        assert list(session.run("SELECT 1")) == [(1,)]
        with Background(press):
            try:
                with pytest.raises(QueryTimeoutError, match=r"^the query was cancelled$"):
                    ask()
            finally:
                answered.set()
        assert list(session.run("SELECT 1")) == [(1,)]


class _FailingConnection:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute(self, sql: str) -> None:
        raise self._error


FAILURES: list[tuple[str, Exception, type[StoreError], str]] = [
    ("interrupted", duckdb.InterruptException("INTERRUPT Error: Interrupted!"), QueryTimeoutError, "was cancelled"),
    ("no_thread", RuntimeError("Resource temporarily unavailable"), StoreError, "failed: Resource temporarily"),
    ("memory", duckdb.OutOfMemoryException("x"), QueryMemoryError, "needs too much memory"),
    ("internal", duckdb.InternalException("INTERNAL Error: x\nstack"), QueryFailedError, "failed: INTERNAL Error: x$"),
]


@pytest.mark.parametrize(("error", "kind", "text"), [c[1:] for c in FAILURES], ids=[c[0] for c in FAILURES])
def test_what_duckdb_raises(error: Exception, kind: type[StoreError], text: str) -> None:
    connection: Any = _FailingConnection(error)
    with pytest.raises(StoreError, match=text) as caught:
        list(QuerySession(connection).run("SELECT 1"))
    assert type(caught.value) is kind


def test_timeout(large: Path) -> None:
    with pytest.raises(QueryTimeoutError, match=r"took longer than 0\.05 s"):
        LocalStore(large, timeout_s=0.05).count(SLOW)


def test_a_malformed_time_is_rejected(tmp_path: Path) -> None:
    fill(tmp_path, [{"n": 1}])
    with pytest.raises(StoreError, match="'yesterday' is not a time"):
        LocalStore(tmp_path).count(Query(since="yesterday"))


NAMES = {  # id: field, documents that have it, documents that do not
    "plain": ("problem", [b'{"problem":"a"}', b'{"problem":0}'], [b'{"problem":null}', b'{"a":"problem"}', b"{}"]),
    "escaped": ("problem", [b'{"\\u0070roblem":"a"}', b'{"a":{"\\u0062":1},"problem":1}'], [b'{"\\u0070":"problem"}']),
    "dotted": ("a.b", [b'{"a.b":1}', b'{"a":{"b":1}}', b'{"a":[{"b":1}]}'], [b'{"a":1,"b":2}', b'{"a":{"c":"b"}}']),
    "path": ("[a][b]", [b'{"a":{"b":1}}', b'{"\\u0061":{"\\u0062":1}}'], [b'{"a.b":1}']),
    "slash": ("a/b", [b'{"a/b":1}', b'{"a\\/b":1}'], [b'{"a":"a/b"}']),
}


@sharing
@pytest.mark.parametrize(("field", "having", "others"), NAMES.values(), ids=NAMES)
def test_a_field_is_there_however_its_name_is_written(
    field: str, having: list[bytes], others: list[bytes], tmp_path: Path
) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, [*having, *others], None)
    writer.close()
    with contextlib.closing(LocalStore(tmp_path)) as store:
        found = {hit.document for hit in store.search(Query(condition=Exists(field)))}
    assert found == set(having)
