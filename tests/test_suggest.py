from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.suggest import did_you_mean, option_meant

OPTIONS = ("match", "overwrite", "pattern_definitions", "patterns_dir", "tag_on_failure", "add_tag", "add_field", "id")
CASES = [
    ("letter_more", "matchh", "match"),
    ("letter_less", "overwrit", "overwrite"),
    ("letter_wrong", "natch", "match"),
    ("letters_swapped", "macth", "match"),
    ("case", "Match", "match"),
    ("dash", "tag-on-failure", "tag_on_failure"),
    ("two_changes_in_a_long_word", "patern_definition", "pattern_definitions"),
    ("nearest_wins", "patterns_di", "patterns_dir"),
    ("too_far", "target", None),
    ("short_words_need_to_be_close", "ix", None),
    ("empty", "", None),
]


@pytest.mark.parametrize(("word", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_did_you_mean(word: str, expected: str | None) -> None:
    assert did_you_mean(word, OPTIONS) == expected


def test_of_equals_the_first_in_the_alphabet() -> None:
    assert did_you_mean("add_tac", ("add_tag", "add_tab")) == "add_tab"
    assert did_you_mean("x", ()) is None


@given(st.lists(st.text("abc_", min_size=1, max_size=6), min_size=1), st.data())
def test_a_word_is_nearest_to_itself(words: list[str], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(words))
    assert did_you_mean(word, words) == word


KAFKA = (
    "bootstrap_servers",
    "client_id",
    "codec",
    "consumer_threads",
    "group_id",
    "group_instance_id",
    "topics",
    "type",
)
MEANT = [
    ("as_others_call_it", "username", ("hosts", "user", "user_agent"), "user"),
    ("shortest_with_the_word", "group", KAFKA, "group_id"),
    ("plural", "topic", KAFKA, "topics"),
    ("one_of_several_words", "servers", KAFKA, "bootstrap_servers"),
    ("broker_list", "brokers", KAFKA, "bootstrap_servers"),
    ("of_an_output", "topic", ("acks", "topic_id", "type"), "topic_id"),
    ("written_like_it", "grup_id", KAFKA, "group_id"),
    ("nothing", "colour", KAFKA, None),
    ("short_words_mean_nothing", "id", KAFKA, None),
    ("a_word_of_it", "rename_field", ("add_field", "remove_field", "rename"), "rename"),
    ("a_word_of_it_that_both_have", "template_ovrwrte", ("template", "template_overwrite"), "template_overwrite"),
]


@pytest.mark.parametrize(("word", "options", "expected"), [c[1:] for c in MEANT], ids=[c[0] for c in MEANT])
def test_the_option_that_is_meant(word: str, options: tuple[str, ...], expected: str | None) -> None:
    assert option_meant(word, options) == expected
