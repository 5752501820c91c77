"""Replay of dead letters: its tasks cannot die unnoticed, and what was sent is removed whatever happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingestd.app.jobs.dead_letter_replay import replay_dead_letters
from ingestd.config.parser import parse
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.jobs import replay as replay_module
from ingestd.pipeline import isolation
from ingestd.plugins.outputs.file import FileOutput
from ingestd.settings import ACCEPT, Settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import LOCAL, open_backups, open_store
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


def replay(data_dir: Path, selected: Callable[[DeadLetter], bool]) -> bool:
    config = parse(CONFIG % (data_dir / "out.ndjson"), "-e", {})
    reader = DeadLetterReader(dead_letters_folder(data_dir))
    return replay_dead_letters(
        Settings(data_dir=data_dir), {"main": config}, reader, selected, lambda index: None
    ).complete


def numbers_sent(data_dir: Path) -> list[int]:
    out = data_dir / "out.ndjson"
    return [json.loads(line)["n"] for line in out.read_text().splitlines()] if out.exists() else []


def numbers_left(data_dir: Path) -> list[int]:
    lines = DeadLetterReader(dead_letters_folder(data_dir)).read()
    return [json.loads(line.dead_letter.content)["n"] for line in lines if line.dead_letter is not None]


def test_replay(data_dir: Path) -> None:
    assert replay(data_dir, lambda dead_letter: dead_letter.offset != 9)
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


def test_an_output_that_fails_on_one_of_many(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others get through, each once, and the culprit is a dead letter of the output."""
    monkeypatch.setattr(isolation, "RETRY_SECONDS", 0.0)
    write = FileOutput.deliver

    async def faulty(output: FileOutput, payloads: Sequence[Any]) -> None:
        if b'"n":1' in repr(payloads).encode():
            raise KeyError("poison")
        await write(output, payloads)

    monkeypatch.setattr(FileOutput, "deliver", faulty)
    assert not replay(data_dir, lambda dead_letter: True)
    assert sorted(numbers_sent(data_dir)) == [0, 2]
    assert numbers_left(data_dir) == [1]
    [line] = DeadLetterReader(dead_letters_folder(data_dir)).read()
    assert line.dead_letter is not None
    assert (line.dead_letter.stage, line.dead_letter.plugin) == ("output", "file_0")
    assert "the output failed on it: KeyError" in line.dead_letter.detail
    monkeypatch.setattr(FileOutput, "deliver", write)
    assert replay(data_dir, lambda dead_letter: True)
    assert (sorted(numbers_sent(data_dir)), numbers_left(data_dir)) == ([0, 1, 2], [])


def test_an_output_that_may_heal(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not wait for it, and no dead letter is lost."""

    async def away(output: FileOutput, payloads: Sequence[Any]) -> None:
        raise StoreError("the server is away")

    monkeypatch.setattr(FileOutput, "deliver", away)
    with pytest.raises(OSError, match="the server is away"):
        replay(data_dir, lambda dead_letter: True)
    assert (numbers_sent(data_dir), numbers_left(data_dir)) == ([], [0, 1, 2])


def test_old_days_stay(tmp_path: Path) -> None:
    """An event of a day that retention would delete at once: its index counts as restored."""
    writer = DeadLetterWriter(dead_letters_folder(tmp_path), 1 << 20, time.time)
    for day in ("2020-01-05", "2020-01-06", time.strftime("%Y-%m-%d")):
        raw = b'{"@timestamp":"%sT10:00:00Z"}\n' % day.encode()
        writer.add(stage="filter", reason="failed", raw=raw, stream_id=f"o{day}", offset=0)
    writer.close()
    config = parse("input { tcp { port => 0 codec => json_lines } } output { store { } }", "-e", {})
    settings, announced = Settings(data_dir=tmp_path, late=ACCEPT), list[str]()
    assert settings.retention.max_age
    reader = DeadLetterReader(dead_letters_folder(tmp_path))
    assert replay_dead_letters(settings, {"main": config}, reader, lambda found: True, announced.append).complete
    assert announced == ["logstash-2020.01.05"]
    with closing(open_backups(LOCAL, tmp_path)) as backups:
        assert sorted(backups.restored_indices()) == ["logstash-2020.01.05", "logstash-2020.01.06"]
    with closing(open_store(LOCAL, tmp_path)) as store:
        assert [index.events for index in store.indices()] == [1, 1, 1]


SENDER = "input { stdin { codec => json_lines } } output { pipeline { send_to => b } }"
RECEIVER = 'input { pipeline { address => b } } output { file { path => "%s" codec => line { format => "%%{n}" } } }'


def test_pipelines_that_send_to_each_other(tmp_path: Path) -> None:
    """What a receiver could not process is sent again; what is for another pipeline stays, as that does not run."""
    folder, out = dead_letters_folder(tmp_path), tmp_path / "out"
    with closing(DeadLetterWriter(folder, 1 << 20, time.time)) as writer:
        for pipeline, input_id, raw in (
            ("a", "stdin_0", b'{"n":1}\n'),
            ("b", "pipeline_0", b'i-000000000000-t1\0{"x":1}\0{"n":2}\n'),
        ):
            writer.add(
                stage="filter", reason="failed", raw=raw, input_id=input_id, pipeline=pipeline, stream_id="s", offset=0
            )
    configs = {"a": parse(SENDER, "-e", {}), "b": parse(RECEIVER % out, "-e", {})}
    reader = DeadLetterReader(folder)
    result = replay_dead_letters(Settings(data_dir=tmp_path), configs, reader, lambda letter: True, print)
    assert not result.complete
    assert out.read_text() == "2\n"
    [left] = [line.dead_letter for line in DeadLetterReader(folder).read() if line.dead_letter is not None]
    assert (left.pipeline, left.content) == ("a", b'{"n":1}\n')
    assert "only runs in the daemon" in left.reason
