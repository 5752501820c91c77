"""The filter ``python``."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ingestd.config.errors import ConfigErrors
from ingestd.plugins.filters._python_code import CodeError
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import build as build_pipeline
from tests.conformance.running import documents, lines
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import build, build_in

STAMP = "2026-11-22T10:00:00.000Z"
EVENT = {"@timestamp": STAMP, "@version": "1", "a": 1, "list": [1, {"b": 2}], "tags": ["x"]}


def changed(code: str, event: dict[str, Any] = EVENT, **settings: Any) -> list[dict[str, Any]]:
    """Return the events that come out, without the fields that stay as they are."""
    events = build("python", code=code, **settings)(copy.deepcopy(event))
    return [{key: value for key, value in new.items() if event.get(key) != value} for new in events]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("event['b'] = event['a'] + 1", [{"b": 2}]),
        (
            "\n        for n in range(2):\n            event[f'n{n}'] = n\n        event['c'] = 1\n",
            [{"n0": 0, "n1": 1, "c": 1}],
        ),
        ("if event['a']:\n        event['b'] = 1\n        event['c'] = 2", [{"b": 1, "c": 2}]),
        ("if event['a']:\n            event['b'] = 1\n        event['c'] = 2", [{"b": 1, "c": 2}]),
        ("", [{}]),
        ("# nothing", [{}]),
        ("return", [{}]),
        ("event['list'].append(3)", [{"list": [1, {"b": 2}, 3]}]),
        ("event['list'][1]['b'] += 1", [{"list": [1, {"b": 3}]}]),
        ("event['tags'] += ['y']", [{"tags": ["x", "y"]}]),
        ("cancel()", []),
        ("return []", []),
        ("cancel()\nevent['a'] = 2", []),
        ("return [event, event]", [{}, {}]),
        ("return [{'b': 1}, event, {'b': 2}]", [{"b": 1}, {}, {"b": 2}]),
        ("cancel()\nreturn [event, {'b': 1}]", [{"b": 1}]),
        ("event['t'] = (1, {2})\nevent['e'] = {3: None}", [{"t": [1, [2]], "e": {"3": None}}]),
    ],
)
def test_code(code: str, expected: list[dict[str, Any]]) -> None:
    assert changed(code) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("dt.datetime(2026, 11, 22, 10, tzinfo=dt.timezone(dt.timedelta(hours=9)))", "2026-11-22T01:00:00.000Z"),
        ("dt.datetime(2026, 11, 22, 10)", "2026-11-22T10:00:00.000Z"),
        ("dt.date(2026, 11, 22)", "2026-11-22"),
        ("decimal.Decimal('1.5')", 1.5),
        ("http.HTTPStatus.OK", 200),
        ("True", True),
        ("frozenset([None])", [None]),
    ],
)
def test_values(value: str, expected: Any) -> None:
    (new,) = changed(f"event['b'] = {value}", init="import datetime as dt, decimal, http")
    assert repr(new) == repr({"b": expected})


def test_timestamp() -> None:
    code = "import datetime\nevent['@timestamp'] = datetime.datetime(2026, 1, 1)"
    assert changed(code) == [{"@timestamp": "2026-01-01T00:00:00.000Z"}]
    assert changed("del event['@timestamp']") == [{}]


def test_init_runs_once() -> None:
    function = build("python", init="seen = 0", code="global seen\nseen += 1\nevent['n'] = seen")
    assert [function({})[0]["n"], function({})[0]["n"]] == [1, 2]


def test_exit_at_start_is_a_mistake_and_no_end_of_the_check() -> None:
    with pytest.raises(ValueError, match=r"the code calls exit\(\), in init of .*, line 2"):
        build("python", init="import sys\nsys.exit(0)", code="pass")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "event['b'] = 1\nevent['c'] = missing",
            r"NameError: name 'missing' .*, in code of .*, line 2: event\['c'\] = missing",
        ),
        ("raise KeyError('x')", "KeyError: 'x', in code of .*, line 1"),
        ("exit()", "the code calls exit"),
        ("def f(): f()\nf()", "RecursionError"),
        ("event['b'] = object()", "a field cannot hold <object"),
        ("event['b'] = b'x'", "a field cannot hold b'x'"),
        ("event[(1, 2)] = 1", r"the name of a field must be text, not \(1, 2\)"),
        ("event['b'] = []\nevent['b'].append(event['b'])", "nested deeper than 250"),
        ("event['tags'] = [1]", "tags must be text"),
        ("event['@timestamp'] = 'now'", "@timestamp cannot be 'now'"),
        ("return 5", "must return None or a list of events, not 5"),
        ("return [5]", r"must return None or a list of events, not \[5\]"),
    ],
)
def test_failures(code: str, message: str) -> None:
    """The event stays as it was."""
    event = copy.deepcopy(EVENT)
    with pytest.raises(CodeError, match=message):
        build("python", code=code)(event)
    assert event == EVENT


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "set either code or path"),
        ({"code": "", "path": "x"}, "set either code or path"),
        ({"path": "x.py", "init": ""}, "init is for code"),
        ({"code": "if x"}, "code of python, line 1: expected ':': if x"),
        ({"code": "x = 1\n    y = 2\n  z = 3"}, "code of python, line 2: unexpected indent"),
        ({"code": "break"}, "'break' outside loop"),
        ({"code": "x\0"}, "null bytes"),
        (
            {"code": "", "init": "import nowhere"},
            "No module named 'nowhere', in init of python, line 1",
        ),
        ({"path": "/no/where.py"}, "cannot read /no/where.py: No such file or directory$"),
    ],
)
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("python", **settings)


SCRIPT = """def register(params):
    global step
    step = params['step']

def filter(event):
    event['n'] += step
"""


def test_file(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    context = BuildContext(folder=tmp_path)
    settings = {"path": "script.py", "script_params": {"step": 5}}
    assert build_in(context, "python", settings)({"n": 1}) == [{"n": 6}]
    with pytest.raises(CodeError, match=r"KeyError: 'n', in .*script.py, line 6: event\['n'\] \+= step"):
        build_in(context, "python", settings)({})
    with pytest.raises(ValueError, match=r"KeyError: 'step', in .*script.py, line 3: step = params\['step'\]"):
        build_in(context, "python", {"path": "script.py"})
    (tmp_path / "script.py").write_text("def register(params): exit(0)\ndef filter(event): pass")
    with pytest.raises(ValueError, match=r"the code calls exit\(\), in .*script.py, line 1"):
        build_in(context, "python", settings)
    (tmp_path / "script.py").write_text("x = 1")
    with pytest.raises(ValueError, match=r"does not define filter\(event\)"):
        build_in(context, "python", settings)


CONFIG = """
input { stdin { codec => json_lines } }
filter {
  python {
    code => '
      if event["n"] == 1:
          event["n"] = missing
      if event["n"] == 2:
          cancel()
      if event["n"] == 3:
          return [event, {"n": 4}]
    '
    add_tag => ["done"]
  }
}
output { stdout { codec => json_lines } }
"""


def test_pipeline(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = build_pipeline(CONFIG)
    got = documents(pipeline, lines(*({"n": n} for n in range(4))))
    assert [(document["n"], document["tags"]) for document in got] == [
        (0, ["done"]),
        (1, ["_pythonexception"]),
        (3, ["done"]),
        (4, ["done"]),
    ]


def test_mistakes_are_at_their_place_in_the_config() -> None:
    with pytest.raises(ConfigErrors, match=r"test\.conf:7:24: error: the code is not Python: invalid syntax"):
        build_pipeline(CONFIG.replace("missing", "="))


PLACES = [  # id, options of the filter, which starts at column 19, where the mistake is
    ("first_line", 'code => "event[1] = ="', "1:39"),
    ("blanks_before", 'code => "   x = ="', "1:35"),
    ("second_line", 'code => "\n      x = 1\n      y = ="', "3:11"),
    ("init", 'init => "a = =" code => "b = 1"', "1:32"),
    ("found_by_the_compiler", 'code => "x = 1\n  return 1\n  break"', "3:3"),
]


@pytest.mark.parametrize(("options", "place"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_the_place_of_a_mistake(options: str, place: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        build_pipeline(f"filter {{ python {{ {options} }} }}")
    assert str(caught.value).startswith(f"test.conf:{place}: error: the code is not Python: ")


PIPELINE = pipeline_of('python { code => \'event["b"] = [event.get("a"), event["message"] * 2, 2 ** event["id"]]\' }')


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["id"] == 7
