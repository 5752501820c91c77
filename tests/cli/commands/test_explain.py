"""``ingestd explain``: in words, and as code."""

from __future__ import annotations

from click.testing import CliRunner, Result

from ingestd.cli.main import main

CONFIG = """
input { stdin { codec => json_lines } }
filter { if [a] { mutate { rename => { "a" => "b" } } } }
output { stdout { } }
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_words() -> None:
    result = run("-e", CONFIG)
    assert result.exit_code == 0
    assert "mutate  (mutate_0, -e:3)" in result.stdout
    assert "removes a" in result.stdout


def test_projection_and_why() -> None:
    lines = 'output { stdout { codec => json_lines } } filter { mutate { add_tag => "x" } }'
    projected = run("-e", "input { stdin { codec => json_lines } }" + lines)
    assert "projected: JSON codecs decode only" in projected.stdout
    full = run("-e", "input { stdin { codec => json_lines } } filter { urldecode { all_fields => true } }" + lines)
    assert "in full: urldecode_0: urldecode with all_fields changes any field" in full.stdout


def test_code() -> None:
    result = run("-e", CONFIG, "--code")
    assert result.exit_code == 0
    assert result.stdout.startswith("def pipeline(table, decorate, received_ns, tally):\n")
    compile(result.stdout, "code", "exec")


def test_a_wrong_config() -> None:
    result = run("-e", "filter { nope { } }")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "-e:1:10: error: unknown filter plugin 'nope'" in result.stderr
