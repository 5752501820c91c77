"""What ``ingestd deadletters replay`` does: pipelines without inputs, fed from the dead letters."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import time
from collections.abc import Callable, Iterator

import click
import uvloop

from ingestd.app.assemble import Configs, config_version, dead_letters
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.jobs.replay import Replay, ReplayDeadLetters, Route, in_batches, sendable
from ingestd.names import MAIN, writer_id
from ingestd.pipeline.pipeline import report_failures
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

_WRITER = "replay"
"""A writer of its own, beside the daemon's workers."""
_SHORT_WRITER = "r"
"""The same for named pipelines: names that differ in the writer ids of workers must differ in these, too."""


def replay_letters(
    settings: Settings, configs: Configs, box: DeadLetterReader, chosen: Callable[[DeadLetter], bool]
) -> int:
    """Send the chosen letters, delete what was sent, say how it went; returns the exit code.

    Raises:
        ConfigErrors: A config is wrong.
        OSError: An output cannot be opened, or the letters not be read or written.
    """
    files = dead_letters(settings, _WRITER, 1)
    replay = Replay({name: _route(name, configs, settings, files) for name in configs}, files)
    work = _Work(box, chosen)
    stopped = uvloop.run(_run(replay, work))
    files.close()
    box.remove(lambda found: _digest(found.line) in work.sent)
    tally = replay.tally
    parts = [f"{tally.replayed:,} replayed", f"{tally.dead:,} dead again"]
    if tally.dropped:
        parts.append(f"{tally.dropped:,} dropped by a filter")
    if work.cut:
        parts.append(f"{work.cut:,} left: only their first bytes were kept")
    click.echo(", ".join(parts))
    if stopped:
        click.echo("stopped before the end; what was not sent is still there", err=True)
    return 1 if tally.dead or work.cut or stopped else 0


class _Work:
    """Reads the letters to send, and remembers which were."""

    def __init__(self, box: DeadLetterReader, chosen: Callable[[DeadLetter], bool]) -> None:
        self._box, self._chosen = box, chosen
        self._lines: list[bytes] = []
        self.sent: set[bytes] = set()
        """A digest of each line that is done with."""
        self.cut = 0
        """How many letters are not there as a whole."""

    def letters(self) -> Iterator[DeadLetter]:
        for line, letter in self._box.read():
            if letter is None or not self._chosen(letter):
                continue
            if not sendable(letter):
                self.cut += 1
                continue
            self._lines.append(_digest(line))
            yield letter

    def done(self, number: int) -> None:
        """Note that the next ``number`` letters are delivered or kept anew."""
        self.sent.update(self._lines[:number])
        del self._lines[:number]


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


def _route(name: str, configs: Configs, settings: Settings, files: DeadLetterWriter) -> Route:
    config = configs[name]
    letters = ReplayDeadLetters(files, time.time, config_version(config))
    writer = writer_id(_WRITER if name == MAIN else _SHORT_WRITER, name)
    context = BuildContext(settings=settings, dead_letters=letters, pipeline_id=name, writer_id=writer)
    return Route(compile_pipeline(config, context, report_failures(name)), letters)


async def _run(replay: Replay, work: _Work) -> bool:
    """Send all letters; True if a signal came before the end."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await replay.open()
    sending = asyncio.create_task(_send(replay, work))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
            return False
        sending.cancel()  # what is under way was perhaps delivered; sent again, it is found to be there
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        return True
    finally:
        stopping.cancel()
        await replay.close()


async def _send(replay: Replay, work: _Work) -> None:
    for batch in in_batches(work.letters()):
        await replay.send(batch)
        work.done(len(batch))
