"""What makes many processes of pytest-xdist cheaper: less is sent, and none compiles what another one does."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

_ROOT = Path(__file__).parents[1]


class ShortReports:
    """Runs tests as pytest does, but sends little to the process that started this one: each message costs there, and
    here, as much as many a test.

    Setups and teardowns are reported only if they did not pass, that a test begins or ends only to those who watch
    (``-v``), and no keywords. Nor is the terminal of this process told, which nobody sees.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._manager = config.pluginmanager
        self._watched = config.option.verbose > 0

    @functools.cached_property
    def _report(self) -> Callable[..., object]:
        terminal = self._manager.get_plugin("terminalreporter")
        return self._manager.subset_hook_caller("pytest_runtest_logreport", [terminal] if terminal else [])

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test."""
        if self._watched:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.when == "call" or not report.passed:
                report.keywords = {}
                self._report(report=report)
        if self._watched:
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def compile_a_share(config: pytest.Config, worker: dict[str, Any]) -> None:
    """Import this process's share of the test modules, before it imports all: the others import, and compile, theirs.

    So in a fresh clone each module is compiled once, rather than in each process.
    ``worker`` says which process of how many this is: its ``workerinput``.
    """
    number, count = int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])
    for path in islice(_modules(config), number, None, count):
        # It is reported when the module is collected; skipping one is no ``Exception``.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts))


def _modules(config: pytest.Config) -> list[Path]:
    """Return the test modules in the folders that were asked for, or of all."""
    ignored = {Path(folder).resolve() for folder in config.option.ignore or ()}
    folders = [folder for folder in (Path(text).resolve() for text in config.args) if folder.is_dir()]
    found = sorted({path for folder in folders for path in folder.rglob("test_*.py")})
    return [path for path in found if path.is_relative_to(_ROOT / "tests") and ignored.isdisjoint(path.parents)]
