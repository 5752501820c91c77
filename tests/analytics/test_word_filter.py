"""Which words have a text in them; ``tests/web/processes/test_word_calls.py`` asks a store for them."""

from __future__ import annotations

import pytest

from ingestd.analytics.word_filter import WordFilter


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        pytest.param("붕어", "붕어빵", True, id="part"),
        pytest.param("SEOUL", "seoul hotel", True, id="case"),
        pytest.param("서울 맛", "서울 맛집", True, id="two_words"),
        pytest.param("맛 서울", "서울 맛집", False, id="order"),
        pytest.param("++", "c++", True, id="signs"),
        pytest.param("++", "c+", False, id="other_signs"),
        pytest.param("c+", "c", True, id="signs_beside_letters_do_not_count"),
        pytest.param("tent", "stove", False, id="another"),
    ],
)
def test_fits(text: str, word: str, expected: bool) -> None:
    assert WordFilter("search_word", text).fits(word) is expected
