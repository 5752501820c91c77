"""The command itself: its subcommands, help and mistakes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import ingestd
from ingestd.cli.main import ALIASES, COMMANDS, main


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, ingestd.__version__ in result.stdout) == (0, True)


def test_version_is_a_command_too() -> None:
    result = CliRunner().invoke(main, ["version"])
    assert (result.exit_code, result.stdout) == (0, f"ingestd, version {ingestd.__version__}\n")
    assert json.loads(CliRunner().invoke(main, ["version", "--json"]).stdout)["version"] == ingestd.__version__


def test_errors_have_one_form() -> None:
    result = CliRunner().invoke(main, ["top"])
    assert result.exit_code == 2
    *usage, error = result.stderr.splitlines()
    assert usage == ["Usage: main top [OPTIONS] FIELD [QUERY]...", "Try 'main top -h' for help.", ""]
    assert error == "error: Missing argument 'FIELD'."


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {name}") or f" {name} " in result.stdout.splitlines()[0]


def test_unknown_command() -> None:
    result = CliRunner().invoke(main, ["chekc"])
    assert result.exit_code == 2
    assert "No such command 'chekc'. Did you mean 'check'?" in result.stderr


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_former_names_keep_working(old: str, new: str) -> None:
    runner = CliRunner()
    lines = [runner.invoke(main, [name, "--help"]).stdout.splitlines()[1:] for name in (old, new)]
    assert lines[0] == lines[1] != []
