"""Words in paths, which are percent-encoded: a column of them is tested for what is cheap to find first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import And, Gap, Query, Text, Word, decoded
from ingestd.stores.words import holds, words

WORDS = ("timeout", "kill", "link", "20b", "서울", "서울역에서", "맛집", "3호선", "서울.com", "café", "é", "京", "b")
PATHS = (
    *("/timeout", "/TimeOut?x=1", "/t%69meout", "/%74%49meout", "/time+out", "/time%2Bout", "/time%20out", "/timeou"),
    *("/KILL", "/\u212aill", "/%E2%84%AAill", "/%e2%84%aaill", "/%E2%84%Aaill", "/k%4Cl", "/lin\u212a", "/l%C4%B0nk"),
    *("/l\u0130nk", "/l%c4%b0nk", "/l%c4%B0n%4b", "/a%20b", "/20b", "/20%62", "/%32%30b", "/%", "/%2", "/%ZZtimeout"),
    *("/서울", "/%EC%84%9C%EC%9A%B8", "/%ec%84%9c%ec%9a%b8", "/%eC%84%9C%Ec%9A%b8", "/서%EC%9A%B8", "/%EC%84%9C울"),
    *("/%EC%84%9C%EC%9A%B8%EC%97%AD%EC%97%90%EC%84%9C", "/%EC%84%9C+%EC%9A%B8", "/%EC%84%9C%EC%9A", "/서울%FF"),
    *(
        "/%EC%84%9C%EC%9A%B8+%EB%A7%9B%EC%A7%91",
        "/%ED%98%B8%EC%84%A0",
        "/3%ED%98%B8%EC%84%A0",
        "/%33%ED%98%B8%EC%84%A0",
    ),
    *("/%EC%84%9C%EC%9A%B8.com", "/%EC%84%9C%EC%9A%B8%2Ecom", "/%EC%84%9C%EC%9A%B8.COM", "/서울.c%4Fm"),
    *("/caf%C3%A9", "/CAF%C3%89", "/cafe%CC%81", "/café", "/%63af%c3%a9", "/%E4%BA%AC%E9%83%BD", "/東%E4%BA%AC"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    root = tmp_path_factory.mktemp("store")
    documents = [json.dumps({"request_path": path}).encode() for path in PATHS]
    with closing(LocalWriter(root, "w0")) as writer:
        writer.append("logstash-2026.11.22", documents, list(PATHS))
    seal_once(root, Policy(idle_s=0))
    with closing(LocalStore(root, threads=1)) as store:
        yield store


def found(store: LocalStore, condition: And | Text | Word) -> set[str]:
    return {hit.id for hit in store.search(Query(condition=condition), len(PATHS))}


@pytest.mark.sampled
@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("word", WORDS)
def test_words_of_paths(store: LocalStore, word: str) -> None:
    expected = {path for path in PATHS if holds(decoded(path), words(word))}
    assert expected
    assert found(store, Text(word)) == expected
    assert found(store, Word((word, Gap.MANY))) == expected
    assert found(store, Text(word, ("request_path",))) == expected


@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("phrase", ["서울 맛집", "time out", "a b"])
def test_phrases_of_paths(store: LocalStore, phrase: str) -> None:
    expected = {path for path in PATHS if holds(decoded(path), words(phrase))}
    assert expected
    assert found(store, Text(phrase)) == expected
