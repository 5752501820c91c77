import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.base import IndexInfo, LogStore, StoreError, TopValue
from ingestd.stores.index_names import day_of
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.append_logs.writer import _MAX_BYTES
from ingestd.stores.local.index.layout import IndexFolder
from ingestd.stores.local.query.planning import FileLister
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Condition, Equal, Query, Text, level_at_least
from tests.random_cases import random_cases, sampled
from tests.threads import Background

pytestmark = pytest.mark.usefixtures("shared_duckdb")

TRACE = 'Traceback (most recent call last):\n  File "views.py", line 7\nZeroDivisionError: 0으로 나눔'

EVENTS: dict[str, dict[str, Any]] = {
    "a": {"@timestamp": "2026-11-20T23:59:59.999Z", "level": "INFO", "message": "GET /a", "status_code": 200},
    "b": {"@timestamp": "2026-11-21T10:00:00.000Z", "level": "WARNING", "message": "Not Found: /b", "status_code": 404},
    "c": {"@timestamp": "2026-11-21T10:00:00.000123Z", "level": "Error", "message": "x", "stack_trace": TRACE},
    "d": {"@timestamp": "2026-11-22T09:00:00.000Z", "level": "INFO", "message": "서울 맛집", "tags": ["x", "y", "x"]},
    "e": {"@timestamp": "2026-11-22T10:00:00.500Z", "level": "DEBUG", "message": 'a "b" c', "http": {"path": "/서울"}},
    "f": {"@timestamp": "2026-11-22T10:00:01.000Z", "level": "fatal", "message": "100%_\\", "a.b": "dotted"},
    "g": {"@timestamp": "2026-11-22T10:00:02.000Z", "message": "no level", "status_code": "200", "tags": "x"},
    "h": {"@timestamp": "2026-11-22T10:00:03.000Z", "level": "NOTICE", "a": {"b": "nested"}, "o'k": 'it\'s "so"'},
    "i": {"@timestamp": "2026-11-22T10:00:04.000Z", "size": 1.5, "ok": True, "none": None, "empty": "", "tags": []},
}


def fill(root: Path, documents: dict[str, bytes], index_of: dict[str, str]) -> None:
    writer = LocalWriter(root, "w0")
    for key, document in documents.items():
        writer.append(index_of[key], [document], [key])
    writer.close()


STATES = ["utf8-append_logs", "escaped-append_logs", "utf8-sealed", "escaped-joined", "utf8-mixed"]


@pytest.fixture(scope="module", params=STATES)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of EVENTS, as orjson writes them or ASCII-escaped as the handlers send them, sealed or not."""
    folder = tmp_path_factory.mktemp("store")
    encoding, state = request.param.split("-")
    joining = Policy(idle_s=0, small_files=1 if state == "joined" else 99)
    for at, (key, event) in enumerate(EVENTS.items()):
        day = event["@timestamp"][:10].replace("-", ".")
        document = json.dumps(event, ensure_ascii=encoding == "escaped").encode()
        fill(folder, {key: document}, {key: f"logstash-{day}"})
        if state == "joined" or (state == "mixed" and at % 3 == 1):
            seal_once(folder, joining)
    if state == "sealed":
        seal_once(folder, joining)
    left = sum(1 for _ in folder.glob("*/tail*"))
    assert (left == 0) is (state in {"sealed", "joined"})
    return folder


def test_an_index_that_is_deleted_meanwhile_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {"a": b"{}", "b": b"{}"}, {"a": "x", "b": "y"})
    store, contents = LocalStore(tmp_path), FileLister._contents

    def deleted(lister: FileLister, folder: IndexFolder, choose: Any) -> Any:
        found = contents(lister, folder, choose)
        if folder.index == "x":
            store.delete("x")
        return found

    monkeypatch.setattr(FileLister, "_contents", deleted)
    assert [info.index for info in store.indices()] == ["y"]


def ask(
    since: str | None = None,
    until: str | None = None,
    level: str | None = None,
    text: str | None = None,
    fields: tuple[tuple[str, str], ...] = (),
    where: tuple[Condition, ...] = (),
) -> Query:
    parts = [*where, *(Equal(*pair) for pair in fields)]
    parts += [level_at_least(level)] if level else []
    parts += [Text(text)] if text else []
    return Query(since, until, And(tuple(parts)) if parts else None)


def read(store: LogStore, query: Query, limit: int = 50) -> list[bytes]:
    return [hit.document for hit in store.search(query, limit)]


def found(store: LogStore, query: Query, limit: int = 50) -> str:
    """Return the keys of the events that a query finds."""
    keys = {json.dumps(event, sort_keys=True): key for key, event in EVENTS.items()}
    return "".join(keys[json.dumps(json.loads(document), sort_keys=True)] for document in read(store, query, limit))


QUERIES = [  # id, query, keys of the events found, newest first
    ("all", ask(), "ihgfedcba"),
    ("since_is_inclusive", ask(since="2026-11-22T10:00:00.500Z"), "ihgfe"),
    ("until_is_exclusive", ask(until="2026-11-22T10:00:00.500Z"), "dcba"),
    ("range", ask(since="2026-11-21T10:00:00.000Z", until="2026-11-22T10:00:01Z"), "edcb"),
    ("range_between_digits", ask(since="2026-11-21T10:00:00.0001Z", until="2026-11-21T10:00:00.0002Z"), "c"),
    ("range_ends_before_digits", ask(since="2026-11-21T10:00:00Z", until="2026-11-21T10:00:00.000123Z"), "b"),
    ("range_of_ten_minutes", ask(since="2026-11-22T09:00:00Z", until="2026-11-22T09:10:00Z"), "d"),
    ("range_inside_out", ask(since="2026-11-22T09:00:00Z", until="2026-11-21T09:10:00Z"), ""),
    ("range_of_no_index", ask(since="2027-11-22T09:00:00Z"), ""),
    ("level_and_above", ask(level="WARNING"), "fcb"),
    ("level_in_lower_case", ask(level="warn"), "fcb"),
    ("level_highest", ask(level="CRITICAL"), "f"),
    ("level_lowest", ask(level="DEBUG"), "fedcba"),
    ("level_of_another_name", ask(level="notice"), "h"),
    ("level_of_no_event", ask(level="o'clock"), ""),
    ("level_of_one_letter", ask(level="E"), ""),
    ("text", ask(text="get /a"), "a"),
    ("text_of_any_case", ask(text="not found"), "b"),
    ("text_in_stack_trace", ask(text="zerodivision"), "c"),
    ("text_over_a_line_end", ask(text="line 7\nZero"), "c"),
    ("text_over_both_fields", ask(text="xTraceback"), ""),
    ("text_of_one_syllable", ask(text="눔"), "c"),
    ("text_korean", ask(text="울 맛"), "d"),
    ("text_punctuation_is_one", ask(text="a - b"), "e"),
    ("text_is_no_pattern", ask(text="1.0"), ""),
    ("text_without_words", ask(text="%_\\"), ""),
    ("text_of_other_fields", ask(text="nested"), ""),
    ("text_and_level", ask(text="a", level="ERROR"), "c"),
    ("field_number", ask(fields=(("status_code", "404"),)), "b"),
    ("field_number_and_text", ask(fields=(("status_code", "200"),)), "ga"),
    ("field_float", ask(fields=(("size", "1.50"),)), "i"),
    ("field_true", ask(fields=(("ok", "true"),)), "i"),
    ("field_array", ask(fields=(("tags", "x"),)), "gd"),
    ("field_korean", ask(fields=(("[http][path]", "/서울"),)), "e"),
    ("field_dots", ask(fields=(("http.path", "/서울"),)), "e"),
    ("field_dotted_name", ask(fields=(("a.b", "dotted"),)), "f"),
    ("field_nested", ask(fields=(("a.b", "nested"),)), "h"),
    ("field_quotes", ask(fields=(("o'k", 'it\'s "so"'),)), "h"),
    ("field_of_no_event", ask(fields=(("nope", "x"),)), ""),
    ("field_partly", ask(fields=(("message", "GET"),)), ""),
    ("fields", ask(fields=(("status_code", "200"), ("tags", "x"))), "g"),
]


SOME_QUERIES = sampled(QUERIES, usual=4)


@pytest.mark.parametrize(("query", "keys"), [c[1:] for c in SOME_QUERIES], ids=[c[0] for c in SOME_QUERIES])
def test_search(query: Query, keys: str, root: Path) -> None:
    assert found(LocalStore(root), query) == keys
    assert LocalStore(root).count(query) == len(keys)


@pytest.mark.parametrize("limit", sampled([1, 2, 8, 10, 10**9, 0]))
def test_limit(limit: int, root: Path) -> None:
    assert found(LocalStore(root), Query(), limit) == "ihgfedcba"[: limit or None]


TOPS = [  # id, field, since, n, values and counts
    ("text", "level", None, 2, [("INFO", 2), ("DEBUG", 1)]),
    ("number_and_text", "status_code", None, 9, [("200", 1), (200, 1), (404, 1)]),
    ("array", "tags", None, 9, [("x", 2), ("y", 1)]),
    ("nested", "[http][path]", None, 9, [("/서울", 1)]),
    ("dots", "a.b", None, 9, [("dotted", 1), ("nested", 1)]),
    ("float", "size", None, 9, [(1.5, 1)]),
    ("boolean", "ok", None, 9, [(True, 1)]),
    ("null", "none", None, 9, []),
    ("empty", "empty", None, 9, []),
    ("object", "http", None, 9, []),
    ("unknown", "nope", None, 9, []),
    ("range", "level", "2026-11-22T10:00:00Z", 9, [("DEBUG", 1), ("NOTICE", 1), ("fatal", 1)]),
]


SOME_TOPS = sampled(TOPS, usual=2)


@pytest.mark.parametrize(("field", "since", "n", "expected"), [c[1:] for c in SOME_TOPS], ids=[c[0] for c in SOME_TOPS])
def test_top(field: str, since: str | None, n: int, expected: list[tuple[Any, int]], root: Path) -> None:
    values = LocalStore(root).top(field, Query(since), n)
    assert [(top.value, type(top.value), top.count) for top in values] == [(v, type(v), count) for v, count in expected]


def test_indices(root: Path) -> None:
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in sorted(root.glob("logstash*"))]
    names = ["logstash-2026.11.20", "logstash-2026.11.21", "logstash-2026.11.22"]
    expected = [IndexInfo(name, day_of(name), n, size) for name, n, size in zip(names, [1, 2, 6], sizes, strict=True)]
    assert LocalStore(root).indices() == expected


def test_a_store_that_does_not_exist_is_empty_and_not_created(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "no" / "store")
    assert (store.indices(), read(store, Query()), store.top("level", Query())) == ([], [], [])
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_field_is_an_error(root: Path) -> None:
    with pytest.raises(StoreError, match="invalid field reference"):
        LocalStore(root).top("[a", Query())


def test_a_limit_cannot_be_negative(root: Path) -> None:
    with pytest.raises(ValueError, match="limit"):
        LocalStore(root).search(Query(), -1)


def test_a_query_that_needs_too_much_memory_is_an_error(root: Path) -> None:
    with pytest.raises(StoreError, match="memory"):
        LocalStore(root, memory_bytes=1 << 20).top("level", Query())


def test_other_folders_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path, {"1": b'{"a":1}'}, {"1": "x"})
    (tmp_path / "lost+found X").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "x" / "notes.txt").write_text('{"a":2}\t\n')
    assert [info.index for info in LocalStore(tmp_path).indices()] == ["x"]
    assert read(LocalStore(tmp_path), ask()) == [b'{"a":1}']


def test_an_index_without_a_day_is_always_read(tmp_path: Path) -> None:
    event = b'{"@timestamp":"2026-11-22T10:00:00.000Z","n":1}'
    older = b'{"@timestamp":"2026-11-21T10:00:00.000Z","n":2}'
    fill(tmp_path, {"1": older, "2": event}, {"1": "logstash-2026.11.21", "2": "audit"})
    query = ask(since="2026-11-21T00:00:00Z", until="2026-11-23T00:00:00Z")
    assert read(LocalStore(tmp_path), query, 1) == [event]


def test_days_of_any_time_zone_are_found(tmp_path: Path) -> None:
    """08:00 in Seoul is in the index of that day there, but in UTC it is the day before."""
    event = b'{"@timestamp":"2026-11-21T23:00:00.000Z"}'
    fill(tmp_path, {"1": event}, {"1": "logstash-2026.11.22"})
    query = ask(since="2026-11-21T22:00:00Z", until="2026-11-21T23:30:00Z")
    assert read(LocalStore(tmp_path), query) == [event]


def test_a_folder_with_signs_of_patterns(tmp_path: Path) -> None:
    root = tmp_path / "it's [a]*?"
    fill(root, {"1": b'{"a":1}'}, {"1": "x"})
    assert read(LocalStore(root), Query()) == [b'{"a":1}']


ODD = {  # each is a line that must not affect other lines
    "no_json": b"GET / HTTP/1.1",
    "half_json": b'{"level":"ERROR","message":"half',
    "nul": b'{"level":"ERROR","message":"\0"}',
    "not_utf8": b'{"level":"ERROR","message":"\xff"}',
    "array": b"[1]",
    "empty": b"",
    "deep": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("odd", sampled(list(ODD)))
@pytest.mark.parametrize(
    "query", [ask(), ask(level="INFO"), ask(text="whole"), ask(fields=(("level", "INFO"),))], ids=str
)
def test_no_document_affects_the_others(odd: str, query: Query, tmp_path: Path) -> None:
    whole = b'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"INFO","message":"whole"}'
    writer = LocalWriter(tmp_path, "w0")
    writer.append("x", [ODD[odd], whole, ODD[odd]])
    writer.close()
    assert read(LocalStore(tmp_path), query)[0] == whole
    assert LocalStore(tmp_path).top("level", Query())[0].value in {"INFO", "ERROR"}


def test_a_lone_surrogate_hides_no_document(tmp_path: Path) -> None:
    document = rb'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"ERROR","message":"half \ud83d emoji","o":NaN}'
    fill(tmp_path, {"1": document}, {"1": "x"})
    store = LocalStore(tmp_path)
    query = ask(since="2026-11-22T00:00:00Z", level="ERROR", text="emoji", fields=(("level", "ERROR"),))
    assert read(store, query) == [document]
    assert store.top("message", Query()) == [TopValue("half \ufffd emoji", 1)]
    assert store.top("o", Query()) == []


def test_the_longest_documents_can_be_read(tmp_path: Path) -> None:
    longest = b'{"a":"' + b"x" * (_MAX_BYTES - 8) + b'"}'
    assert len(longest) == _MAX_BYTES
    documents = [b'{"n":1}', longest, b'{"n":2}', longest, longest, b'{"n":3}']
    writer = LocalWriter(tmp_path, "w0")
    for at, document in enumerate(documents):
        writer.append("x", [document], [str(at)])
    writer.close()
    assert read(LocalStore(tmp_path), ask()) == documents[::-1]


LAST = '{"@timestamp":"2026-11-22T10:00:01.000Z","message":"서울"}\t"2"\n'.encode()


@pytest.mark.parametrize("cut", sampled(range(len(LAST) + 1), usual=2))
def test_a_line_that_is_being_appended_is_seen_or_not(cut: int, tmp_path: Path) -> None:
    first = b'{"@timestamp":"2026-11-22T10:00:00.000Z","message":"one"}'
    fill(tmp_path, {"1": first}, {"1": "x"})
    with (tmp_path / "x/tail-w0-00001.ndjson").open("ab") as append_log:
        append_log.write(LAST[:cut])
    expected = [LAST.partition(b"\t")[0], first] if cut > LAST.index(b"\t") else [first]
    assert read(LocalStore(tmp_path), Query()) == expected


def test_queries_while_a_writer_appends(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    document = b'{"@timestamp":"2026-11-22T10:00:00.000Z","message":"' + b"x" * 500 + b'"}'
    writer.append("x", [document])

    def write() -> None:
        for _ in range(200):
            writer.append("x", [document] * 50)

    counts = []
    with Background(write) as writing:
        while writing.running:
            counts.append(LocalStore(tmp_path).top("message", Query())[0].count)
    writer.close()
    assert counts == sorted(counts)
    assert LocalStore(tmp_path).top("message", Query())[0].count == LocalStore(tmp_path).indices()[0].events == 10_001


@pytest.fixture
def vanishing(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A list of files that are deleted after a query has listed them."""
    doomed: list[Path] = []
    file_groups = FileLister.file_groups

    def file_groups_then_delete(*args: Any) -> Any:
        result = file_groups(*args)
        while doomed:
            doomed.pop().unlink()
        return result

    monkeypatch.setattr(FileLister, "file_groups", file_groups_then_delete)
    return doomed


def test_an_index_deleted_during_a_query(tmp_path: Path, vanishing: list[Path]) -> None:
    documents = {str(n): b'{"@timestamp":"2026-11-%02dT10:00:00.000Z","n":1}' % n for n in (20, 21)}
    fill(tmp_path, documents, {n: f"logstash-2026.11.{n}" for n in documents})
    vanishing.append(tmp_path / "logstash-2026.11.20/tail-w0-00001.ndjson")
    assert LocalStore(tmp_path).top("n", Query()) == [TopValue(1, 1)]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@random_cases(20)
@given(
    events=st.lists(st.dictionaries(st.text(), JSON_VALUES, max_size=4), min_size=1, max_size=6),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, " "]),
)
def test_what_was_appended_is_what_search_returns(
    events: list[dict[str, Any]], ascii_only: bool, indent: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("store")
    texts = [json.dumps(event, ensure_ascii=ascii_only, indent=indent) for event in events]
    documents = [text.encode("utf-8", "replace") for text in texts]
    writer = LocalWriter(root, "w0")
    writer.append("x", documents, [f"{at}" for at in range(len(documents))])
    writer.close()
    expected = sorted(document.replace(b"\n", b" ") for document in documents)
    assert sorted(read(LocalStore(root, threads=1), Query())) == expected


@random_cases(20)
@given(value=st.text(st.characters(codec="utf-8"), min_size=1), ascii_only=st.booleans())
def test_any_value_is_found(value: str, ascii_only: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("store")
    document = json.dumps({"message": f"<{value}>", "word": value}, ensure_ascii=ascii_only).encode()
    fill(root, {"1": document}, {"1": "x"})
    store = LocalStore(root, threads=1)
    assert read(store, ask(fields=(("word", value),))) == [document]
    assert store.top("word", Query()) == [TopValue(value, 1)]


def test_the_longest_phrases(tmp_path: Path) -> None:
    """They are answered, or refused with a reason."""
    words = [f"w{number}" for number in range(200)]
    writer = LocalWriter(tmp_path, "w0")
    writer.append("logstash-2026.11.22", [json.dumps({"message": " ".join(words)}).encode()])
    writer.close()
    store = LocalStore(tmp_path)
    assert store.count(Query(condition=Text(" ".join(words[50:150])))) == 1
    with pytest.raises(StoreError, match="a phrase of the query is too long"):
        store.count(Query(condition=Text(" ".join(words))))
