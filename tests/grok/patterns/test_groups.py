"""The stock patterns of both sets on the lines of the ``.ndjson`` files beside this module.

A file covers pattern files of the same group, one JSON object per line:

- ``{"pattern", "line", "legacy", "ecs-v1"}``: all fields, by reference, that the pattern sets for the line in each set,
  converted as the pattern says; null: it does not match; a set that is missing has no such pattern.
- ``{"pattern", "whole", "not_whole"}``: texts that the pattern takes from end to end, and some that it does not;
  in both sets, or in those of ``"sets"``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ingestd.grok.compile import GrokPattern, compile_grok
from ingestd.grok.library import PatternLibrary, load_library, parse_patterns, stock_folder
from tests.random_cases import sampled

SETS = ("legacy", "ecs-v1")
GROUPS = {  # file of lines: files of patterns
    "aws": ("aws",),
    "bacula": ("bacula",),
    "bind": ("bind",),
    "bro": ("bro", "zeek"),
    "firewalls": ("firewalls",),
    "exim": ("exim",),
    "haproxy": ("haproxy",),
    "httpd": ("httpd",),
    "java": ("java",),
    "junos": ("junos",),
    "linux-syslog": ("linux-syslog",),
    "maven": ("maven",),
    "mcollective": ("mcollective",),
    "mongodb": ("mongodb",),
    "nagios": ("nagios",),
    "postgresql": ("postgresql",),
    "rails": ("rails",),
    "redis": ("redis",),
    "ruby": ("ruby",),
    "squid": ("squid",),
}
ROWS: dict[str, list[dict[str, Any]]] = {
    group: [json.loads(line) for line in (Path(__file__).parent / f"{group}.ndjson").read_text("utf-8").splitlines()]
    for group in GROUPS
}
LINES = [
    pytest.param(name, row["pattern"], row["line"], row[name], id=f"{name}-{row['pattern']}-{number}")
    for group in GROUPS
    for number, row in enumerate(ROWS[group], 1)
    for name in SETS
    if name in row
]
PARTS = [
    pytest.param(name, row["pattern"], row["whole"], row["not_whole"], id=f"{name}-{row['pattern']}")
    for group in GROUPS
    for row in ROWS[group]
    if "whole" in row
    for name in row.get("sets", SETS)
]


# Each label may be the start of a host, which may have no port; each brace that of a query of MongoDB, which
# is any text between braces and may contain others.
QUADRATIC = {"HOSTPORT", "MONGO_QUERY", "MONGO_SLOWQUERY"}
ANYTHING = {"JAVALOGMESSAGE"}  # matches any text


@cache
def library(name: str) -> PatternLibrary:
    return load_library(ecs=name == "ecs-v1")


@cache
def compiled(name: str, text: str) -> GrokPattern:
    return compile_grok(text, library(name))


def defined(name: str, files: tuple[str, ...]) -> list[str]:
    """Return the patterns that files of a set define."""
    paths = [stock_folder() / name / file for file in files]
    return [pattern for path in paths if path.exists() for pattern in parse_patterns(path.read_text(encoding="utf-8"))]


def fields(name: str, pattern: str, line: str) -> dict[str, Any] | None:
    program = compiled(name, f"%{{{pattern}}}")
    match = program.matcher().search(line)
    if match is None:
        return None
    values = defaultdict[str, list[Any]](list)
    for capture in program.captures:
        if text := match[capture.group]:
            values[capture.field].append({"int": int, "float": float, None: str}[capture.convert](text))
    return {field: texts if len(texts) > 1 else texts[0] for field, texts in values.items()}


@pytest.mark.parametrize(("name", "pattern", "line", "expected"), sampled(LINES, usual=4))
def test_fields(name: str, pattern: str, line: str, expected: dict[str, Any] | None) -> None:
    assert fields(name, pattern, line) == expected


@pytest.mark.parametrize(("name", "pattern", "whole", "not_whole"), PARTS)
def test_takes_whole(name: str, pattern: str, whole: list[str], not_whole: list[str]) -> None:
    if pattern in library(name).patterns:
        search = compiled(name, rf"\A%{{{pattern}}}\z").matcher().search
        assert [text for text in whole + not_whole if search(text)] == whole


@pytest.mark.parametrize("name", SETS)
def test_time_is_linear(name: str) -> None:
    patterns = {*sampled([*library(name).patterns]), *QUADRATIC}
    programs = {pattern: compiled(name, f"%{{{pattern}}}").program for pattern in patterns}
    assert [pattern for pattern, program in programs.items() if program.fast is None] == []
    degrees = {pattern: program.safety.degree for pattern, program in programs.items()}
    assert {pattern: degree for pattern, degree in degrees.items() if degree != 1} == dict.fromkeys(QUADRATIC, 2)


def test_every_file_has_a_table() -> None:
    files = {file.name for name in SETS for file in (stock_folder() / name).iterdir()}
    assert files - {"base"} == {file for group in GROUPS.values() for file in group}  # base: test_base_patterns.py


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_pattern_has_lines_that_match_and_that_do_not(group: str, name: str) -> None:
    rows = [row for row in ROWS[group] if name in row]
    parts = {row["pattern"] for row in ROWS[group] if row.get("whole") and row.get("not_whole")}
    patterns = {*defined(name, GROUPS[group])} - parts
    assert patterns - {row["pattern"] for row in rows if row[name] is not None} - ANYTHING == set()
    assert patterns - {row["pattern"] for row in rows if row[name] is None} - ANYTHING == set()


def test_no_flat_field_name_was_forgotten_in_the_ecs_set() -> None:
    legacy, ecs = library("legacy").patterns, library("ecs-v1").patterns
    same = {name for name, text in legacy.items() if ecs[name] == text}
    assert [name for name in same if named_fields(legacy[name]) - {"message", "timestamp"}] == []


def named_fields(text: str) -> set[str]:
    """Return the fields that the text of a pattern names."""
    return {*re.findall(r"%\{\w+:([^:}]+)", text), *re.findall(r"\(\?<([^=!>][^>]*)>", text)}
