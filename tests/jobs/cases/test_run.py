"""Cases are run: what differs is said in words, with the filter that made it so."""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ingestd.config.nodes import Config
from ingestd.config.parser import parse
from ingestd.jobs.cases.case import Source
from ingestd.jobs.cases.junit import junit_xml
from ingestd.jobs.cases.reader import parse_cases
from ingestd.jobs.cases.run import Outcome, run_case
from ingestd.settings import Settings

CONFIG = """
input { tcp { port => 5000 codec => line type => "line" } tcp { id => "json" port => 5001 codec => json_lines } }
filter {
  grok { match => { "message" => "%{WORD:word} %{INT:n:int}" } }
  mutate { add_field => { "[user][name]" => "kim" } }
  if [word] == "drop" { drop { } }
  if [word] == "copy" { clone { clones => ["c"] } }
}
output { if [n] > 5 { elasticsearch { id => "es" index => "big" document_id => "%{n}" } } else { stdout { } } }
"""


MULTILINE = (
    "input { tcp { port => 1 codec => multiline { pattern => '^\\s' what => previous } } } output { stdout { } }"
)


def load(source: Source) -> Config:
    return parse(source.text or CONFIG, "test.conf", {})


def outcome(text: str) -> Outcome:
    lines = "\n".join(f"    {line}" for line in text.strip().split("\n"))
    [case] = parse_cases(f"cases:\n  - name: a\n{lines}", Path("cases.yaml"))
    return run_case(case, load, Settings())


PASSING = {
    "fields": "events: [{message: word 5}]\nexpected: [{fields: {word: word, n: 5, user: {name: kim}}}]",
    "nested": "events: [{message: word 5}]\nexpected: [{fields: {'[user][name]': kim}, absent: [other, '[user][id]']}]",
    "document": """
        events: [{message: x 1, '@timestamp': '2026-11-22T10:00:00.000Z'}]
        expected:
          - document: {'@timestamp': '2026-11-22T10:00:00.000Z', '@version': '1', message: x 1, word: x, n: 1,
                       user: {name: kim}}
        """,
    "outputs": "events: [{message: word 7}]\nexpected: [{outputs: [es], index: big, id: '7'}]",
    "dropped": "events: [{message: drop 7}]\ndropped: true",
    "copies": "events: [{message: copy 7}]\nexpected: [{absent: type}, {fields: {type: c}}]",
    "several": "events: [{message: a 1}, {message: drop 1}, {message: b 2}]\n"
    "expected: [{fields: {word: a}}, {fields: {word: b}}]",
    "lines": "input: tcp_0\nlines: |\n  a 1\n  b 2\nsender: {host: web1}\n"
    "expected: [{fields: {type: line, host: web1, word: a}}, {fields: {word: b}}]",
    "received": "input: json\nlines: ['{}']\nreceived: 2026-11-22T10:00:00Z\n"
    "expected: [{fields: {'@timestamp': '2026-11-22T10:00:00.000Z'}}]",
    "multiline": f"""
        config: |
          {MULTILINE}
        input: tcp
        lines: [one, "  two", three, four]
        expected:
          - fields: {{message: "one\\n  two"}}
          - fields: {{message: three}}
          - fields: {{message: four}}
        """,
    "again": "events: [{message: a 1, word: b}]\nagain: true\nexpected: [{fields: {word: a}}]",
}


@pytest.mark.parametrize("text", PASSING.values(), ids=PASSING)
def test_passing(text: str) -> None:
    found = outcome(textwrap.dedent(text))
    assert (found.differences, found.error) == ([], "")


WORD = "events: [{message: word 5}]\n"
FAILING = {
    "value": (
        WORD + "expected: [{fields: {n: '5'}}]",
        ["the event, expected at line 4:", '  n: expected "5", but it is 5, since grok_0 (test.conf:4)'],
    ),
    "missing": (WORD + "expected: [{fields: {x: 1}}]", ["", "  x: expected 1, but it is missing"]),
    "failed filter": (
        'config: |\n  filter { python { code => \'event["x"] = 1 // event["n"]\' } }\n'
        "events: [{n: 0}]\nexpected: [{fields: {x: 1}}]",
        ["", "  x: expected 1, but it is missing; python_0 (test.conf:1) failed: CodeError: ZeroDivisionError: "],
    ),
    "one, and true": (
        "events: [{a: 1}]\nexpected: [{fields: {a: true, '@version': 1}}]",
        ["", "  a: expected true, but it is 1", '  @version: expected 1, but it is "1"'],
    ),
    "absent": (
        WORD + "expected: [{absent: ['[user][name]']}]",
        ["", '  [user][name]: expected no such field, but it is "kim", since mutate_0 (test.conf:5)'],
    ),
    "document": (
        "events: [{message: x}]\nexpected: [{document: {message: x, a: 1}}]",
        [
            "",
            '  @timestamp: expected no such field, but it is "2026-01-01T00:00:00.000Z"',
            '  @version: expected no such field, but it is "1"',
            "  a: expected 1, but it is missing",
            '  tags: expected no such field, but it is ["_grokparsefailure"], since grok_0 (test.conf:4)',
            '  user: expected no such field, but it is {"name":"kim"}, since mutate_0 (test.conf:5)',
        ],
    ),
    "dropped": (
        "events: [{message: drop 5}]\nexpected: [{fields: {n: 5}}]",
        ["no event came out for the one expected at line 4; dropped by drop_0 (test.conf:6)"],
    ),
    "not dropped": (WORD + "dropped: true", ["one more event came out: "]),
    "outputs": (
        WORD + "expected: [{outputs: [es], index: big, id: 5}]".replace("5", "'5'"),
        [
            "",
            "  outputs: expected es, but it goes to stdout_0",
            "  index: expected big, but it is none",
            "  id: expected 5, but it is none",
        ],
    ),
}


@pytest.mark.parametrize(("text", "lines"), FAILING.values(), ids=FAILING)
def test_failing(text: str, lines: list[str]) -> None:
    found = outcome(text).differences
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True)), found


ERRORS = {
    "config": ("config: 'filter { nope { } }'\nevents: [{}]\ndropped: true", "unknown filter plugin 'nope'"),
    "input": ("input: beats\nlines: x\ndropped: true", "the config has no input 'beats'; it has tcp_0, json"),
    "which input": ("input: tcp\nlines: x\ndropped: true", "the config has several inputs 'tcp'; it has tcp_0, json"),
}


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(text: str, message: str) -> None:
    assert message in outcome(text).error


def test_junit() -> None:
    outcomes = [outcome(PASSING["fields"]), outcome(FAILING["value"][0]), outcome(ERRORS["input"][0])]
    root = ElementTree.fromstring(junit_xml(outcomes))
    [suite] = root
    counts = {"tests": "3", "failures": "1", "errors": "1"}
    assert counts.items() <= root.attrib.items()
    assert ({"name": "cases.yaml"} | counts).items() <= suite.attrib.items()
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["error"]]
    assert (suite[1].attrib["line"], suite[1][0].attrib["message"]) == ("2", "the event, expected at line 4:")


def test_junit_of_characters_that_xml_lacks() -> None:
    found = outcome('events: [{message: "\\0\\x1b"}]\nexpected: [{fields: {message: x}}]')
    assert "expected" in ElementTree.fromstring(junit_xml([found]))[0][0][0].text  # type: ignore[operator]


def test_lines_of_an_input_with_another_delimiter() -> None:
    """A line of a case is a record, whatever ends it on the wire; it may have line feeds."""
    config = 'input { tcp { port => 1 codec => line { delimiter => "|" } } } output { stdout { } }'
    text = 'input: tcp_0\nlines: ["a\\nb", "c"]\nexpected: [{fields: {message: "a\\nb"}}, {fields: {message: c}}]'
    [case] = parse_cases("cases:\n  - name: a\n" + textwrap.indent(text, "    "), Path("cases.yaml"))
    found = run_case(case, lambda source: parse(config, "test.conf", {}), Settings())
    assert (found.differences, found.error) == ([], "")
