"""The page has a text for every kind of mistake in a query, in each of its languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ingestd import web
from ingestd.stores.lucene.errors import TEXTS

_ENTRY = re.compile(r""""(query\.[\w.]+)":\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def of_page(language: str) -> dict[str, str]:
    """Return the page's texts about queries, by key."""
    module = (Path(web.__file__).parent / "static" / f"{language}.js").read_text("utf-8")
    return {key: ast.literal_eval(text) for key, text in _ENTRY.findall(module)}


def expected() -> dict[str, str]:
    texts: dict[str, str] = {}
    for kind, (message, hint) in TEXTS.items():
        texts |= {f"query.{kind}": message} | ({f"query.{kind}.hint": hint} if hint else {})
    return texts


def test_english_is_that_of_the_commands() -> None:
    assert of_page("english") == expected()


@pytest.mark.parametrize("key", expected())
def test_korean_has_the_same_placeholders(key: str) -> None:
    korean, english = of_page("korean")[key], expected()[key]
    assert set(re.findall(r"\{\w+\}", korean)) == set(re.findall(r"\{\w+\}", english))
