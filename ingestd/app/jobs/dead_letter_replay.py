"""What ``ingestd deadletters replay`` does: pipelines without inputs, fed with dead letters."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import uvloop

from ingestd.app.assemble import Configs, compile_all, config_version, dead_letter_writer
from ingestd.app.jobs.file_import_outputs import ImportOutputs
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.jobs.replay import Replay, ReplayDeadLetters, Route, in_batches, sendable
from ingestd.names import MAIN, writer_id
from ingestd.pipeline.failures import report_failures
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.tasks import BackgroundTasks

_WRITER = "replay"
"""The process name in writer ids: a daemon may run at the same time, and its workers have theirs."""
_SHORT_WRITER = "r"
"""The same for named pipelines: names that differ in the writer ids of workers must differ here as well."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The outcome of a replay.

    Attributes:
        text: How many were replayed, and how many were not.
        complete: All were delivered.
        stopped: A signal came before the end; what was not sent is still there.
    """

    text: str
    complete: bool
    stopped: bool


def replay_dead_letters(
    settings: Settings,
    configs: Configs,
    reader: DeadLetterReader,
    selected: Callable[[DeadLetter], bool],
    announce: Callable[[str], None],
) -> ReplayResult:
    """Replay the selected dead letters and remove those that were sent.

    Days older than retention keeps stay for ``restore.keep``, as with an import. ``announce`` is called with the first
    such index, before anything is stored in it.

    Raises:
        ConfigErrors: A config is wrong.
        OSError: An output cannot be opened, or the dead letters cannot be read or written.
        TaskEndedError: The task that sends them was cancelled from outside.

    Whatever it raises, dead letters that were sent before are removed.
    """
    compile_all(settings, configs, _SHORT_WRITER)
    writer = dead_letter_writer(settings, _WRITER, 1)
    outputs = ImportOutputs(settings, {}, announce)
    replay = Replay({name: _route(name, configs, settings, writer, outputs) for name in configs}, writer)
    queue = _Queue(reader, selected)
    try:
        stopped = uvloop.run(_run(replay, queue))
    finally:
        writer.close()
        reader.remove(lambda found: _digest(found.line) in queue.sent)
    counts = replay.counts
    parts = [f"{counts.replayed:,} replayed", f"{counts.dead:,} dead again"]
    if counts.dropped:
        parts.append(f"{counts.dropped:,} dropped by a filter")
    if queue.incomplete:
        parts.append(f"{queue.incomplete:,} left: only their first bytes were kept")
    return ReplayResult(", ".join(parts), not (counts.dead or queue.incomplete or stopped), stopped)


class _Queue:
    """Reads the dead letters to send, and remembers which were sent."""

    def __init__(self, reader: DeadLetterReader, selected: Callable[[DeadLetter], bool]) -> None:
        self._reader, self._selected = reader, selected
        self._in_flight: list[bytes] = []
        self.sent: set[bytes] = set()
        """A digest of each line that was sent."""
        self.incomplete = 0
        """How many dead letters do not have the whole event."""

    def dead_letters(self) -> Iterator[DeadLetter]:
        for line, dead_letter in self._reader.read():
            if dead_letter is None or not self._selected(dead_letter):
                continue
            if not sendable(dead_letter):
                self.incomplete += 1
                continue
            self._in_flight.append(_digest(line))
            yield dead_letter

    def mark_sent(self, count: int) -> None:
        """Note that the next ``count`` dead letters were delivered, or written again."""
        self.sent.update(self._in_flight[:count])
        del self._in_flight[:count]


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


def _route(name: str, configs: Configs, settings: Settings, writer: DeadLetterWriter, outputs: ImportOutputs) -> Route:
    config = configs[name]
    dead_letters = ReplayDeadLetters(writer, time.time, config_version(config))
    store_writer = writer_id(_WRITER if name == MAIN else _SHORT_WRITER, name)
    context = BuildContext(settings=settings, dead_letters=dead_letters, pipeline_id=name, writer_id=store_writer)
    pipeline = compile_pipeline(config, context, report_failures(name))
    return Route(replace(pipeline, routes=outputs.routes(pipeline)), dead_letters)


async def _run(replay: Replay, queue: _Queue) -> bool:
    """Send all dead letters; True if a signal came before the end."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await replay.open()
    tasks = BackgroundTasks("replay of dead letters", expected=(OSError,))
    sender = tasks.start("sender", _send(replay, queue, end))
    try:
        await tasks.until(end.wait())
        return not sender.done()
    finally:  # what is in flight was perhaps delivered; when it is sent again, the output finds it there
        await tasks.close()
        await replay.close()


async def _send(replay: Replay, queue: _Queue, end: asyncio.Event) -> None:
    for batch in in_batches(queue.dead_letters()):
        await replay.send(batch)
        queue.mark_sent(len(batch))
    end.set()
