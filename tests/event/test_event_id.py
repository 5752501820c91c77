"""Ids of events: made and parsed by one module."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.event_id import (
    EventId,
    EventIds,
    Key,
    copy_key,
    event_id,
    is_own_id,
    key_text,
    own_id,
    parse_event_id,
    part_key,
    possible_originals,
)

CASES: list[tuple[str, str, Key, str]] = [  # id, stream, key, event id
    ("first", "o", 0, "o-000000000000"),
    ("offset", "mg7k2a1x9", 54000, "mg7k2a1x9-00000000d2f0"),
    ("beyond_12_digits", "o", 1 << 52, "o-10000000000000"),
    ("copy", "o", copy_key(255, 1), "o-0000000000ff-1"),
    ("copy_of_a_copy", "o", copy_key(copy_key(255, 1), 0), "o-0000000000ff-1-0"),
    ("part", "o", part_key(255, 1), "o-0000000000ff-p1"),
    ("copy_of_a_part", "o", copy_key(part_key(255, 1), 1), "o-0000000000ff-p1-1"),
    ("first_part", "o", part_key(255, 0), "o-0000000000ff"),
    ("percent", "100%b", 1, "100%b-000000000001"),
]


@pytest.mark.parametrize(("stream", "key", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_there_and_back(stream: str, key: Key, text: str) -> None:
    assert event_id(stream, key) == text
    found = parse_event_id(text)
    assert found is not None
    assert (found.stream_id, found.key) == (stream, key_text(key))
    assert found.offset == int(key_text(key).partition("-")[0], 16)
    assert {text, event_id(stream, found.offset)} <= possible_originals(text)


@pytest.mark.parametrize("text", ["", "o", "o-", "o-12", "-000000000000", "o-00000000000g", "2026-11-22"])
def test_ids_of_others(text: str) -> None:
    assert parse_event_id(text) is None


def test_a_stream_with_hyphens() -> None:
    assert parse_event_id("a-b-000000000001-2") == EventId("a-b", "000000000001-2", 1)


@given(st.lists(st.one_of(st.integers(0, 1 << 60), st.builds(copy_key, st.integers(0, 99), st.integers(0, 9)))))
def test_filled_in(keys: list[Key]) -> None:
    ids = EventIds("o%", keys)
    assert list(ids) == [ids[n] for n in range(len(ids))] == [event_id("o%", key) for key in keys]
    assert list(ids[1:]) == list(ids)[1:]
    assert ids.fill(b'{"x":"5%b","_id":"%b"}') == [
        f'{{"x":"5%b","_id":"{event_id("o%", key)}"}}'.encode() for key in keys
    ]


@given(st.lists(st.integers(0, 1 << 40)))
def test_ids_rise(keys: list[int]) -> None:
    assert sorted(event_id("o", key) for key in keys) == [event_id("o", key) for key in sorted(keys)]


def test_an_own_id_is_the_same_for_every_stream_and_is_taken_apart_as_others_are() -> None:
    key = own_id(b"file", 1234, "0a1b2c3d")
    assert event_id("stream", key) == event_id("", key) == key
    assert event_id("stream", copy_key(key, 1)) == f"{key}-1"
    assert event_id("stream", part_key(key, 2)) == f"{key}-p2"
    assert [*EventIds("s%", [key, 7])] == [key, "s%-000000000007"]
    assert EventIds("s%", [key, 7]).fill(b"%%b|%b") == [b"%%b|" + key.encode(), b"%%b|s%-000000000007"]
    parts = parse_event_id(key)
    assert parts is not None
    assert event_id(parts.stream_id, parts.key) == key
    assert is_own_id(key)
    assert not is_own_id(event_id("mg7k2a1x9", 7))
