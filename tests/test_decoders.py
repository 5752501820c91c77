"""Tests of decoders: threads that meet a type at the same time get what it holds, and the process goes on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ingestd
from ingestd.decoders import decoder

RACE = """
import dataclasses, msgspec, sys, threading
from ingestd.decoders import decoder

sys.setswitchinterval(1e-6)
fields = [(f"f{number}", str | None, None) for number in range(8)]
made = {"dataclass": dataclasses.make_dataclass, "Struct": msgspec.defstruct}[sys.argv[1]]
for _ in range(100):
    inner = made("Inner", fields)
    outer = made("Outer", [("parts", list[inner]), ("counts", dict[str, int] | None, None)])
    start, found = threading.Barrier(3), []

    def run():
        start.wait()
        found.append(decoder(outer).decode(b'{"parts":[{"f0":"a","f5":"b"}],"counts":{"c":1}}'))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.parts[0].f5, one.counts) for one in found] == 3 * [("b", {"c": 1})]
"""


@pytest.mark.parametrize("kind", ["dataclass", "Struct"])
def test_threads(kind: str) -> None:
    subprocess.run([sys.executable, "-c", RACE, kind], check=True)


def test_a_decoder_is_made_once() -> None:
    assert decoder(list[int]) is decoder(list[int])
    assert decoder(list[int]).decode(b"[1]") == [1]


def test_nothing_is_decoded_as_a_type_without() -> None:
    names = {"msgspec.json.decode", "msgspec.msgpack.decode"}
    texts = {path: path.read_text("utf-8") for path in Path(ingestd.__file__).parent.rglob("*.py")}
    users = {path: text for path, text in texts.items() if any(name in text for name in names)}
    assert users
    for path, text in users.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
                assert "type" not in {keyword.arg for keyword in node.keywords}, f"{path}:{node.lineno}"
