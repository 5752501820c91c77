"""Filters of trigrams: they never rule out a word that a text has, in no spelling that it has."""

from __future__ import annotations

import random

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.local.index.trigrams import MAX_SPELLINGS, TrigramCollector, TrigramFilter, union
from ingestd.stores.words import words
from tests.random_cases import random_cases

ALPHABET = "abiksABIKS019_.'% /\n-éÉßſẞıİK한국어漢かカー\u0301\u200d👍٣"
TEXT = st.text(ALPHABET, max_size=24)


def filter_of(*texts: str) -> TrigramFilter | None:
    collector = TrigramCollector()
    for text in texts:
        collector.add([text])
    return collector.filter()


def filter_that_is(*texts: str) -> TrigramFilter:
    found = filter_of(*texts)
    assert found is not None
    return found


@random_cases(200)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), chosen=st.integers(0, 23), size=st.integers(1, 9))
def test_what_texts_have_is_never_ruled_out(texts: list[str], chosen: int, size: int) -> None:
    """Any part of a text in lower case, as DuckDB makes it, and the words of the text."""
    found, other = filter_of(*texts), filter_that_is("another text", "of other words")
    if found is None:
        assert any(char in text for text in texts for char in "İK")
        return
    for text in texts:
        ((lowered,),) = duckdb.execute("SELECT lower(?)", [text]).fetchall()
        for word in (lowered[chosen : chosen + size], *words(text)):
            if word not in lowered:  # a character has another lower case in Lucene
                continue
            for own in (found, union([found, other]), union([other, found])):
                spellings = own.spellings(word)
                assert own.may_hold(word)
                assert spellings is None or any(spelling in text for spelling in spellings)


@pytest.mark.parametrize(
    ("word", "spellings"),
    [
        ("error", ("Error", "ERROR")),
        ("erro", ("Erro", "ERRO")),
        ("item7x", ()),
        ("order", ("order",)),
        ("ord42er", ("ord42er",)),
        ("rder_idx", ()),
        ("café", None),
        ("맛집", ("맛집",)),
        ("집맛", ()),
        ("42", ("42",)),
        ("nosuchword", ()),
    ],
)
def test_spellings(word: str, spellings: tuple[str, ...] | None) -> None:
    found = filter_that_is("Error 42", "ERROR", "order17", "맛집", "CAFÉ")
    assert found.spellings(word) == spellings
    assert found.may_hold(word) is (spellings != ())


def test_words_of_few_letters_may_have_any_case() -> None:
    assert filter_that_is("GET").spellings("ge") == ("ge", "gE", "Ge", "GE")
    assert filter_that_is("GET").spellings("g1e1t") == ("G1E1T",)
    assert len("abc") ** 2 > MAX_SPELLINGS
    assert filter_that_is("GET").spellings("a-b-c") is None


def test_no_text_has_no_word() -> None:
    assert filter_that_is().spellings("error") == ()
    assert filter_that_is("", "12", "a b").may_hold("abc") is False


def test_too_many_different_words_have_no_filter() -> None:
    chance = random.Random(1)
    letters = "".join(map(chr, range(0x61, 0x7B))) + "".join(map(chr, range(0x41, 0x5B)))
    assert filter_of(*("".join(chance.choices(letters, k=60)) for _ in range(1000))) is None
    assert filter_of("x" * (2 << 20)) is None
    assert filter_of(*(f"GET /items/{chance.randrange(1 << 40)}/ HTTP/1.1" for _ in range(1000))) is not None


def test_a_filter_is_small() -> None:
    """A bit of 16 is set for each trigram at most, so few of those that no text has seem to be there."""
    found = filter_that_is("The quick brown fox jumps over the lazy dog")
    assert len(found.bits) == 128
    assert found.is_useful
    assert not union([TrigramFilter(b"\xff" * 128), found]).is_useful
