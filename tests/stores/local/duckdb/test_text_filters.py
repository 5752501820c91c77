"""The filters in the footers of sealed files: what they save is not read, and without them the answers are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.duckdb import text_filters
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import index_folders
from ingestd.stores.local.query import text_conditions
from ingestd.stores.local.query.planning import FileLister
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Condition, Equal, Gap, Not, Or, Query, Text, Word

pytestmark = pytest.mark.usefixtures("shared_duckdb")

DAYS: dict[str, list[dict[str, object]]] = {
    "2026.11.20": [
        {"message": "Internal Server Error: /pay/7", "stack_trace": "Traceback\n  ValueError: 서울"},
        {"message": "GET /items/12", "request_path": "/items/12?q=%EB%A7%9B%EC%A7%91+Caf%C3%A9"},
    ],
    "2026.11.21": [
        {"message": "SERVER started", "search_word": "서울 맛집", "request_path": "/%53erver"},
        {"message": ["an array", "Internal server"], "search_word": 12},
    ],
    "2026.11.22": [{"message": "nothing happened", "level": "INFO"}],
}
CONDITIONS: dict[str, tuple[Condition, int]] = {  # what is searched for, and how many files are read
    "of_no_event": (Text("nosuchword"), 1),  # of the day with an array, which is in the rest
    "in_one_file": (Text("happened"), 2),
    "phrase": (Text("internal server"), 2),
    "phrase_in_two_fields": (Text("started 맛집"), 1),
    "in_two_spellings": (Text("server"), 2),
    "encoded": (Text("맛집"), 2),
    "case_outside_of_ascii": (Text("CAFÉ"), 2),
    "field_alone": (Text("items", ("stack_trace",)), 0),
    "pattern": (Word(("trace", Gap.MANY)), 2),
    "pattern_of_no_event": (Word(("nosuch", Gap.ONE, "word")), 1),
    "all": (And((Text("items"), Text("happened"))), 1),
    "either": (Or((Text("items"), Text("happened"))), 3),
    "negated": (Not(Text("happened")), 3),
    "another_condition": (Or((Text("nosuchword"), Equal("level", "INFO"))), 3),
    "without_words": (Text("..."), 0),
}


def filled(root: Path) -> Path:
    writer = LocalWriter(root, "w0")
    for day, events in DAYS.items():
        timed = [{"@timestamp": f"{day.replace('.', '-')}T10:00:00.000Z", **event} for event in events]
        writer.append(f"logstash-{day}", list(map(orjson.dumps, timed)), [str(at) for at, _ in enumerate(events)])
    writer.close()
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = filled(tmp_path_factory.mktemp("store"))
    seal_once(root, Policy(idle_s=0))
    return root


def files_for(root: Path, condition: Condition) -> list[str]:
    groups = FileLister().file_groups(index_folders(root), Query(condition=condition))
    return [file for group in groups for file in group.files]


def found(root: Path, condition: Condition) -> list[tuple[str, str]]:
    store = LocalStore(root, threads=1)
    query = Query(condition=condition)
    hits = sorted((hit.index, hit.id) for hit in store.search(query))
    assert store.count(query) == len(hits)
    store.close()
    return hits


@pytest.mark.parametrize(("condition", "files"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_which_files_are_read(root: Path, condition: Condition, files: int) -> None:
    assert len(files_for(root, condition)) == files


@pytest.mark.sampled(usual=2)
@pytest.mark.parametrize("condition", [condition for condition, _ in CONDITIONS.values()], ids=CONDITIONS.keys())
def test_answers_are_those_without_filters(root: Path, condition: Condition, monkeypatch: pytest.MonkeyPatch) -> None:
    with_filters = found(root, condition)
    monkeypatch.setattr(text_filters, "read", lambda _: {})
    assert with_filters == found(root, condition)


def test_texts_in_a_known_case_are_not_made_lower_case(root: Path) -> None:
    lister, folders = FileLister(), index_folders(root)
    groups = lister.file_groups(folders, Query(condition=Text("error")))
    tests = [text_conditions.text(("message",), ["error"], group.columns) for group in groups if group.columns]
    assert "coalesce((contains(\"message\", 'Error')), false)" in "".join(tests)


def _flip(value: bytes) -> bytes:
    return value[:12] + bytes([value[12] ^ 1]) + value[13:]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda value: value,
    "a_bit": _flip,
    "no_checksum": lambda value: b"g" * 8 + value[8:],
    "other_key": lambda value: b"",
    "empty": lambda value: value[:8],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_filter_counts_as_missing(root: Path, damage: Callable[[bytes], bytes]) -> None:
    path = min(root.glob("*/sealed-*.parquet"))
    value = text_filters._value(text_filters._footer(path))
    assert set(text_filters._decode(value)) >= {"message", "stack_trace", "request_path"}
    try:
        read = text_filters._decode(damage(value))
    except ValueError:
        read = {}
    assert bool(read) is (damage is DAMAGE["none"])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 12, b"x" * 100 + b"\x10\0\0\0PAR1"])
def test_a_file_without_a_footer_has_no_filters(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sealed-00001.parquet"
    assert text_filters.read(path) == {}
    path.write_bytes(content)
    assert text_filters.read(path) == {}


def test_a_merged_file_has_the_filters_of_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from them, not made again, unless one has none, or they would be of little use."""
    for words, name in (("first Words", "w0"), ("SECOND words", "w1"), ("third", "w2")):
        writer = LocalWriter(tmp_path, name)
        event = {"@timestamp": "2026-11-22T10:00:00.000Z", "message": words}
        writer.append("logstash-2026.11.22", [orjson.dumps(event)], [name])
        writer.close()
        seal_once(tmp_path, Policy(idle_s=0))
    monkeypatch.setattr(text_filters, "_collected", lambda _: pytest.fail("a filter is made again"))
    seal_once(tmp_path, Policy(idle_s=0, quiet_s=0))
    (folder,) = index_folders(tmp_path)
    ((file,),) = [manifest.load(folder.path).files]
    own = text_filters.read(folder.path / file.name)["message"]
    assert [own.spellings(word) for word in ("first", "second", "third", "words", "forth")] == [
        ("first",),
        ("SECOND",),
        ("third",),
        ("words", "Words"),
        (),
    ]


def test_a_merge_makes_filters_that_sources_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_filters, "encode", lambda _: "")
    writer = LocalWriter(tmp_path, "w0")
    for part in ("one", "two"):
        event = {"@timestamp": "2026-11-22T10:00:00.000Z", "message": part}
        writer.append("logstash-2026.11.22", [orjson.dumps(event)], [part])
        writer.close()
        seal_once(tmp_path, Policy(idle_s=0))
        writer = LocalWriter(tmp_path, "w0")
    writer.close()
    monkeypatch.undo()
    assert len(files_for(tmp_path, Text("nosuchword"))) == 2
    seal_once(tmp_path, Policy(idle_s=0, quiet_s=0))
    assert len(files_for(tmp_path, Text("two"))) == 1
    assert files_for(tmp_path, Text("nosuchword")) == []
