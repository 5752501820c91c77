"""What `ingestd check` advises against slow patterns: only what helps."""

from __future__ import annotations

import pytest

from ingestd.grok.advice import advise, advise_regex
from ingestd.grok.compile import compile_grok
from ingestd.grok.library import load_library

ANCHOR = "start the pattern with {}, if all values start with it"
LINE, START = ANCHOR.format("^"), ANCHOR.format("\\A")
SYSLOG = r"%{SYSLOGTIMESTAMP:at} %{SYSLOGHOST:host} %{DATA:program}(?:\[%{POSINT:pid}\])?: %{GREEDYDATA:text}"
CASES = [  # id, pattern, advice
    ("anchor_helps", r"(?<a>\w+)=%{INT:b} end", LINE),
    ("optional_group_after", SYSLOG, r"write (?<program>[^\[:]*) for %{DATA:program}"),
    ("quotes", r"id=\"%{DATA:id}\"", r"write (?<id>[^\"]*) for %{DATA:id}"),
    ("without_a_field", r"id=\"%{DATA}\"", r"write [^\"]* for %{DATA}"),
    ("brackets", r"\[%{GREEDYDATA:a}\] %{GREEDYDATA:b}", r"write (?<a>[^\[\]]*) for %{GREEDYDATA:a}"),
    ("nested_field", r"<%{DATA:[a][b]}>", "write (?<[a][b]>[^<>]*) for %{DATA:[a][b]}"),
    ("only_what_is_needed", "%{DATA:a},%{DATA:b};x", f"{START}; write (?<a>[^,]*) for %{{DATA:a}}"),
    ("words", "^%{DATA:a} %{DATA:b} %{INT:c}", r"write (?<a>\S*) for %{DATA:a} and (?<b>\S*) for %{DATA:b}"),
    (
        "blank_and_bracket",
        r"%{INT:a} %{DATA:user} \[%{INT:b}\] \"%{WORD:c} %{DATA:d} x",
        rf"{START}; write (?<user>[^\[]*?) for %{{DATA:user}}",
    ),
    ("may_contain_blanks", r"\[%{INT:a}\] %{DATA:text} for %{DATA:b} from %{IP:c}", ""),
    ("nothing_helps", "^(?<y>(a*)*)b", ""),
    ("stock_pattern_alone", "%{SLOW}", ""),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_advice(text: str, expected: str) -> None:
    library = load_library(definitions={"SLOW": r"\w+\d+x"})
    pattern = compile_grok(text, library)
    assert pattern.safety.degree != 1
    assert advise(pattern, library, own=()) == expected


def test_the_advised_pattern_gives_the_same_fields() -> None:
    """``%{NOTSPACE}`` would take ``[12]`` into the program."""
    library = load_library()
    better = SYSLOG.replace("%{DATA:program}", r"(?<program>[^\[:]*)")
    for line in ("Oct  1 12:00:00 web1 sshd[12]: hello", "Oct  1 12:00:00 web1 my app: a: b"):
        first, second = (compile_grok(text, library).matcher().search(line) for text in (SYSLOG, better))
        assert first is not None
        assert second is not None
        assert second.groups() == first.groups()


def test_a_pattern_of_the_config_alone_gets_advice() -> None:
    library = load_library(definitions={"SLOW": r"\w+=x"})
    assert advise(compile_grok("%{SLOW}", library), library, own=("SLOW",)) == LINE


REGEXES = [  # id, regular expression, advice
    ("not_anchored", r"\d+ x", "start the regex with ^, if all values start with it"),
    ("lines", r"^\s*$", r"start the regex with \A, if all values start with it"),
    ("nothing_helps", r"^.* \[.*\]$", ""),
    ("alternatives", r"\d+ x|\d+ y", ""),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in REGEXES], ids=[case[0] for case in REGEXES])
def test_advice_for_regular_expressions(text: str, expected: str) -> None:
    assert advise_regex(text) == expected
