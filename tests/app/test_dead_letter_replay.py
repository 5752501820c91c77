"""Replay of dead letters: its tasks cannot die unnoticed, and what was sent is removed whatever happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.app.dead_letter_replay import replay_dead_letters
from ingestd.config.parser import parse_string
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.jobs import replay as replay_module
from ingestd.settings import Settings
from ingestd.tasks import TaskEndedError

CONFIG = """
input { tcp { port => 0 codec => json_lines } }
output { file { path => "%s" } }
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Three dead letters."""
    writer = DeadLetterWriter(dead_letters_folder(tmp_path), 1 << 20, time.time)
    for number in range(3):
        writer.add(
            stage="filter",
            reason="failed",
            raw=b'{"n":%d}\n' % number,
            plugin="grok_0",
            stream_id="o",
            offset=9 * number,
            event_id=f"o-{9 * number:012x}",
        )
    writer.close()
    return tmp_path


def replay(data_dir: Path, selected: Callable[[DeadLetter], bool]) -> int:
    config = parse_string(CONFIG % (data_dir / "out.ndjson"), {})
    reader = DeadLetterReader(dead_letters_folder(data_dir))
    return replay_dead_letters(Settings(data_dir=data_dir), {"main": config}, reader, selected)


def numbers_sent(data_dir: Path) -> list[int]:
    out = data_dir / "out.ndjson"
    return [json.loads(line)["n"] for line in out.read_text().splitlines()] if out.exists() else []


def numbers_left(data_dir: Path) -> list[int]:
    lines = DeadLetterReader(dead_letters_folder(data_dir)).read()
    return [json.loads(line.dead_letter.content)["n"] for line in lines if line.dead_letter is not None]


def test_replay(data_dir: Path) -> None:
    assert replay(data_dir, lambda dead_letter: dead_letter.offset != 9) == 0
    assert numbers_sent(data_dir) == [0, 2]
    assert numbers_left(data_dir) == [1]


def fail() -> None:
    raise RuntimeError("a defect")


def cancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


@pytest.mark.parametrize(
    ("strike", "error", "message"),
    [
        (fail, RuntimeError, "a background task failed"),
        (cancel, TaskEndedError, "a background task was cancelled"),
    ],
    ids=["fails", "is_cancelled"],
)
def test_the_sender_ends_early(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    strike: Callable[[], None],
    error: type[Exception],
    message: str,
) -> None:
    """It strikes at the second dead letter, each in a batch of its own: the first one has been sent."""
    monkeypatch.setattr(replay_module, "_BATCH_BYTES", 1)

    def selected(dead_letter: DeadLetter) -> bool:
        if dead_letter.offset == 9:
            strike()
        return True

    with pytest.raises(error):
        replay(data_dir, selected)
    assert numbers_sent(data_dir)[0] == 0
    assert 0 not in numbers_left(data_dir)
    assert 2 in numbers_left(data_dir)
    [entry] = [record for record in caplog.records if record.message == message]
    assert entry.fields["task"] == "sender"  # type: ignore[attr-defined]
