"""The generated code of whole configs, compared as text.

``UPDATE_GOLDEN=1 pytest tests/golden`` rewrites the files; look at the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ingestd.app.pipelines import default_config
from ingestd.compiler.check import check
from ingestd.compiler.explain import explain
from ingestd.compiler.pipeline import plan
from ingestd.config.nodes import Config
from ingestd.config.parser import parse
from ingestd.settings import Settings

FOLDER = Path(__file__).parent
PLUGIN_CALL = re.compile(r"\b[a-z_]+_\d+\w*\(")
NAMES = [*(path.stem for path in sorted(FOLDER.glob("*.conf"))), "default"]


def config_of(name: str) -> Config:
    if name == "default":
        return default_config(Settings())
    return parse((FOLDER / f"{name}.conf").read_text("utf-8"), f"{name}.conf", {})


def compare(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_code(name: str) -> None:
    compare(FOLDER / f"{name}.code.txt", explain(config_of(name), code=True))


@pytest.mark.parametrize("name", NAMES)
def test_explanation(name: str) -> None:
    compare(FOLDER / f"{name}.explained.txt", explain(config_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_code_is_the_same_each_time(name: str) -> None:
    first, second = (plan(check(config_of(name))[0], [])[1] for _ in range(2))
    assert (first.text, first.spans) == (second.text, second.spans)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_that_calls_a_plugin_has_a_place(name: str) -> None:
    config = config_of(name)
    code = plan(check(config)[0], [])[1]
    for number, line in enumerate(code.text.splitlines(), 1):
        if PLUGIN_CALL.search(line):
            span = code.spans[number]
            source = config.sources[span.file].splitlines()[span.line - 1]
            assert source[span.column - 1 : span.column - 1 + span.length].strip(), line
