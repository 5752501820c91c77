"""Sealing changes no answer, whatever the documents are: any field is found in its column, in ``rest``, or in both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.stores.base import LogStore
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Condition, Equal, Exists, Gap, Like, Not, Query, Range, Text
from tests.random_cases import random_cases
from tests.stores.exact import exact
from tests.stores.local import format_1
from tests.stores.local.documents import typical

pytestmark = pytest.mark.usefixtures("shared_duckdb")

INDEX = "logstash-2026.11.22"
NOW = Policy(idle_s=0)
FIELDS = (
    "level",
    "n",
    "d",
    "flag",
    "tags",
    "g",
    "g.c",
    "[g][lat]",
    "g.z.y",
    "@timestamp",
    "id",
    "a.b",
    "message",
    "none",
)


def append(root: Path, documents: Sequence[str], prefix: str = "") -> None:
    writer = LocalWriter(root, "w0")
    writer.append(
        INDEX, [document.encode() for document in documents], [f"{prefix}{at}" for at in range(len(documents))]
    )
    writer.close()


def answers(store: LogStore, condition: Condition | None, field: str) -> dict[str, object]:
    query = Query(condition=condition)
    return {
        "found": [(hit.id, exact(hit.document.decode())) for hit in store.search(query)],
        "count": store.count(query),
        "top": store.top(field, query),
        "paths": store.top(field, query, paths=True),
        "histogram": sorted(store.histogram(query, 3600, 0, field), key=lambda bucket: bucket.time),
    }


def conditions() -> st.SearchStrategy[Condition]:
    field = st.sampled_from(FIELDS)
    value = st.sampled_from(["INFO", "5", "0", "1.5", "1", "true", "a", "b", "KR", "US", "1.50", "x", ""])
    leaf = st.one_of(
        st.builds(Equal, field, value),
        st.builds(Exists, field),
        st.builds(Range, field, st.sampled_from(["0", "1", "a", None]), st.sampled_from(["2", "5", "z", None])),
        st.builds(Like, field, st.tuples(st.sampled_from(["I", "1", "K", ""]), st.just(Gap.MANY))),
        st.builds(Text, st.sampled_from(["info", "서울", "a b"]), st.tuples(field)),
    )
    return st.one_of(leaf, leaf.map(Not), st.tuples(leaf, leaf).map(And))


def documents() -> st.SearchStrategy[list[str]]:
    others = [
        '{"a":{"b":1}}',
        '{"a.b":1}',
        '{"a":{"b":"x"},"a.b":"y"}',
        '{"id":5}',
        '{"level":"INFO","level":"WARN"}',
        "x",
    ]
    others += [
        '{"message":["a b","서울"]}',
        '{"message":"서울"}',
        '{"Level":"INFO"}',
        '{"n":[5,"a"]}',
        '{"g":[{"c":"KR"}]}',
        '{"g":[{"c":"KR"},{"c":["US",null]},[{"c":5}],{"lat":1.5}]}',
        '{"g": {"z": [ {"y": 1}, {"y": "x"} ]}, "n": [[5], [["a", 1]]]}',
        '{"a":[{"b":1}],"a.b":"y"}',
        '{"g":{"z.y":5,"lat":2.5}}',
        '{"g.z":{"y":"x"},"g":{"z":{"y":1}}}',
        '{"g":[{"c":"KR","c":"US"}]}',
    ]
    return st.lists(st.one_of(typical(), typical(), st.sampled_from(others)), min_size=1, max_size=12)


def sealed(root: Path, found: list[str]) -> None:
    append(root, found)
    seal_once(root, NOW)


def sealed_by_an_older_version(root: Path, found: list[str]) -> None:
    with format_1.sealed():
        sealed(root, found)


def of_all_kinds(root: Path, found: list[str]) -> None:
    """A third each in a file of an older version, in one of this, and in an append log."""
    third = -(-len(found) // 3)
    with format_1.sealed():
        append(root, found[:third])
        seal_once(root, NOW)
    append(root, found[third : 2 * third], "b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingestd.stores.local.sealing.index_sealer.IndexSealer._of_format_1", lambda *_: [])
        seal_once(root, NOW)
    append(root, found[2 * third :], "c")


@pytest.mark.parametrize("seal", [sealed, sealed_by_an_older_version])
@random_cases(8)
@given(found=documents(), condition=st.one_of(st.none(), conditions()), field=st.sampled_from(FIELDS))
@example(found=['{"a":{"b":1},"level":"x"}', '{"a.b":1}', '{"level":1}'], condition=Equal("a.b", "1"), field="a.b")
@example(found=['{"n":5}', '{"n":"5"}', '{"n":[5,6]}', '{"n":5.50}'], condition=Range("n", "1", "9"), field="n")
@example(
    found=["x", "{}", '{"level":"INFO"}', '{"level":null}', '{"level":5}'],
    condition=Range("level", None, None),
    field="level",
)
def test_sealing_changes_no_answer(
    seal: Callable[[Path, list[str]], None],
    found: list[str],
    condition: Condition | None,
    field: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    append(before, found)
    seal(after, found)
    with contextlib.closing(LocalStore(before)) as of_log, contextlib.closing(LocalStore(after)) as of_sealed:
        assert answers(of_sealed, condition, field) == answers(of_log, condition, field)


@random_cases(4)
@given(found=documents(), condition=st.one_of(st.none(), conditions()), field=st.sampled_from(FIELDS))
def test_files_of_all_versions_answer_together(
    found: list[str], condition: Condition | None, field: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("store")
    of_all_kinds(root, found)
    with contextlib.closing(LocalStore(root)) as store:
        before = answers(store, condition, field)
        while seal_once(root, NOW):  # which also rewrites the old file
            pass
        assert answers(store, condition, field) == before
    assert all(isinstance(file.columns, dict) for file in manifest.load(root / INDEX).files)
