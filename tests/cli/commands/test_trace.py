"""``ingestd trace``: an event through a config, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from ingestd.cli.main import main

CONFIG = """
input { tcp { port => 5044 codec => line type => "line" } }
filter {
  if [type] == "line" { grok { match => { "message" => ["^%{IP:ip} x", "%{WORD:w} %{INT:n:int}"] } } }
  date { match => ["time", "ISO8601", "UNIX"] }
  if [w] == "skip" { drop { } }
}
output {
  if [n] { elasticsearch { id => "es" index => "numbers" document_id => "%{w}" } }
  else { file { path => "/tmp/%{type}.log" } store { } }
}
"""


def run(data: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["trace", "-e", CONFIG, *arguments], input=data)


def test_a_blank_that_does_not_match_is_shown_in_quotes() -> None:
    config = 'input { stdin { } } filter { grok { match => { "message" => "%{WORD:a} %{WORD:b}" } } }'
    result = CliRunner().invoke(main, ["trace", "-e", config], input='{"message": "garbage"}')
    assert 'it matches up to %{WORD:a}, but " " does not match at the end of the text' in result.stdout


def test_text() -> None:
    result = run('{"type": "line", "message": "word 5",\n "time": "x", "@timestamp": "2026-11-22T10:00:00.000Z"}')
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.endswith(" us")]
    assert lines == [
        "filter",
        '  -e:4  if [type] == "line": true',
        '      [type] is "line"',
        "        message: pattern 1 of 2 does not match: ^%{IP:ip} x",
        "          it matches up to ^, but %{IP:ip} does not match at character 1, 'word 5'",
        "        message: pattern 2 of 2 matches: %{WORD:w} %{INT:n:int}",
        "        + n = 5",
        '        + w = "word"',
        "      time has none of the formats: ISO8601, UNIX",
        '      + tags = ["_dateparsefailure"]',
        '  -e:6  if [w] == "skip": false',
        '      [w] is "word"',
        "output",
        "  -e:9  if [n]: true",
        "      [n] is 5",
        "result",
        "  {",
        '    "type": "line",',
        '    "message": "word 5",',
        '    "time": "x",',
        '    "@timestamp": "2026-11-22T10:00:00.000Z",',
        '    "@version": "1",',
        '    "w": "word",',
        '    "n": 5,',
        '    "tags": [',
        '      "_dateparsefailure"',
        "    ]",
        "  }",
        "  goes to",
        "    es  -e:9, index numbers, id word",
    ]


def test_json_of_lines_of_an_input() -> None:
    result = run("192.0.2.1 x\nskip 1\n", "--input", "tcp", "--json")
    assert result.exit_code == 0, result.output
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["event"]["type"] == "line"
    assert [step.get("id", step.get("condition")) for step in first["steps"]] == [
        '[type] == "line"',
        "grok_0",
        "date_0",
        '[w] == "skip"',
        "[n]",
    ]
    grok = first["steps"][1]
    assert (grok["file"], grok["line"], grok["column"]) == ("-e", 4, 25)
    assert grok["changes"] == [{"field": "ip", "after": "192.0.2.1"}]
    assert first["steps"][4] | {"line": 9, "value": False, "missing": ["[n]"]} == first["steps"][4]
    [outcome] = first["results"]
    assert outcome["document"]["ip"] == "192.0.2.1"
    assert [output["id"] for output in outcome["outputs"]] == ["file_0", "store_0"]
    assert outcome["outputs"][0]["path"] == "/tmp/line.log"
    assert outcome["outputs"][1]["index"].startswith("logstash-")
    assert (second["steps"][-1]["id"], second["steps"][-1]["dropped"], second["results"]) == ("drop_0", True, [])


def test_records_that_are_no_lines() -> None:
    config = "input { tcp { port => 5000 codec => msgpack } } output { stdout { } }"
    data = msgspec.msgpack.encode({"message": "one"}) + msgspec.msgpack.encode({"message": "two"})
    result = CliRunner().invoke(main, ["trace", "-e", config, "--input", "tcp", "--json"], input=data)
    assert result.exit_code == 0, result.output
    found = [json.loads(line)["results"][0]["document"]["message"] for line in result.stdout.splitlines()]
    assert found == ["one", "two"]


WRONG = {
    "no event": ("", (), "there is no event on standard input"),
    "no JSON": ('{"a": 1}\nword 5', (), "standard input, line 2, column 1: not JSON: Expecting value; for a line of"),
    "no object": ("[1]", (), "standard input, line 1: an event is an object, not [1]"),
    "no such input": ("x", ("--input", "beats"), "the config has no input 'beats'; it has tcp_0"),
}


@pytest.mark.parametrize(("data", "arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage(data: str, arguments: tuple[str, ...], message: str) -> None:
    result = run(data, *arguments)
    assert result.exit_code in {1, 2}
    assert message in result.stderr


def test_several_pipelines(tmp_path: Path) -> None:
    config = tmp_path / "a.conf"
    config.write_text(CONFIG)
    result = run("{}", "--pipeline", f"other={config}")
    assert (result.exit_code, "give the config of one pipeline" in result.stderr) == (2, True)


def test_a_wrong_config(tmp_path: Path) -> None:
    config = tmp_path / "a.conf"
    config.write_text("filter { nope { } }")
    result = CliRunner().invoke(main, ["trace", str(config)], input="{}")
    assert (result.exit_code, "unknown filter plugin 'nope'" in result.stderr) == (1, True)


def test_pipelines_that_send_to_each_other() -> None:
    config = "input { pipeline { address => a type => t } } output { pipeline { send_to => [b, c] } }"
    result = CliRunner().invoke(main, ["trace", "-e", config, "--input", "pipeline"], input='{"x": 1}')
    assert result.exit_code == 0, result.output
    assert '"type": "t"' in result.stdout
    assert "address b, c" in result.stdout
