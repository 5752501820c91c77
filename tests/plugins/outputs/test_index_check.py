"""What ``check`` says of index names that are probably a mistake."""

from __future__ import annotations

import pytest

from ingestd.compiler.pipeline import inspect
from ingestd.config.parser import parse
from ingestd.event.sprintf import Template
from ingestd.plugins.outputs._index_check import index_warnings

GOOD = (
    *("logstash-%{+YYYY.MM.dd}", "logstash-%{+yyyy.MM.dd}", "logstash-%{{yyyy.MM.dd}}", "logs-%{+xxxx.ww}", "all"),
    *("logs-%{+YYYY.DDD}", "logs-%{type}-%{+YYYY.MM}", "logs-%{+YYYY.MM.dd.HH.mm}", "logs-%{+YYYY'y'MM'm'}"),
    *("%{[app][name]}-%{+YYYY}", "logs-%{{YYYY.ww}}", "logs-%{+yyyy.MM.ww}", "로그-%{+YYYY}"),
)


@pytest.mark.parametrize("index", GOOD)
def test_good(index: str) -> None:
    assert list(index_warnings(Template(index))) == []


WRONG = [  # index, the marked parts, the last hint
    ("logstash-%{+YYYY.MM.DD}", ["DD"], "write %{+YYYY.MM.dd}"),
    ("logstash-%{+yyyy.mm.dd}", ["mm"], "write %{+yyyy.MM.dd}"),
    ("logstash-%{+YYYY.mm.DD}", ["mm", "DD"], "write %{+YYYY.MM.dd}"),
    ("logstash-%{{YYYY.MM.dd}}", ["YYYY"], "write %{{yyyy.MM.dd}}"),
    ("logstash-%{{yyyy.MM.DD}}", ["DD"], "write %{{yyyy.MM.dd}}"),
    ("logstash-%{+xxxx.MM.dd}", ["xxxx"], "write %{+yyyy.MM.dd}"),
    ("logstash-%{+YYYY.ww}", ["YYYY"], "write %{+xxxx.ww}"),
    ("logstash-%{{yyyy.ww}}", ["yyyy"], "write %{{YYYY.ww}}"),
    ("logstash-%{+YYYY.MM.dd.hh}", ["hh"], "write %{+YYYY.MM.dd.HH}"),
    ("logstash-%{+YYYY.MMM.dd}", ["MMM"], "use digits"),
    ("logstash-%{+YYYY.MM.dd.EEE}", ["EEE"], "use digits"),
    ("logstash-%{+YYYY/MM/dd}", ["/", "/"], "use - or _ or ."),
    ("logstash-%{+YYYY MM}", [" "], "use - or _ or ."),
    ("Logstash-%{+YYYY.MM.dd}", ["Logstash-"], "write 'logstash-'"),
    ("my logs-%{+YYYY.MM.dd}", [" "], "use - or _ or ."),
    ("logs:%{+YYYY}", [":"], "use - or _ or ."),
    (".logs", ["."], "start with a letter or a digit"),
    ("logs-%{level}", ["%{level}"], 'convert it first: mutate { lowercase => ["level"] }'),
]


@pytest.mark.parametrize(("index", "marked", "hint"), WRONG)
def test_wrong(index: str, marked: list[str], hint: str) -> None:
    found = list(index_warnings(Template(index)))
    assert [index[warning.start : warning.start + warning.length] for warning in found] == marked
    assert found[-1].hint == hint


PLACES = [  # the outputs of a config, what is marked in them
    ('store { index => "Logs-%{+YYYY.MM.DD}" }', ["Logs-", "DD"]),
    ("store { index => 'Logs' }", ["Logs"]),
    ("store { index => Logs }", ["Logs"]),
    ('if [a] { store { index => "logs-%{+mm}" } } else { store { index => "LOGS" } }', ["mm", "LOGS"]),
    ('store {\n index => "B${APP}" }', ['"B${APP}"']),
    ("elasticsearch { index => 'a b' document_type => logs }", [" ", "logs"]),
]


@pytest.mark.parametrize(("outputs", "marked"), PLACES)
def test_places(outputs: str, marked: list[str]) -> None:
    text = "input { stdin { } }\noutput { " + outputs + " }"
    lines = text.split("\n")
    found = inspect(parse(text, "test.conf", {"APP": "web"}))
    spans = [warning.span for warning in found]
    assert [lines[span.line - 1][span.column - 1 :][: span.length] for span in spans] == marked
    assert {warning.severity for warning in found} == {"warning"}
