"""SQL on the events of the built-in store: what it sees, and what it cannot reach.

Queries do without the DuckDB that other tests share: a statement locks the settings of its own.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestd.stores.base import QueryMemoryError, QueryTimeoutError, StoreError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.query.engine import Engine
from ingestd.stores.local.query.statement import StatementError
from ingestd.stores.local.sealing import parquet
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import INDEX_FIELD, Gap, Like, Query
from tests.random_cases import sampled
from tests.threads import Background

pytestmark = pytest.mark.usefixtures("shared_sealing")

EVENTS: list[dict[str, Any]] = [
    {"level": "INFO", "n": 1, "took": 0.5, "ok": True, "mixed": 1, "geoip": {"country": "KR"}, "x.y": "flat"},
    {"level": "INFO", "n": 2, "took": 2, "ok": False, "mixed": "two", "geoip": {"country": "JP"}, "x": {"y": "in"}},
    {"level": "ERROR", "n": 2**53 + 1, "took": 1e3, "mixed": [1, 2], "user-agent": "curl", "empty": None},
]
TIMES = ("2026-11-21T23:59:59.000Z", "2026-11-22T00:00:00.000Z", "2026-11-22T00:00:01.500Z")
INDICES = ("logstash-2026.11.21", "logstash-2026.11.22", "logstash-2026.11.22")


def append(root: Path, numbers: range, writer_id: str) -> None:
    with closing(LocalWriter(root, writer_id)) as writer:
        for number in numbers:
            document = json.dumps({"@timestamp": TIMES[number]} | EVENTS[number]).encode()
            writer.append(INDICES[number], [document], [f"id{number}"])


def fill(root: Path, form: str) -> Path:
    """Make a store of `EVENTS`."""
    append(root, range(2 if form == "both" else 3), "w0")
    if form != "append_logs":
        seal_once(root, Policy(idle_s=0))
    if form == "both":
        append(root, range(2, 3), "w1")
    return root


@pytest.fixture(scope="module", params=["append_logs", "sealed", "both"])
def each_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    with closing(LocalStore(fill(tmp_path_factory.mktemp("store"), request.param), threads=1)) as store:
        yield store


@pytest.mark.sampled
@pytest.mark.parametrize("form", ["append_logs", "sealed"])
@pytest.mark.parametrize("name", ["a[1]*", "it's 서울"])
def test_names_of_folders(name: str, form: str, tmp_path: Path) -> None:
    with closing(LocalStore(fill(tmp_path / name, form), threads=1)) as store:
        assert rows(store, "SELECT count(*) FROM events") == [(3,)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("store"), "both")


@pytest.fixture(scope="module")
def store(root: Path) -> Iterator[LocalStore]:
    with closing(LocalStore(root, threads=1)) as store:
        yield store


def rows(store: LocalStore, text: str, query: Query | None = None, limit: int = 0) -> list[Any]:
    _, *found = store.select(text, query or Query(), limit)
    return found


ANSWERS: list[tuple[str, str, list[Any]]] = [
    ("count", "SELECT count(*) FROM events", [(3,)]),
    ("group", "SELECT level, sum(n) FROM events GROUP BY level ORDER BY 1", [("ERROR", 2**53 + 1), ("INFO", 3)]),
    ("where", "SELECT n FROM events WHERE level = 'INFO' AND n > 1", [(2,)]),
    ("case", "select n as N from EVENTS where level = 'INFO' order by n desc", [(2,), (1,)]),
    ("doubles", "SELECT avg(took) FROM events", [(334.16666666666669,)]),
    ("truth", "SELECT count(*) FROM events WHERE ok", [(1,)]),
    ("mixed", "SELECT mixed FROM events ORDER BY n", [("1",), ("two",), ("[1,2]",)]),
    ("member", "SELECT geoip.country FROM events WHERE geoip.country IS NOT NULL ORDER BY 1", [("JP",), ("KR",)]),
    ("table_and_member", "SELECT e.geoip.country FROM events e WHERE e.n = 1", [("KR",)]),
    ("object", "SELECT geoip->>'country' FROM events WHERE n = 2", [("JP",)]),
    ("object_and_member", 'SELECT geoip, "geoip.country" FROM events WHERE n = 2', [('{"country":"JP"}', "JP")]),
    ("dotted", 'SELECT "x.y", x.y FROM events WHERE n < 3 ORDER BY n', [("flat", "flat"), ("in", "in")]),
    ("schema", "SELECT main.events.n, memory.main.events.geoip.country FROM events WHERE n = 1", [(1, "KR")]),
    ("any_case", "SELECT Level, level, LEVEL FROM events WHERE N = 1 AND n = 1", [("INFO", "INFO", "INFO")]),
    ("quoted", 'SELECT "user-agent" FROM events WHERE "user-agent" LIKE \'c%\'', [("curl",)]),
    ("time", "SELECT max(\"@timestamp\")::VARCHAR FROM events", [("2026-11-22 00:00:01.5",)]),
    ("index", "SELECT _index, count(*) FROM events GROUP BY 1 ORDER BY 1", [(INDICES[0], 1), (INDICES[1], 2)]),
    ("id", "SELECT _id FROM events ORDER BY 1", [("id0",), ("id1",), ("id2",)]),
    ("document", "SELECT _source->>'level' FROM events WHERE n = 1", [("INFO",)]),
    ("with", "WITH e AS (SELECT n * 2 AS m FROM events WHERE n < 3) SELECT sum(m) FROM e", [(6,)]),
    ("alias_in_order", "SELECT level, count(*) AS c FROM events GROUP BY ALL ORDER BY c DESC LIMIT 1", [("INFO", 2)]),
    ("semicolon", "SELECT 1 FROM events LIMIT 1;", [(1,)]),
    ("window", "SELECT row_number() OVER (ORDER BY n) FROM events ORDER BY 1", [(1,), (2,), (3,)]),
    ("no_events", "SELECT n FROM events WHERE n < 0", []),
]  # fmt: skip


ASKED = sampled(ANSWERS, usual=2)


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in ASKED], ids=[case[0] for case in ASKED])
def test_answers(each_store: LocalStore, text: str, expected: list[Any]) -> None:
    assert rows(each_store, text) == expected


def test_times_are_in_utc(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the zone of the machine, and without pytz, which DuckDB needs for times with a zone."""
    monkeypatch.setenv("TZ", "Asia/Seoul")
    text = """
        SELECT "@timestamp"::TIMESTAMPTZ AS t, "@timestamp" AS t, [{'at': "@timestamp" AT TIME ZONE 'UTC'}] AS l,
            epoch_us("@timestamp"::TIMESTAMPTZ) - epoch_us("@timestamp") AS ahead,
        FROM events ORDER BY n DESC LIMIT 1"""
    names, row = store.select(text, Query())
    time = datetime.datetime(2026, 11, 22, 0, 0, 1, 500_000)
    assert (names, row) == (["t", "t", "l", "ahead"], (time, time, [{"at": time}], 0))
    assert rows(store, "SELECT count(*) FROM (DESCRIBE SELECT now())") == [(1,)]


@pytest.mark.sampled
def test_names_of_columns(each_store: LocalStore) -> None:
    names = next(each_store.select("SELECT n AS a, n AS a, count(*) FROM events GROUP BY n", Query()))
    assert names == ["a", "a", "count_star()"]
    assert next(each_store.select("SELECT n FROM events WHERE n < 0", Query())) == ["n"]
    fields = {"level", "n", "took", "ok", "mixed", "geoip", "x", "user-agent"}
    assert set(next(each_store.select("SELECT * FROM events", Query()))) >= {*fields, "_index", "_id", "@timestamp"}


@pytest.mark.sampled
def test_types_are_the_same_however_events_are_stored(each_store: LocalStore) -> None:
    text = 'DESCRIBE SELECT n, took, ok, mixed, level, geoip.country AS c, "@timestamp" AS t FROM events'
    types = [row[1] for row in rows(each_store, text)]
    assert types == ["BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR", "VARCHAR", "TIMESTAMP"]


@pytest.mark.sampled
def test_range_of_time_and_indices(each_store: LocalStore) -> None:
    count = "SELECT count(*) FROM events"
    assert rows(each_store, count, Query(since="2026-11-22T00:00:00Z")) == [(2,)]
    assert rows(each_store, count, Query(until="2026-11-22T00:00:01Z")) == [(2,)]
    one_day = Query(condition=Like(INDEX_FIELD, ("logstash-", Gap.MANY, "21")))
    assert rows(each_store, count, one_day) == [(1,)]
    assert list(each_store.select(count, Query(condition=Like(INDEX_FIELD, ("nothing",))))) == []


def test_a_limit(store: LocalStore) -> None:
    assert rows(store, "SELECT n FROM events ORDER BY n", limit=2) == [(1,), (2,)]


WRONG: list[tuple[str, str, str]] = [
    ("syntax", "SELEC 1", 'syntax error at or near "SELEC"'),
    ("nothing", "", "only a single SELECT is allowed"),
    ("comment", "-- nothing", "only a single SELECT is allowed"),
    ("two", "SELECT 1; SELECT 2", "only a single SELECT is allowed"),
    ("column", "SELECT leve FROM events", 'there is no column "leve"; did you mean level?'),
    ("member", "SELECT nobody.x FROM events", 'there is no column "nobody"'),
    ("member_of_a_text", "SELECT level, level.x FROM events", "Cannot extract field 'x'"),
    ("table", "SELECT * FROM logs", "Table with name logs does not exist"),
    ("function", "SELECT nofunction(1) FROM events", "nofunction does not exist"),
    ("type", "SELECT level + 1 FROM events", "No function matches"),
    ("cast", "SELECT level::INTEGER FROM events", "Could not convert string '"),
    ("parameter", "SELECT ? FROM events", "Values were not provided"),
    ("not_utf_8", "SELECT '\udcff' FROM events", "cannot encode str as UTF-8"),
    ("columns", f"SELECT {', '.join(f'c{n}' for n in range(501))} FROM events", "may name 500 columns"),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("text", "error"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_statements(store: LocalStore, text: str, error: str) -> None:
    with pytest.raises(StatementError) as raised:
        rows(store, text)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_deeply_nested_statement(store: LocalStore) -> None:
    """How deep is too deep depends on Python; with its usual limit, which Hypothesis raises, it is noticed early."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        with contextlib.suppress(StatementError):
            assert rows(store, f"SELECT {'abs(' * 900}n{')' * 900} FROM events WHERE n = 1") == [(1,)]
    finally:
        sys.setrecursionlimit(limit)


PASSWORDS = "/etc/passwd"
READS: list[str] = [  # a SELECT that leaves the store
    *(
        f"SELECT * FROM {name}('{PASSWORDS}')"
        for name in ("read_csv", "read_text", "read_blob", "read_json", "sniff_csv")
    ),
    f"SELECT * FROM read_parquet('{PASSWORDS}')",
    f"SELECT * FROM '{PASSWORDS}'",
    "SELECT * FROM '/etc/passwd.csv'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM parquet_metadata('/etc/x.parquet')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SELECT content FROM read_text('/proc/self/environ')",
    "SELECT getenv('HOME')",
    f"SELECT * FROM query('SELECT * FROM read_csv(''{PASSWORDS}'')')",
    "SELECT * FROM a_python_variable",
    "SELECT * FROM sqlite_scan('/etc/x.db', 't')",
]
STATEMENTS: list[str] = [  # what is no SELECT
    "COPY (SELECT 1) TO '/tmp/ingestd-copied.csv'",
    "COPY events TO '/tmp/ingestd-copied.parquet'",
    "ATTACH '/tmp/ingestd-attached.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "EXPORT DATABASE '/tmp/ingestd-exported'",
    "IMPORT DATABASE '/tmp/ingestd-exported'",
    "CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 's')",
]


@pytest.mark.sampled
@pytest.mark.parametrize("text", READS)
def test_a_select_reads_events_and_nothing_else(store: LocalStore, text: str) -> None:
    a_python_variable = [1]
    with pytest.raises(StatementError):
        rows(store, text)
    assert a_python_variable == [1]


@pytest.mark.parametrize("text", [*STATEMENTS, "CREATE TABLE t AS SELECT 1", "DROP VIEW events", "PRAGMA version"])
def test_only_a_select_is_run(store: LocalStore, text: str) -> None:
    with pytest.raises(StatementError, match="only a SELECT is allowed"):
        rows(store, text)


@pytest.mark.sampled
@pytest.mark.parametrize("text", STATEMENTS)
def test_duckdb_itself_refuses_the_rest(tmp_path: Path, text: str) -> None:
    """A second wall, should the first let a statement through."""
    with Engine(tmp_path, 256 << 20, 1, None).session() as session:
        list(session.run("CREATE VIEW events AS SELECT 1 AS a"))
        session.restrict([])
        with pytest.raises(StoreError) as raised:
            list(session.run(text))
    assert isinstance(raised.value.__cause__, duckdb.PermissionException | duckdb.InvalidInputException)


def test_another_file_of_the_store_cannot_be_read(root: Path, store: LocalStore) -> None:
    other, *_ = [*(root / INDICES[0]).glob("*.parquet"), *(root / INDICES[0]).glob("*.ndjson")]
    one_day = Query(condition=Like(INDEX_FIELD, (INDICES[1],)))
    reads = "read_parquet" if other.suffix == ".parquet" else "read_text"
    with pytest.raises(StatementError, match="disabled by configuration"):
        rows(store, f"SELECT * FROM {reads}('{other}'), events LIMIT 1", one_day)


SORT = "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY md5(i::VARCHAR || n)) FROM range({}) t(i), events)"


def test_what_does_not_fit_into_memory_is_spilled_into_the_store(root: Path) -> None:
    with closing(LocalStore(root, memory_bytes=64 << 20, threads=1)) as store:
        assert rows(store, SORT.format(500_000)) == [(1_500_000,)]
        with pytest.raises(QueryMemoryError):
            rows(store, "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(1000000), events")
    assert not list(root.glob(".spill-*/*"))


def test_a_timeout(root: Path) -> None:
    with closing(LocalStore(root, threads=1, timeout_s=0.5)) as store, pytest.raises(QueryTimeoutError):
        rows(store, "SELECT count(*) FROM range(1000000000) a, range(1000) b, events WHERE hash(a.range + b.range) = 1")


def test_a_timeout_of_centuries(root: Path) -> None:
    with closing(LocalStore(root, threads=1, timeout_s=1e15)) as store:
        assert rows(store, "SELECT count(*) FROM events") == [(3,)]


def test_an_empty_store(tmp_path: Path) -> None:
    with closing(LocalStore(tmp_path)) as store:
        assert list(store.select("SELECT count(*) FROM events", Query())) == []
        with pytest.raises(StatementError):
            list(store.select("SELEC", Query()))


def test_files_that_are_sealed_meanwhile(tmp_path: Path) -> None:
    """Each statement sees every event once."""
    append(tmp_path, range(3), "w0")

    def seal() -> None:
        for number in range(3):
            append(tmp_path, range(number, number + 1), f"x{number}")
            seal_once(tmp_path, Policy(idle_s=0, small_files=1))

    counts: list[int] = []
    with Background(seal) as sealing, closing(LocalStore(tmp_path, threads=1)) as store:
        while sealing.running or len(counts) < 2:
            ((count, ids),) = rows(store, "SELECT count(n), count(DISTINCT _id) FROM events", limit=10)
            assert ids == 3
            counts.append(count)
    assert counts == sorted(counts)
    assert set(counts) <= {3, 4, 5, 6}


def test_a_damaged_file_is_left_out_and_named(tmp_path: Path) -> None:
    append(tmp_path, range(3), "w0")
    seal_once(tmp_path, Policy(idle_s=0))
    (sealed,) = (tmp_path / INDICES[0]).glob("*.parquet")
    data = bytearray(sealed.read_bytes())
    data[4:200] = bytes(196)
    sealed.write_bytes(data)
    with closing(LocalStore(tmp_path, threads=1)) as store:
        assert rows(store, "SELECT count(level) FROM events", limit=10) == [(2,)]
        (missing,) = store.take_missing()
    assert missing.startswith(f"{INDICES[0]}/{sealed.name} is damaged")


@pytest.mark.parametrize("condition", ["n < 100", "\"@timestamp\" < '2026-11-22 00:00:00.100'"])
def test_rows_that_cannot_meet_a_condition_are_not_read(
    condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by damage: in a file as a whole, and in the first rows of another, which are the newest."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 2048)
    with closing(LocalWriter(tmp_path, "w0")) as writer:
        for index, numbers in ((INDICES[0], range(9000, 12_000)), (INDICES[1], range(3000))):
            documents = [
                json.dumps(
                    {"@timestamp": f"2026-11-22T00:00:{n // 1000:02}.{n % 1000:03}Z", "n": n, "level": f"{n % 9}"}
                )
                for n in numbers
            ]
            writer.append(index, [document.encode() for document in documents], [str(n) for n in numbers])
    seal_once(tmp_path, Policy(idle_s=0))
    for index, groups in ((INDICES[0], (0, 1)), (INDICES[1], (0,))):
        (sealed,) = (tmp_path / index).glob("*.parquet")
        damage_columns(sealed, groups)
    with closing(LocalStore(tmp_path, threads=1)) as store:
        found = rows(store, f"SELECT count(*), sum(n), max(level), min(n) FROM events WHERE {condition}")
        assert found == [(100, 4950, "8", 0)]
        assert store.take_missing() == []


def damage_columns(sealed: Path, groups: tuple[int, ...]) -> None:
    """Make the fields of some row groups of a sealed file unreadable, but not their times."""
    data = bytearray(sealed.read_bytes())
    with duckdb.connect() as connection:
        chunks = connection.execute(
            "SELECT row_group_id, coalesce(dictionary_page_offset, data_page_offset), total_compressed_size "
            f"FROM parquet_metadata('{sealed}') WHERE path_in_schema IN ('n', 'level')"
        ).fetchall()
    for group, start, size in chunks:
        if group in groups:
            data[start : start + size] = bytes(size)
    sealed.write_bytes(data)
