"""Daemons that are forked from a template are what a new interpreter would be."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.disks import small_disk
from tests.e2e.daemon import environment
from tests.e2e.template import Forked
from tests.waiting import WAIT_SECONDS

CONFIG = 'input { generator { count => COUNT message => "${WHO}" } } output { stdout { codec => plain } }'


def forked(folder: Path, *arguments: str) -> tuple[Forked, Path, Path]:
    output, log = folder / "output", folder / "log"
    with output.open("wb") as one, log.open("wb") as two:
        return Forked(arguments, environment(folder / "data") | {"WHO": "안녕"}, one, two), output, log


def test_arguments_variables_folder_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.conf").write_text(CONFIG.replace("COUNT", "2"))
    process, output, log = forked(tmp_path, "run", "-f", "my.conf")
    assert process.wait(WAIT_SECONDS) == 0, log.read_text()
    assert (process.poll(), process.returncode) == (0, 0)
    assert output.read_text().count("안녕") == 2
    process.kill()  # nothing happens: it has ended


def test_exit_codes(tmp_path: Path) -> None:
    process, output, log = forked(tmp_path, "run", "--no-such-option")
    assert process.wait(WAIT_SECONDS) == 2
    assert (output.read_text(), log.read_text().partition("\n")[0]) == ("", "Usage: python -m ingestd run [OPTIONS]")


def test_a_kill(tmp_path: Path) -> None:
    process, _, _ = forked(tmp_path, "run", "-e", CONFIG.replace("COUNT", "0"))
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(WAIT_SECONDS) == -signal.SIGKILL


def test_disks_that_were_mounted_since(tmp_path: Path) -> None:
    forked(tmp_path, "--version")[0].wait(WAIT_SECONDS)
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        (disk / "my.conf").write_text(CONFIG.replace("COUNT", "2"))
        process, output, log = forked(tmp_path, "run", "-f", str(disk / "my.conf"))
        assert process.wait(WAIT_SECONDS) == 0, log.read_text()
    assert output.read_text().count("안녕") == 2
