import csv
import datetime
import io
import json
from pathlib import Path

import duckdb
import pytest

from ingestd.stores.base import StoreError
from ingestd.stores.export import formats as export_formats
from ingestd.stores.local import LocalWriter, store_root
from tests.cli.reading import DOCUMENTS, fill, run

pytestmark = pytest.mark.usefixtures("shared_duckdb")


def test_ndjson_is_byte_for_byte(data_dir: Path) -> None:
    result = run("export", data_dir=data_dir)
    assert result.stdout_bytes.splitlines() == DOCUMENTS[::-1]


def test_days_and_ranges(data_dir: Path) -> None:
    arguments = ["--since", "2026-11-21T10:00:00Z", "--until", "2026-11-22T10:00:02Z"]
    assert run("export", *arguments, data_dir=data_dir).stdout_bytes.splitlines() == DOCUMENTS[2::-1]
    arguments[1] = "2026-11-21T10:00:00.001Z"
    assert run("export", *arguments, data_dir=data_dir).stdout_bytes.splitlines() == DOCUMENTS[2:0:-1]


def test_events_without_a_time_are_exported_too(tmp_path: Path) -> None:
    fill(tmp_path)
    writer = LocalWriter(store_root(tmp_path), "w1")
    writer.append("logstash-2026.11.22", [b'{"message":"when?"}'], ["x"])
    writer.close()
    assert run("export", data_dir=tmp_path).stdout_bytes.splitlines() == [*DOCUMENTS[::-1], b'{"message":"when?"}']


def test_to_a_file(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.ndjson"
    result = run("export", "--level", "WARNING", "--output", str(target), data_dir=data_dir)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"2 events written to {target}\n"
    assert target.read_bytes().splitlines() == DOCUMENTS[:2:-1]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_replaced_only_if_asked(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("mine")
    result = run("export", "--output", str(target), data_dir=data_dir)
    assert (result.exit_code, target.read_text()) == (1, "mine")
    assert result.stderr == f"error: {target} exists; replace it with --overwrite, or choose another name\n"
    assert run("export", "--output", str(target), "--overwrite", data_dir=data_dir).exit_code == 0
    assert target.read_text("utf-8").startswith("@timestamp,level")


def test_csv_for_korean_excel(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    arguments = ["--fields", "search_word", "--bom", "--output", str(target)]
    assert run("export", *arguments, data_dir=data_dir).exit_code == 0
    assert target.read_bytes().startswith("\ufeffsearch_word\r\n".encode())
    refused = run("export", "--format", "ndjson", "--bom", data_dir=data_dir)
    assert (refused.exit_code, "only CSV has a byte order mark" in refused.stderr) == (2, True)


def test_a_key_that_stands_twice_has_the_value_that_queries_find(tmp_path: Path) -> None:
    writer = LocalWriter(store_root(tmp_path), "w0")
    document = b'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"INFO","level":"ERROR","x":1,"x":{"y":2,"y":3}}'
    writer.append("logstash-2026.11.22", [document], ["a"])
    writer.close()
    target = tmp_path / "x.parquet"
    assert run("export", "--output", str(target), data_dir=tmp_path).exit_code == 0
    columns = duckdb.execute(f"SELECT level, \"x.y\"::VARCHAR FROM '{target}'").fetchall()
    assert columns == [("ERROR", "3")]
    exported = run("export", "--format", "csv", "--fields", "level,x.y", "level:ERROR", "x.y:3", data_dir=tmp_path)
    assert exported.stdout_bytes == b"level,x.y\r\nERROR,3\r\n"


def test_ndjson_of_some_fields(data_dir: Path) -> None:
    result = run("export", "--fields", "level, status_code", "--level", "WARNING", data_dir=data_dir)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert found == [{"level": "WARNING", "status_code": 404}, {"level": "ERROR"}]


def test_csv_has_all_fields_that_are_found(data_dir: Path) -> None:
    rows = list(csv.reader(io.StringIO(run("export", "--format", "csv", data_dir=data_dir).stdout_bytes.decode())))
    assert rows[0] == ["@timestamp", "level", "message", "search_word", "stack_trace", "status_code"]
    assert rows[1] == ["2026-11-22T10:00:03.000Z", "WARNING", "half \ufffd", "", "", "404"]
    assert rows[2][4] == "one\n  two"
    assert [row[3] for row in rows[3:]] == ["서울", "부산 여행", "서울"]


def test_csv_of_some_fields(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "words.CSV"
    assert run("export", "--fields", "search_word,nope", "-o", str(target), data_dir=data_dir).exit_code == 0
    assert target.read_bytes().splitlines()[:2] == [b"search_word,nope", b","]


def test_parquet_has_types(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "it's.parquet"
    assert run("export", "--output", str(target), data_dir=data_dir).exit_code == 0
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(target).replace("'", "?"))  # any one character
        kinds = dict(zip(table.columns, map(str, table.types), strict=True))
        first = table.aggregate('epoch_ms(min("@timestamp"))').fetchall()
        rows = table.project("level, message, search_word, status_code").fetchall()
    assert kinds["status_code"] == "BIGINT"
    assert kinds["@timestamp"] == "TIMESTAMP WITH TIME ZONE"
    assert (rows[0][3], rows[-1]) == (404, ("INFO", "GET /s", "서울", None))
    assert first == [(int(datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC).timestamp() * 1000),)]
    assert list(tmp_path.iterdir()) == [target]


def test_a_store_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the store is gone")

    monkeypatch.setitem(export_formats.WRITERS, "ndjson", fail)
    target = tmp_path / "x"
    target.write_bytes(b"before")
    result = run("export", "-o", str(target), "--overwrite", data_dir=tmp_path / "data")
    assert (result.exit_code, result.stderr) == (1, "error: the store is gone\n")
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_is_not_there(data_dir: Path, tmp_path: Path) -> None:
    result = run("export", "-o", str(tmp_path / "no" / "x"), data_dir=data_dir)
    assert result.exit_code == 1
    assert result.stderr.endswith("No such file or directory\n")


ODD_KEYS = [  # id, document, its columns, its values, the name of the first column in Parquet
    ("open_bracket", {"[foo": 1}, ["[foo"], ["1"], "[foo"),
    ("close_bracket", {"foo]": 1}, ["foo]"], ["1"], "foo]"),
    ("reference", {"[foo]": 1}, ["[foo]"], ["1"], "[foo]"),
    ("bracket_inside", {"a[b": "x"}, ["a[b"], ["x"], "a[b"),
    ("in_an_object", {"[a": {"b]": 2}}, ["[a.b]"], ["2"], "[a.b]"),
    ("empty", {"": 1}, [""], ["1"], "_"),
    ("empty_in_an_object", {"a": {"": 1}}, ["a."], ["1"], "a."),
    ("empty_and_underscore", {"": 1, "_": 2}, ["", "_"], ["1", "2"], "_"),
    ("quotes", {'"': 1}, ['"'], ["1"], '"'),
    ("dots", {"..": 1}, [".."], ["1"], ".."),
    ("blank", {" ": 1}, [" "], ["1"], " "),
]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("document", "columns", "values", "in_parquet"), [c[1:] for c in ODD_KEYS], ids=[c[0] for c in ODD_KEYS]
)
def test_odd_keys(
    tmp_path: Path, document: dict[str, object], columns: list[str], values: list[str], in_parquet: str
) -> None:
    writer = LocalWriter(store_root(tmp_path), "w0")
    writer.append("logstash-2026.11.22", [json.dumps(document).encode(), b'{"message":"other"}'], ["1", "0"])
    writer.close()
    table = list(csv.reader(io.StringIO(run("export", "--format", "csv", data_dir=tmp_path).stdout)))
    assert table == [["message", *columns], ["", *values], ["other", *[""] * len(columns)]]
    target = tmp_path / "x.parquet"
    assert run("export", "--output", str(target), data_dir=tmp_path).exit_code == 0
    found = duckdb.read_parquet(str(target))
    assert found.columns[:2] == ["message", in_parquet]
    assert [list(map(str, row[1:])) for row in found.fetchall()] == [values, ["None"] * len(columns)]
