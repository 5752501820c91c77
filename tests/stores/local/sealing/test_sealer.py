import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from ingestd.stores.base import StoreError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.duckdb.column_table import ColumnTable
from ingestd.stores.local.duckdb.session import DuckDBSession, OutOfMemoryError
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.document_columns import MAX_COLUMNS, count_columns
from ingestd.stores.local.sealing.parquet import FEW_COLUMNS, ParquetWriter
from ingestd.stores.local.sealing.sealer import Policy, SealingError, run, seal_once
from ingestd.stores.query import Equal, Query, Range
from tests.stores.local import format_1
from tests.stores.local.damage import zeroed
from tests.threads import Background

pytestmark = pytest.mark.usefixtures("shared_duckdb")

INDEX = "logstash-2026.11.22"
NOW = Policy(idle_s=0)
JOIN = Policy(idle_s=0, small_files=1)


def event(number: int, day: int = 22) -> bytes:
    return b'{"@timestamp":"2026-11-%02dT10:00:%02d.%03dZ","n":%d}' % (day, number // 1000 % 60, number % 1000, number)


def append(root: Path, *documents: bytes, writer_id: str = "w0", prefix: str = "", index: str = INDEX) -> None:
    """Append with a writer of its own; ids are a prefix and a number."""
    writer = LocalWriter(root, writer_id)
    writer.append(index, documents, [f"{prefix}{at}" for at in range(len(documents))])
    writer.close()


def read(root: Path) -> list[tuple[str, bytes]]:
    return sorted((hit.id, hit.document) for hit in LocalStore(root).search(Query(), 0))


def names(root: Path, index: str = INDEX) -> list[str]:
    return sorted(path.name for path in (root / index).iterdir())


def test_sealing_keeps_documents(tmp_path: Path) -> None:
    documents = [
        b'{ "@timestamp":"2026-11-22T10:00:00.000Z",  "a":1.50, "a":2 }',
        rb'{"message":"\uc11c\uc6b8 half \ud83d","o":NaN}',
        '{"message":"서울\\t\\u0000","status_code":"200","tags":["x",null]}'.encode(),
        b'{"big":100000000000000000000000000000000}',
        b"no json",
        b"",
        b'{"nul":"\0"}',
    ]
    append(tmp_path, *documents)
    before = read(tmp_path)
    assert before == [(str(at), document) for at, document in enumerate(documents)]
    (new,) = seal_once(tmp_path, NOW)
    assert (new.sources, new.events) == (("tail-w0-00001.ndjson",), len(documents))
    after = read(tmp_path)
    assert after[:2] + after[3:] == before[:2] + before[3:]
    assert after[2][1] == '{"message":"서울\\t\\u0000","status_code":"200","tags":["x",null]}'.encode()
    assert names(tmp_path) == ["ids-w0-00001.txt", "sealed-00001.parquet", "sealed.json"]


@pytest.mark.sampled
@pytest.mark.parametrize(("share", "sources"), [(2.5, [2, 1]), (2, [2, 1]), (0.1, [1, 1, 1])])
def test_a_file_is_made_of_append_logs_up_to_a_size(tmp_path: Path, share: float, sources: list[int]) -> None:
    """More of them would need more memory than the sealer has; one always fits."""
    for writer_id in ("w0", "w1", "w2"):
        append(tmp_path, event(1), event(2), writer_id=writer_id)
    size = (tmp_path / INDEX / "tail-w0-00001.ndjson").stat().st_size
    sealed = seal_once(tmp_path, Policy(idle_s=0, batch_bytes=int(size * share)))
    assert [len(file.sources) for file in sealed] == sources
    assert len(read(tmp_path)) == 6


def test_columns(tmp_path: Path) -> None:
    """Others read them with DuckDB, pandas or Spark."""
    fields = {
        "level": "INFO",
        "status_code": 200,
        "took": 0.5,
        "tags": ["x"],
        "geoip": {"country_code2": "KR"},
        "id": 7,
    }
    usual = json.dumps({"@timestamp": "2026-11-22T10:00:00.123Z", **fields}).encode()
    append(tmp_path, usual, usual, b'{"level":null,"status_code":"404","took":1.50}')
    seal_once(tmp_path, NOW)
    rows = duckdb.execute(f"SELECT * FROM read_parquet('{tmp_path}/*/*.parquet') ORDER BY id").fetchall()
    names = [name for name, *_ in duckdb.description() or []]
    time = datetime.datetime(2026, 11, 22, 10, 0, 0, 123_000)
    held = {
        "geoip": {"country_code2": "KR"},
        "id_": 7,
        "tags": '["x"]',
        "took": 0.5,
        "level": "INFO",
        "status_code": 200,
    }
    expected = {"@timestamp": time, "id": "1", **held, "rest": None}
    assert dict(zip(names, rows[1], strict=True)) == expected
    none = dict.fromkeys(expected)
    rest = '{"level":null,"status_code":"404","took":1.50}'
    assert dict(zip(names, rows[2], strict=True)) == {**none, "id": "2", "rest": rest}


def test_columns_of_a_file_are_those_of_the_next(tmp_path: Path) -> None:
    """So files can be merged as they are."""
    for number, fields in enumerate([b'"a":1,"b":{"x":1}', b'"a":2', b'"b":{"y":"z"},"c":true', b'"a":4']):
        append(tmp_path, b'{"@timestamp":"2026-11-22T10:00:0%d.000Z",%b}' % (number, fields), prefix=f"{number}-")
        seal_once(tmp_path, NOW)
    before = read(tmp_path)
    columns = [file.columns for file in manifest.load(tmp_path / INDEX).files]
    assert columns[0] == columns[1]
    assert columns[2] == columns[3] == {
        "@timestamp": "TIMESTAMP_MS", "a": "BIGINT", "b": {"x": "BIGINT", "y": "VARCHAR"}, "c": "BOOLEAN"
    }  # fmt: skip
    with mock.patch.object(ParquetWriter, "_write", side_effect=AssertionError):
        seal_once(tmp_path, JOIN)
    [file] = manifest.load(tmp_path / INDEX).files
    assert (file.columns, file.rest) == (columns[3], ())
    assert read(tmp_path) == before


def test_documents_for_which_there_is_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sealed as a whole."""

    def fail(*_: object) -> None:
        raise OutOfMemoryError("cannot seal: Out of Memory Error")

    documents = [b'{"@timestamp":"2026-11-22T10:00:00.%03dZ","n":%d,"x":"%b"}' % (n, n, b"y" * n) for n in range(120)]
    append(tmp_path, *documents)
    before = read(tmp_path)
    monkeypatch.setattr(ColumnTable, "_add_others", fail)
    seal_once(tmp_path, NOW)
    [file] = manifest.load(tmp_path / INDEX).files
    assert (file.columns, file.rest, file.untimed) == ({"@timestamp": "VARCHAR"}, None, 0)
    assert read(tmp_path) == before
    assert LocalStore(tmp_path).count(Query(condition=Range("n", "100", None))) == 20
    assert LocalStore(tmp_path).top("n", Query(), 1)[0].count == 1


def test_files_whose_columns_differ_are_merged(tmp_path: Path) -> None:
    for number, value in enumerate([b"1", b'"1"', b"1.50", b'{"b":null}', b'[1,{"c":2}]']):
        append(tmp_path, b'{"@timestamp":"2026-11-22T10:00:0%d.000Z","a":%b}' % (number, value), prefix=f"{number}-")
        seal_once(tmp_path, NOW)
    before = read(tmp_path)
    assert len({str(file.columns) for file in manifest.load(tmp_path / INDEX).files}) > 2
    seal_once(tmp_path, JOIN)
    [file] = manifest.load(tmp_path / INDEX).files
    assert file.rest == ("a",)
    assert read(tmp_path) == before


def test_newest_first(tmp_path: Path) -> None:
    append(tmp_path, *(event(n) for n in (3, 1, 2)), prefix="a")
    append(tmp_path, event(9), b"{}", prefix="b")
    seal_once(tmp_path, NOW)
    files = f"'{tmp_path}/*/*.parquet'"
    keys = duckdb.execute(f"SELECT id FROM read_parquet({files}, file_row_number=true) ORDER BY ALL").fetchall()
    in_file = duckdb.execute(f"SELECT id FROM read_parquet({files})").fetchall()
    assert len(keys) == len(in_file) == 5
    assert [key for (key,) in in_file] == ["b0", "a0", "a2", "a1", "b1"]


def test_the_manifest_describes_each_file(tmp_path: Path) -> None:
    append(tmp_path, event(1), event(2000), b"{}")
    seal_once(tmp_path, NOW)
    (file,) = manifest.load(tmp_path / INDEX).files
    size = (tmp_path / INDEX / file.name).stat().st_size
    raw = len(event(1)) + len(event(2000)) + 2
    first = 1_795_341_600_001_000
    columns = {"@timestamp": "TIMESTAMP_MS", "n": "BIGINT"}
    checksum = hashlib.sha256((tmp_path / INDEX / file.name).read_bytes()).hexdigest()
    expected = ("sealed-00001.parquet", 3, 1, first, first + 1_999_000, size, raw, columns, checksum, ())
    assert dataclasses.astuple(file) == expected


def test_an_append_log_in_use_is_left_alone(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(INDEX, [event(1)], ["1"])
    assert seal_once(tmp_path, NOW) == []
    writer.close()
    assert seal_once(tmp_path) == []  # just written: its writer may still append to it
    assert len(seal_once(tmp_path, NOW)) == 1


def test_a_writer_rolls_by_size(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0", roll_bytes=100)
    for at in range(6):
        writer.append(INDEX, [event(at)], [f"{at}"])
    append_logs = [name for name in names(tmp_path) if name.startswith("tail")]
    assert append_logs == [f"tail-w0-0000{number}.ndjson" for number in (1, 2, 3, 4, 5, 6)]
    (new,) = seal_once(tmp_path)  # all but the open one: a later log shows that they are closed
    assert new.sources == tuple(append_logs[:-1])
    writer.append(INDEX, [event(7)], ["7"])
    writer.close()
    assert [key for key, _ in read(tmp_path)] == list("0123457")


def test_a_writer_rolls_by_age(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0", roll_seconds=0)
    writer.append(INDEX, [event(1)], ["1"])
    writer.append("other", [event(2)], ["2"])
    (new,) = seal_once(tmp_path, NOW)
    assert new.index == INDEX
    writer.append(INDEX, [event(3)], ["3"])
    writer.close()
    assert names(tmp_path)[-1] == "tail-w0-00002.ndjson"


def test_a_writer_whose_append_log_is_locked_starts_the_next(tmp_path: Path) -> None:
    append(tmp_path, event(1))
    with (tmp_path / INDEX / "tail-w0-00001.ndjson").open("rb") as file:  # as the sealer does
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        append(tmp_path, event(2))
    assert names(tmp_path) == ["tail-w0-00001.ndjson", "tail-w0-00002.ndjson"]


def test_numbers_are_never_reused(tmp_path: Path) -> None:
    for at in range(3):
        append(tmp_path, event(at), prefix=f"{at}-")
        seal_once(tmp_path, NOW)
    assert manifest.load(tmp_path / INDEX).sealed == {"w0": 3}
    assert [key for key, _ in read(tmp_path)] == ["0-0", "1-0", "2-0"]


def test_an_append_log_that_was_sealed_and_not_unlinked_is_not_read(tmp_path: Path) -> None:
    append(tmp_path, event(1))
    body = (tmp_path / INDEX / "tail-w0-00001.ndjson").read_bytes()
    seal_once(tmp_path, NOW)
    (tmp_path / INDEX / "tail-w0-00001.ndjson").write_bytes(body)
    assert len(read(tmp_path)) == LocalStore(tmp_path).indices()[0].events == 1
    append(tmp_path, event(2), prefix="b")
    assert names(tmp_path)[-1] == "tail-w0-00002.ndjson"
    seal_once(tmp_path, NOW)
    assert [key for key, _ in read(tmp_path)] == ["0", "b0"]


def test_small_files_are_merged(tmp_path: Path) -> None:
    policy = Policy(idle_s=0, small_files=3)
    for at in range(4):
        append(tmp_path, event(at), event(50 - at), prefix=f"{at}-")
        merged = seal_once(tmp_path, policy)
    assert [len(new.sources) for new in merged] == [1, 4]
    assert names(tmp_path) == ["ids-w0-00004.txt", "sealed-00005.parquet", "sealed.json"]
    assert len(read(tmp_path)) == LocalStore(tmp_path).count(Query()) == 8


def test_an_unchanged_index_is_merged_into_one_file(tmp_path: Path) -> None:
    for at in range(2):
        append(tmp_path, event(at), prefix=f"{at}-")
        seal_once(tmp_path, NOW)
    assert len(seal_once(tmp_path, Policy(quiet_s=0))) == 1
    assert len(manifest.load(tmp_path / INDEX).files) == 1
    assert seal_once(tmp_path, Policy(quiet_s=0)) == []


def test_large_files_are_not_merged(tmp_path: Path) -> None:
    for at in range(3):
        append(tmp_path, event(at), prefix=f"{at}-")
        seal_once(tmp_path, Policy(idle_s=0, small_bytes=1, small_files=1))
    assert len(manifest.load(tmp_path / INDEX).files) == 3


@pytest.mark.parametrize("versions", [[2, 2, 2], [1, 2, 1]])
def test_large_merges_are_concatenated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: list[int]) -> None:
    monkeypatch.setattr("ingestd.stores.local.sealing.parquet.SORTED_SHARE", 0)
    monkeypatch.setattr("ingestd.stores.local.sealing.document_sources.PART_BYTES", 1)
    for at, version in enumerate(versions):
        append(tmp_path, event(at), event(at + 10), prefix=f"{at}-")
        with format_1.sealed() if version == 1 else contextlib.nullcontext():
            seal_once(tmp_path, Policy(idle_s=0, quiet_s=9e9))
    seal_once(tmp_path, JOIN)
    assert len(manifest.load(tmp_path / INDEX).files) == 1
    ids = [hit.id for hit in LocalStore(tmp_path).search(Query())]
    assert ids == ["2-1", "1-1", "0-1", "2-0", "1-0", "0-0"]


def test_unreadable_lines_are_kept_in_a_separate_file(tmp_path: Path) -> None:
    append(tmp_path, event(1), event(2))
    append_log = tmp_path / INDEX / "tail-w0-00001.ndjson"
    bad = [b'{"not":"\xff"}\t\n', b"no tab\n", b'{"two":\t"tabs"}\t"1"\n']
    append_log.write_bytes(b"".join([bad[0], append_log.read_bytes(), *bad[1:]]))
    (new,) = seal_once(tmp_path, NOW)
    assert new.events == len(read(tmp_path)) == 2
    assert (tmp_path / INDEX / "tail-w0-00001.unreadable").read_bytes() == b"".join(bad)


def test_an_incomplete_last_line_is_kept_in_a_separate_file(tmp_path: Path) -> None:
    append(tmp_path, event(1))
    append_log = tmp_path / INDEX / "tail-w0-00001.ndjson"
    size = append_log.stat().st_size
    append_log.write_bytes(append_log.read_bytes() + b'{"half')
    seal_once(tmp_path, NOW)
    assert (tmp_path / INDEX / f"tail-w0-00001.torn-{size}").read_bytes() == b'{"half'
    assert len(read(tmp_path)) == 1


def test_last_ids_without_those_that_are_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path, event(1), event(2), event(3), prefix="a")
    [append_log] = (tmp_path / INDEX).glob("tail-*")
    append_log.write_bytes(append_log.read_bytes().replace(b'"a1"', b'"a\x01"'))
    writer = LocalWriter(tmp_path, "w0")
    assert writer.last_ids(INDEX, 1 << 20) == {"a0", "a2"}
    assert "cannot be read and are skipped" in caplog.text
    writer.close()


def test_last_ids_of_sealed_append_logs(tmp_path: Path) -> None:
    """After a crash the last events arrive again; they may have been sealed and merged meanwhile."""
    append(tmp_path, event(1), event(2), prefix="a")
    append(tmp_path, event(1), prefix="other", writer_id="w1")
    seal_once(tmp_path, JOIN)
    append(tmp_path, event(3), prefix="b")
    seal_once(tmp_path, JOIN)
    append(tmp_path, event(4), prefix="c")
    writer = LocalWriter(tmp_path, "w0")
    assert writer.last_ids(INDEX, 1 << 20) == {"a0", "a1", "b0", "c0"}
    line = len(event(1)) + len('\t"a0"\n')
    assert writer.last_ids(INDEX, 2 * line) == {"b0", "c0"}
    assert writer.last_ids("another", 1 << 20) == set()
    writer.close()


def test_one_process_seals(tmp_path: Path) -> None:
    append(tmp_path, event(1))
    with (tmp_path / ".sealer.lock").open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process seals"):
            seal_once(tmp_path, NOW)


def test_a_missing_store_is_not_created(tmp_path: Path) -> None:
    assert seal_once(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    append(tmp_path, event(1), index="a")
    append(tmp_path, event(1), index="b")
    (tmp_path / "a" / "sealed.json").write_text('{"version":3}')
    with pytest.raises(StoreError, match="newer version"):
        seal_once(tmp_path, NOW)
    assert names(tmp_path, "b")[-1] == "sealed.json"


def sealing(root: Path) -> Background:
    """A sealer that never rests."""
    stop = threading.Event()
    return Background(lambda: run(root, stop, interval_s=0, policy=JOIN), stop.set)


def test_files_of_older_versions_are_rewritten(tmp_path: Path) -> None:
    with format_1.sealed():
        for at in range(3):
            append(tmp_path, *(event(number) for number in range(50 * at, 50 * at + 50)), prefix=f"{at}-")
            seal_once(tmp_path, NOW)
    before, listed = read(tmp_path), manifest.load(tmp_path / INDEX)
    assert [isinstance(file.columns, tuple) for file in listed.files] == [True] * 3
    append(tmp_path, event(1), index="other")
    assert [new.index for new in seal_once(tmp_path, NOW)] == ["other"]  # first whatever is due
    for number in (3, 2, 1):
        assert [new.sources for new in seal_once(tmp_path, NOW)] == [(f"sealed-0000{number}.parquet",)]
    LocalStore(tmp_path).delete("other")
    after = manifest.load(tmp_path / INDEX)
    assert [file.columns for file in after.files] == [{"@timestamp": "TIMESTAMP_MS", "n": "BIGINT"}] * 3
    assert read(tmp_path) == before
    assert sum(file.raw_bytes for file in after.files) == sum(file.raw_bytes for file in listed.files)
    assert seal_once(tmp_path, NOW) == []


def test_a_damaged_file_of_an_older_version_is_left_alone(tmp_path: Path) -> None:
    with format_1.sealed():
        for at in range(2):
            append(tmp_path, *(event(number) for number in range(500)), prefix=f"{at}-")
            seal_once(tmp_path, NOW)
    zeroed(tmp_path / INDEX / "sealed-00002.parquet")
    assert [new.sources for new in seal_once(tmp_path, NOW)] == [("sealed-00001.parquet",)]
    with pytest.raises(SealingError, match=r"sealed-00002\.parquet does not have its checksum"):
        seal_once(tmp_path, NOW)
    assert names(tmp_path)[1:] == ["sealed-00002.parquet", "sealed-00003.parquet", "sealed.json"]


def test_queries_carry_on_while_files_are_rewritten(tmp_path: Path) -> None:
    with format_1.sealed():
        for at in range(8):
            append(tmp_path, *(event(number) for number in range(100 * at, 100 * at + 100)), prefix=f"{at}-")
            seal_once(tmp_path, NOW)
    store = LocalStore(tmp_path, threads=1)
    stop = threading.Event()
    rewriting = Background(lambda: run(tmp_path, stop, interval_s=0, policy=NOW), stop.set)
    with rewriting:
        while any(isinstance(file.columns, tuple) for file in manifest.load(tmp_path / INDEX).files):
            assert store.count(Query(condition=Range("n", "0", None))) == 800
            assert [json.loads(hit.document)["n"] for hit in store.search(Query(), 20)] == list(range(799, 779, -1))
            assert store.top("n", Query(), 1)[0].count == 1
            assert store.take_missing() == []


def test_queries_and_writers_carry_on_during_sealing(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0", roll_bytes=2000)
    writer.append(INDEX, [event(0)], ["0"])

    def write() -> None:
        for at in range(1, 300):
            writer.append(INDEX, [event(at)], [f"{at}"])

    counts: list[int] = []
    store = LocalStore(tmp_path, threads=1)
    with sealing(tmp_path), Background(write) as writing:
        while writing.running or len(counts) < 20:
            counts.append(store.count(Query()))
            hits = [hit.id for hit in store.search(Query(), 20)]
            assert len(set(hits)) == len(hits) == min(20, len(hits))
        writing.join()
    writer.close()
    assert counts == sorted(counts)
    assert sorted(int(key) for key, _ in read(tmp_path)) == list(range(300))
    assert len(manifest.load(tmp_path / INDEX).files) >= 1


def test_deleting_while_others_write_read_and_seal(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0", roll_bytes=500)
    store = LocalStore(tmp_path, threads=1)
    with sealing(tmp_path):
        for at in range(200):
            writer.append(INDEX, [event(at)], [f"{at}"])
            if at % 20 == 10:
                store.delete(INDEX)
            if at % 20 == 5:
                assert store.count(Query(condition=Equal("n", str(at)))) == 1
    writer.close()
    assert sorted(int(key) for key, _ in read(tmp_path)) == list(range(191, 200))
    store.delete(INDEX)
    store.delete(INDEX)
    store.delete("../" + tmp_path.name)
    assert store.indices() == []
    seal_once(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == []


def test_ids_are_read_as_older_versions_wrote_them(tmp_path: Path) -> None:
    append(tmp_path, b"{}", b"{}", prefix="a")
    seal_once(tmp_path, NOW)
    file = tmp_path / INDEX / "ids-w0-00001.txt"
    plain = b'7\t"a0"\n8\t"a1"\n'
    assert file.read_bytes() != plain
    file.write_bytes(plain)
    append(tmp_path, b"{}", prefix="b")
    writer = LocalWriter(tmp_path, "w0")
    assert writer.last_ids(INDEX, 1 << 20) == {"a0", "a1", "b0"}
    writer.close()
    seal_once(tmp_path, NOW)
    writer = LocalWriter(tmp_path, "w0")
    assert writer.last_ids(INDEX, 1 << 20) == {"a0", "a1", "b0"}
    writer.close()


def test_only_files_of_similar_size_are_merged(tmp_path: Path) -> None:
    """So an event is not written again for each new file; an index that rests gets a single file all the same."""
    policy = Policy(idle_s=0, small_files=3)
    append(tmp_path, *(event(n) for n in range(3000)), prefix="large-")
    seal_once(tmp_path, policy)
    for at in range(3):
        append(tmp_path, event(at), event(50 - at), prefix=f"{at}-")
        merged = seal_once(tmp_path, policy)
    assert [len(new.sources) for new in merged] == [1, 3]
    assert [file.events for file in manifest.load(tmp_path / INDEX).files] == [3000, 6]
    seal_once(tmp_path, Policy(quiet_s=0))
    assert [file.events for file in manifest.load(tmp_path / INDEX).files] == [3006]


def test_fewer_append_logs_go_into_a_file_if_all_take_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ColumnTable.add

    def add(table: ColumnTable, source: str) -> None:
        if "tail-w1" in source and "tail-w0" in source:
            raise OutOfMemoryError("cannot seal: Out of Memory Error")
        usual(table, source)

    for writer_id in ("w0", "w1", "w2"):
        append(tmp_path, event(1), event(2), writer_id=writer_id)
    monkeypatch.setattr(ColumnTable, "add", add)
    assert [len(file.sources) for file in seal_once(tmp_path, NOW)] == [1, 2]
    assert len(read(tmp_path)) == 6


def test_files_with_more_columns_than_one_may_have_are_merged_by_how_many_events_have_them(tmp_path: Path) -> None:
    for number in range(2):
        fields = {f"f{number}_{at:03}": at for at in range(100)} | {"common": number, "nested": {f"m{number}": 1}}
        documents = [json.dumps({"@timestamp": "2026-11-22T10:00:00.123Z", **fields, "kind": "x"}).encode()]
        append(tmp_path, *documents * (number + 1), prefix=f"{number}-")
        seal_once(tmp_path, NOW)
    before = [(key, json.loads(document)) for key, document in read(tmp_path)]
    with mock.patch.object(ParquetWriter, "_write", side_effect=AssertionError):
        seal_once(tmp_path, JOIN)
    [file] = manifest.load(tmp_path / INDEX).files
    assert isinstance(file.columns, dict)
    assert count_columns(file.columns) == MAX_COLUMNS
    assert {"common", "kind", *(f"f1_{at:03}" for at in range(100))} < file.columns.keys()
    assert file.rest is not None
    assert set(file.rest) <= {f"f0_{at:03}" for at in range(100)} | {"nested"}
    assert [(key, json.loads(document)) for key, document in read(tmp_path)] == before


def test_documents_of_many_megabytes_are_sealed(tmp_path: Path) -> None:
    """Lines are first read with small buffers."""
    large = b'{"n":1,"x":"%b"}' % (b"y" * (3 << 20))
    append(tmp_path, event(1), large, event(2))
    (new,) = seal_once(tmp_path, NOW)
    assert new.events == 3
    assert not list(tmp_path.glob("*/*.unreadable"))
    assert large in [document for _, document in read(tmp_path)]


def test_wide_documents_for_which_there_is_too_little_memory_get_fewer_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ColumnTable.add

    def add(table: ColumnTable, source: str) -> None:
        if count_columns(table._columns) > FEW_COLUMNS:
            raise OutOfMemoryError("cannot seal: Out of Memory Error")
        usual(table, source)

    append(tmp_path, json.dumps({f"f{at:03}": at for at in range(100)}).encode())
    before = read(tmp_path)
    monkeypatch.setattr(ColumnTable, "add", add)
    seal_once(tmp_path, NOW)
    [file] = manifest.load(tmp_path / INDEX).files
    assert isinstance(file.columns, dict)
    assert count_columns(file.columns) == FEW_COLUMNS
    assert [(key, json.loads(text)) for key, text in read(tmp_path)] == [
        (key, json.loads(text)) for key, text in before
    ]


def test_files_that_take_too_much_memory_to_sort_are_concatenated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(2):
        append(tmp_path, event(at), event(at + 10), prefix=f"{at}-")
        seal_once(tmp_path, NOW)
    usual = DuckDBSession.run

    def run(session: DuckDBSession, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if sql.startswith("COPY") and "ORDER BY" in sql:
            raise OutOfMemoryError("cannot seal: Out of Memory Error")
        return usual(session, sql, parameters)

    monkeypatch.setattr(DuckDBSession, "run", run)
    seal_once(tmp_path, JOIN)
    assert len(manifest.load(tmp_path / INDEX).files) == 1
    assert len(read(tmp_path)) == 4
