"""Pipelines that send to each other: what the check of their addresses finds."""

from __future__ import annotations

import pytest

from ingestd.app.addresses import refuse_addresses
from ingestd.app.assemble import compile_all
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

STDIN, STDOUT = "input { stdin { } }", "output { stdout { } }"


def to(*addresses: str) -> str:
    return f"output {{ pipeline {{ send_to => [{', '.join(map(repr, addresses))}] }} }}"


def at(address: str) -> str:
    return f'input {{ pipeline {{ address => "{address}" }} }}'


def check(**texts: str) -> str:
    """Return the errors of pipelines, empty if there are none."""
    configs = {name: parse(text, f"{name}.conf", {}) for name, text in texts.items()}
    try:
        compile_all(Settings(), configs, "w0")
    except ConfigErrors as errors:
        return errors.render()
    return ""


PATTERNS = {
    "distributor": {
        "a": f"{STDIN}\noutput {{ if [x] {{ pipeline {{ send_to => b }} }} else {{ pipeline {{ send_to => c }} }} }}",
        "b": f"{at('b')}\n{STDOUT}",
        "c": f"{at('c')}\n{STDOUT}",
    },
    "collector": {"a": f"{STDIN}\n{to('c')}", "b": f"{STDIN}\n{to('c')}", "c": f"{at('c')}\n{STDOUT}"},
    "forked path": {"a": f"{STDIN}\n{to('b', 'c')}", "b": f"{at('b')}\n{STDOUT}", "c": f"{at('c')}\n{STDOUT}"},
    "both ways to one": {"a": f"{STDIN}\n{to('b', 'c')}", "b": f"{at('b')}\n{to('c')}", "c": f"{at('c')}\n{STDOUT}"},
    "two inputs": {"a": f"{STDIN}\n{to('b', 'c')}", "b": f"{at('b')}\n{at('c')}\n{STDOUT}"},
    "nobody sends": {"a": f"{STDIN}\n{STDOUT}", "b": f"{at('b')}\n{STDOUT}"},
}


@pytest.mark.parametrize("texts", PATTERNS.values(), ids=PATTERNS)
def test_patterns(texts: dict[str, str]) -> None:
    assert check(**texts) == ""


MISTAKES = [
    (
        "unknown",
        {"a": f"{STDIN}\n{to('weblog')}", "b": f"{at('weblogs')}\n{STDOUT}", "c": f"{at('audit')}\n{STDOUT}"},
        "a.conf:2:34: error: no input pipeline has the address 'weblog'",
        "did you mean 'weblogs'? known addresses: audit, weblogs",
    ),
    (
        "two unknown ones at once",
        {"a": f"{STDIN}\n{to('b', 'x', 'y')}", "b": f"{at('b')}\n{STDOUT}"},
        "a.conf:2:44: error: no input pipeline has the address 'y'",
        "known addresses: b",
    ),
    (
        "alone",
        {"a": f"{STDIN}\n{to('b')}"},
        "a.conf:2:34: error: no input pipeline has the address 'b'",
        "--path.settings DIR, or --pipeline NAME=FILE",
    ),
    (
        "doubled",
        {"a": f"{STDIN}\n{to('b')}", "b": f"{at('b')}\n{STDOUT}", "c": f"{at('b')}\n{STDOUT}"},
        "c.conf:1:32: error: the address 'b' is already that of the input at b.conf:1",
        "choose another address",
    ),
    (
        "circle",
        {"a": f"{STDIN}\n{to('b')}", "b": f"{at('b')}\n{to('c')}", "c": f"{at('c')}\n{to('b')}"},
        "b.conf:2:34: error: events would go round in a circle: b -> c -> b",
        "remove one of the outputs",
    ),
    (
        "itself",
        {"a": f"{STDIN}\n{at('a')}\n{to('a')}"},
        "a.conf:3:34: error: events would go round in a circle: a -> a",
        "remove one of the outputs",
    ),
]


@pytest.mark.parametrize(("texts", "error", "hint"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_mistakes(texts: dict[str, str], error: str, hint: str) -> None:
    found = check(**texts)
    assert error in found
    assert hint in found


def test_an_address_is_needed() -> None:
    assert "needs the option 'address'" in check(a=f"input {{ pipeline {{ }} }}\n{STDOUT}")
    assert "send_to names no address" in check(a=f"{STDIN}\noutput {{ pipeline {{ send_to => [] }} }}")


def test_an_import_has_no_other_pipelines() -> None:
    config = parse(f"{STDIN}\n{to('b')}", "a.conf", {})
    with pytest.raises(ConfigErrors, match=r"a\.conf:2:10: error: an import runs one pipeline"):
        refuse_addresses(compile_pipeline(config, BuildContext()), config)
