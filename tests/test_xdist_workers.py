"""What the processes of pytest-xdist do before they collect tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.xdist_workers import compile_a_share


@pytest.mark.parametrize("error", [pytest.skip.Exception("no such package"), ImportError("no such module")])
def test_a_module_that_cannot_be_imported_is_left_to_the_collection(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    imported: list[str] = []

    def fail(name: str) -> None:
        imported.append(name)
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    monkeypatch.setattr(pytestconfig, "args", [str(Path(__file__).parent / "protocols")])
    for number in range(2):
        compile_a_share(pytestconfig, {"workerid": f"gw{number}", "workercount": 2})
    assert "tests.protocols.framing.test_lines" in imported
    assert len({*imported}) == len(imported)
