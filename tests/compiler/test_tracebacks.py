"""A filter that fails points into the config: file, line, and a caret under its name."""

from __future__ import annotations

import linecache
import traceback
from typing import Any

import pytest

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import lines

HEAD = "input { stdin { codec => json_lines } }\n"
TAIL = "\noutput { stdout { } }\n"
FAILING = 'mutate { convert => { "n" => "integer" } }'
CASES = [  # id, filters, line of the failing filter, the text there, where its name begins
    ("alone", f"filter {{\n  {FAILING}\n}}", 3, f"  {FAILING}", 2),
    ("in_a_branch", f"filter {{\n  if [n] {{\n    # 서울\n    {FAILING}\n  }}\n}}", 5, f"    {FAILING}", 4),
    ("after_wide_letters", f'filter {{ if [a] != "서울" {{ {FAILING} }} }}', 2, None, 26),
    ("after_a_clone", f"filter {{\n  clone {{ clones => [] }}\n  {FAILING}\n}}", 4, f"  {FAILING}", 2),
    ("tabs", f"filter {{\n\t\t{FAILING}\n}}", 3, f"\t\t{FAILING}", 2),
]


def failures(config: str, event: dict[str, Any]) -> list[tuple[Step, Exception]]:
    found: list[tuple[Step, Exception]] = []
    built = compile_pipeline(
        parse(config, "main.conf", {}), BuildContext(), lambda step, _, error: found.append((step, error))
    )
    built.process(built.inputs[0].codec.decode(Chunk("stdin_0", "o", {}, 0, 0, 1, lines(event))), None, 0, Tally())
    return found


@pytest.mark.parametrize(
    ("filters", "line", "text", "begin"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_place_is_that_of_the_filter(filters: str, line: int, text: str | None, begin: int) -> None:
    [(step, error)] = failures(HEAD + filters + TAIL, {"n": "1e999999"})
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "main.conf"]
    assert [(frame.lineno, frame.name) for frame in frames] == [(line, "pipeline")]
    source = text or filters
    assert frames[0].line == source.strip()
    assert linecache.getline("main.conf", line) == source + "\n"
    assert (step.span.line, step.span.column) == (line, begin + 1)
    assert frames[0].colno == len(source[:begin].encode())
    assert frames[0].end_colno == len(source[: begin + len("mutate")].encode())


def test_the_traceback_shows_the_config() -> None:
    [(_, error)] = failures(HEAD + f"filter {{\n  {FAILING}\n}}" + TAIL, {"n": "1e999999"})
    shown = "".join(traceback.format_exception(error))
    assert 'File "main.conf", line 3, in pipeline\n    mutate { convert' in shown
    assert "\n    ^^^^^^\n" in shown


def test_a_report_names_the_step() -> None:
    config = HEAD + 'filter { mutate { id => "ages" convert => { "n" => "integer" } } }' + TAIL
    [(step, error)] = failures(config, {"n": "1e999999"})
    assert (step.plugin_id, step.name, type(error)) == ("ages", "mutate_0", ValueError)
