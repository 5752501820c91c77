"""What `ingestd check` advises against slow patterns: only what helps."""

from __future__ import annotations

import pytest

from ingestd.grok.advice import advise
from ingestd.grok.compile import compile_grok
from ingestd.grok.library import load_library

ANCHOR, NARROW = "start the pattern with ^", "use %{NOTSPACE} for %{DATA}"
CASES = [  # id, pattern, advice
    ("anchor_helps", r"(?<a>\w+)=%{INT:b} end", ANCHOR),
    ("narrow_helps", "^%{DATA:a} %{DATA:b} x", NARROW),
    ("both_help", "%{DATA:a} %{DATA:b} x", "start the pattern with ^, and use %{NOTSPACE} for %{DATA}"),
    ("nothing_helps", "^(?<y>(a*)*)b", ""),
    ("stock_pattern_alone", "%{SLOW}", ""),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_advice(text: str, expected: str) -> None:
    library = load_library(definitions={"SLOW": r"\w+\d+x"})
    pattern = compile_grok(text, library)
    assert pattern.safety.degree != 1
    assert advise(pattern, library, own=()) == expected


def test_a_pattern_of_the_config_alone_gets_advice() -> None:
    library = load_library(definitions={"SLOW": r"\w+=x"})
    assert advise(compile_grok("%{SLOW}", library), library, own=("SLOW",)) == ANCHOR
