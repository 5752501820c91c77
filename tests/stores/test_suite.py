"""The questions of the suite, to the model, and to the built-in store as append logs, sealed, and both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from ingestd.stores import lucene
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.query import conditions as local_conditions
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Condition, Query, Text
from ingestd.stores.words import holds, words
from tests.random_cases import random_cases, sampled
from tests.stores import levels, suite
from tests.stores.events import DOCUMENTS, EVENTS, index_of
from tests.stores.model import matches
from tests.stores.strategies import conditions, single_words
from tests.stores.texts import TEXTS, as_event

pytestmark = pytest.mark.usefixtures("shared_duckdb")


@pytest.mark.parametrize(("wanted", "text", "expected"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_words_in_texts(wanted: str, text: str, expected: bool) -> None:
    assert holds(text, words(wanted)) is expected


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in suite.FOUND], ids=[case[0] for case in suite.FOUND]
)
def test_the_model(text: str, expected: str) -> None:
    """The model finds the events that the table lists."""
    query = Query(condition=lucene.parse(text))
    assert " ".join(sorted(key for key, event in EVENTS.items() if matches(query, event))) == expected


def append(root: Path, keys: list[str], writer_id: str) -> None:
    writer = LocalWriter(root, writer_id)
    for key in keys:
        index = f"logstash-{index_of(EVENTS[key])}"
        writer.append(index, [DOCUMENTS[key]], [key])
    writer.close()


def as_append_logs(root: Path) -> None:
    """Append with two writers alternately, as two workers do."""
    append(root, list(EVENTS)[::2], "w0")
    append(root, list(EVENTS)[1::2], "w1")


def sealed(root: Path) -> None:
    as_append_logs(root)
    seal_once(root, Policy(idle_s=0))


def both(root: Path) -> None:
    """Leave every third event in an append log."""
    append(root, [key for number, key in enumerate(EVENTS) if number % 3], "w0")
    seal_once(root, Policy(idle_s=0))
    append(root, list(EVENTS)[::3], "w1")


@pytest.fixture(scope="module", params=[as_append_logs, sealed, both], ids=["append_logs", "sealed", "both"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    root = tmp_path_factory.mktemp("store")
    request.param(root)
    store = LocalStore(root, threads=1)
    yield store
    store.close()


@pytest.mark.sampled
def test_all_stores_give_the_same_answers(store: LocalStore, request: pytest.FixtureRequest) -> None:
    """A third of the questions are asked where there are files of both kinds, fewer of each kind alone."""
    questions = sampled(suite.QUESTIONS, usual=3 if request.node.callspec.id == "both" else 12)
    assert suite.check(store, "local", questions) == {}


@pytest.mark.sampled
def test_without_a_limit(store: LocalStore) -> None:
    """The other way of the built-in store to read: some questions, others each time."""
    ids = sampled([case[0] for case in suite.FOUND], usual=30)
    assert suite.check(store, "local", [suite.to_the_end(*ids)]) == {}


@pytest.mark.sampled
@random_cases(10)
@given(condition=conditions())
def test_any_condition_finds_what_the_model_does(store: LocalStore, condition: Condition) -> None:
    query = Query(condition=condition)
    expected = sorted(key for key, event in EVENTS.items() if matches(query, event))
    assert sorted(suite.keys(store, query, suite.PAGE)) == expected


@pytest.mark.sampled
@random_cases(10)
@given(condition=single_words())
def test_many_words_are_searched_for_at_once(store: LocalStore, condition: Condition) -> None:
    """As if these few were many."""
    expected = sorted(key for key, event in EVENTS.items() if matches(Query(condition=condition), event))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_conditions, "MANY_WORDS", 0)
        assert sorted(suite.keys(store, Query(condition=condition), suite.PAGE)) == expected


def test_texts(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    for key, _, text, _ in TEXTS:
        writer.append("logstash-2026.11.22", [as_event(text)], [key])
    writer.close()
    store = LocalStore(tmp_path, threads=1)
    wrong = suite.check_texts(
        lambda wanted: [hit.id for hit in store.search(Query(condition=Text(wanted)), suite.PAGE)],
        sampled(TEXTS, usual=2),
    )
    store.close()
    assert wrong == {}


@pytest.mark.parametrize("is_sealed", [False, True], ids=["append_logs", "sealed"])
def test_the_level_of_an_event(is_sealed: bool, tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(f"logstash-{levels.DAY}", list(levels.DOCUMENTS.values()), list(levels.DOCUMENTS))
    writer.close()
    if is_sealed:
        seal_once(tmp_path, Policy(idle_s=0))
    store = LocalStore(tmp_path, threads=1)
    levels.check(store)
    store.close()
