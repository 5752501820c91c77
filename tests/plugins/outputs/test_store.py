"""The output ``store``: events in daily indices of the built-in store, refused ones among the dead letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.local.files.layout import store_root
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.outputs import batch, build, deliver


async def test_daily_indices(tmp_path: Path) -> None:
    output = build("store { }", tmp_path)
    await output.open()
    await deliver(
        output,
        batch({"n": 1}, {"n": 2, "@timestamp": "2026-11-23T00:00:00.000Z"}),
        batch({"n": 3}, first=2),
    )
    await output.close()
    root = store_root(tmp_path)
    assert {path.name for path in root.iterdir() if path.is_dir()} >= {"logstash-2026.11.22", "logstash-2026.11.23"}


async def test_index_of_a_field(tmp_path: Path) -> None:
    output = build('store { index => "%{app}-%{+YYYY}" }', tmp_path)
    await output.open()
    await deliver(output, batch({"n": 1, "app": "web"}))
    await output.close()
    assert (store_root(tmp_path) / "web-2026").is_dir()


async def test_an_index_that_cannot_be_makes_dead_letters(tmp_path: Path) -> None:
    letters = MemoryDeadLetters()
    output = build('store { index => "%{app}" }', tmp_path, letters)
    await output.open()
    (store_root(tmp_path) / "taken").write_text("a file is where the folder should be")
    events: list[dict[str, Any]] = [
        {"n": 1, "app": "../up"},
        {"n": 2, "app": "good"},
        {"n": 3},
        {"n": 4, "app": "taken"},
    ]
    rejected = await deliver(output, batch(*events))
    await output.close()
    assert [json.loads(letter["raw"])["n"] for letter in letters.letters] == [4]
    assert [json.loads(rejection.raw)["n"] for rejection in rejected] == [1, 3]
    assert {letter["stage"] for letter in letters.letters} == {"output"}
    assert (store_root(tmp_path) / "good").is_dir()


async def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first, second = build("store { }", tmp_path), build("store { }", tmp_path)
    await first.open()
    with pytest.raises(OSError, match="w0"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()
