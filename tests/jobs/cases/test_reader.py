"""Case files: what they say, and each mistake with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import ConfigErrors
from ingestd.event.timestamp import to_epoch_ns
from ingestd.jobs.cases.case import RECEIVED, Case, Source
from ingestd.jobs.cases.reader import parse_cases
from ingestd.jobs.cases.yaml_nodes import read_yaml, write_yaml
from tests.random_cases import random_cases

WHOLE = """
path: [a.conf, "*.conf"]
cases:
  - name: events
    events:
      - {message: no, time: 12:30:45, day: 2026-11-22, n: 5, x: 1.5, big: 1e3, flag: true, nothing: null, empty: }
    again: true
    expected:
      - fields: {"[a][b]": 1}
        absent: x
        outputs: [es]
        index: shop
        id: "5"
      - document: {a: [1, 2]}
  - name: lines
    config: |
      filter { }
    input: tcp
    sender: {host: 10.0.0.7}
    received: 2026-11-22T19:00:00+09:00
    lines: |
      one
      two
    dropped: true
"""


def parsed(text: str, folder: Path) -> list[Case]:
    return parse_cases(text, folder / "cases.yaml")


def test_a_case_file(tmp_path: Path) -> None:
    (tmp_path / "a.conf").touch()
    first, second = parsed(WHOLE, tmp_path)
    assert first.source == Source(paths=(tmp_path / "a.conf", tmp_path / "*.conf"))
    event = {"message": "no", "time": "12:30:45", "day": "2026-11-22", "n": 5, "x": 1.5, "big": 1000.0, "flag": True}
    assert first.events == (event | {"nothing": None, "empty": None},)
    assert (first.again, first.received_ns, first.span.line) == (True, to_epoch_ns(RECEIVED), 4)
    one, two = first.expected
    assert (one.fields, one.absent, one.outputs) == ({"[a][b]": 1}, ("x",), ("es",))
    assert (one.index, one.document_id, one.document) == ("shop", "5", None)
    assert (two.document, two.outputs) == ({"a": [1, 2]}, None)
    assert (second.source, second.lines) == (Source("filter { }\n"), ("one", "two"))
    assert (second.input, second.sender, second.expected) == ("tcp", {"host": "10.0.0.7"}, ())
    assert second.received_ns == to_epoch_ns("2026-11-22T10:00:00.000Z")


def test_the_time_of_receipt_is_that_of_the_first_event(tmp_path: Path) -> None:
    text = "cases: [{name: a, events: [{'@timestamp': 2026-11-22T10:00:00Z}], dropped: true}]"
    assert parsed(text, tmp_path)[0].received_ns == to_epoch_ns("2026-11-22T10:00:00.000Z")


GOOD = "name: a\n    events: [{}]\n    "
MISTAKES = {
    "no YAML": ("cases: [", "1:9: error: not YAML: expected the node content, but found '<stream end>'"),
    "empty": ("# nothing\n", "1:1: error: the file is empty"),
    "no cases": ("cases: []", "1:1: error: there are no cases"),
    "a list": ("- a", "1:1: error: a case file must be a mapping of path, config, cases"),
    "unknown key": ("cases:\n  - nam: a", "2:5: error: a case has no key 'nam'"),
    "no name": ("cases:\n  - events: [{}]\n    dropped: true", "2:5: error: the case has no name"),
    "twice": ("cases:\n  - name: a\n    name: b", "3:5: error: the key 'name' comes twice"),
    "neither": ("cases:\n  - name: a\n    dropped: true", "2:5: error: a case has either events or lines"),
    "no events": ("cases:\n  - name: a\n    events: []\n    dropped: true", "3:5: error: there are no events"),
    "no input": ("cases:\n  - name: a\n    lines: x\n    dropped: true", "3:12: error: lines need an input"),
    "input of events": (f"cases:\n  - {GOOD}dropped: true\n    input: tcp", "5:12: error: input is for lines"),
    "not an event": (
        "cases:\n  - name: a\n    events: [5]\n    dropped: true",
        "3:14: error: an event must be a mapping",
    ),
    "nothing expected": (f"cases:\n  - {GOOD}", "2:5: error: say what is expected"),
    "both": (f"cases:\n  - {GOOD}dropped: true\n    expected: []", "2:5: error: a dropped event has no expected"),
    "no bool": (f"cases:\n  - {GOOD}dropped: no", "4:14: error: dropped must be true or false"),
    "reference": (f"cases:\n  - {GOOD}expected: [{{fields: {{'a[b': 1}}}}]", "4:17: error: invalid field reference"),
    "time": (f"cases:\n  - {GOOD}dropped: true\n    received: now", "5:15: error: this is not a time"),
    "tag": ("cases:\n  - name: a\n    events: [{a: !!binary x}]", "3:18: error: values with the tag"),
    "no such file": ("path: no.conf\ncases: []", "1:7: error: there is no "),
    "path and config": ("path: .\nconfig: x\ncases: []", "2:9: error: give either path or config"),
    "no int": ("cases:\n  - name: a\n    events: [{a: !!int x}]", "3:18: error: 'x' is not a valid int"),
    "tagged bool": ("cases:\n  - name: a\n    events: [{a: !!bool yes}]", "3:18: error: 'yes' is not a valid bool"),
    "no null": ("cases:\n  - name: a\n    events: [{a: !!null x}]", "3:18: error: 'x' is not a valid null"),
    "huge": (f"cases:\n  - name: a\n    events: [{{a: {'1' * 5000}}}]", "is not a valid int"),
    "infinite": ("cases:\n  - name: a\n    events: [{a: 1e999}]", "3:18: error: '1e999' is not a valid float"),
    "deep": ("[" * 3000, "1:201: error: nested too deeply"),
    "endless": ("cases:\n  - name: a\n    events: [&x {a: *x}]", "error: nested too deeply"),
}


@pytest.mark.sampled
@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as raised:
        parsed(text, tmp_path)
    assert message in str(raised.value)


def test_all_mistakes_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as raised:
        parsed("case: 1\ncases:\n  - nam: a\n    dropped: 5\n    events: [1]", tmp_path)
    assert [error.span.line for error in raised.value.errors] == [1, 3, 3, 3, 4, 5]


leaf = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    leaf, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@random_cases(50)
@given(st.dictionaries(st.text(min_size=1), values, min_size=1))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert read_yaml(write_yaml(value), "a").value() == value
