"""``stdin``: events from the standard input, until it ends.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-stdin. Text lines get the field
``host``; JSON records do not.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from dataclasses import dataclass

from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._streams import LineStream, StreamIds
from ingestd.plugins.interfaces import Sink, StopMode, delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext, plugin
from ingestd.plugins.stream_fields import FieldNames
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import LINE_FEED

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``stdin``."""

    ecs_compatibility: str = ecs_option("With `v1` or `v8`, `host` is `[host][hostname]`.")


def _stream_fields(opts: Options) -> FieldNames:
    return {"host": [ecs_select(opts, disabled="host", ecs="[host][hostname]")]}


class Stdin:
    """Reads file descriptor 0."""

    finite = True

    def __init__(self, max_line_bytes: int, grouping: Grouping | None = None, delimiter: bytes = LINE_FEED) -> None:
        self._max_line_bytes, self._grouping, self._delimiter = max_line_bytes, grouping, delimiter
        self._stopped = False
        self._wake = asyncio.Event()

    async def open(self) -> None:
        """Find out how to wait for the standard input.

        Raises:
            OSError: It is closed.
        """
        self._fd = sys.stdin.fileno() if sys.stdin is not None else 0
        self._polled = not stat.S_ISREG(os.fstat(self._fd).st_mode)  # a file is always ready, and cannot be polled

    async def run(self, sink: Sink) -> None:
        """Read until the end of input or ``stop``."""
        own = StreamIds().new({"host": socket.gethostname()})
        stream = LineStream(sink, own, self._max_line_bytes, self._grouping, self._delimiter)
        while not self._stopped:
            await sink.wait_until_resumed()
            try:
                if self._polled and not await self._readable(stream.patience):
                    break
            except TimeoutError:
                await stream.flush()
                continue
            data = os.read(self._fd, _READ_BYTES)
            if not data:
                break
            await stream.feed(data)
            await asyncio.sleep(0)  # a file never blocks: let the outputs run
        await stream.feed_eof()

    async def _readable(self, patience: float | None) -> bool:
        """Return True as soon as there is something to read, False if ``stop`` was called first.

        Raises TimeoutError after ``patience`` seconds, None: never.
        """
        loop = asyncio.get_running_loop()
        self._wake.clear()
        try:
            loop.add_reader(self._fd, self._wake.set)
        except PermissionError:  # /dev/null and the like cannot be polled either, and never block
            self._polled = False
            return not self._stopped
        try:
            await asyncio.wait_for(self._wake.wait(), patience)
        finally:
            loop.remove_reader(self._fd)
        return not self._stopped

    def stop(self, mode: StopMode) -> None:
        """Stop reading."""
        self._stopped = True
        self._wake.set()


@plugin("input", "stdin", Options, codec="line", stream=True, stream_fields=_stream_fields)
def build(opts: Options, context: BuildContext) -> Stdin:
    """Lines of the standard input; the pipeline ends with it."""
    return Stdin(context.settings.max_line_bytes, grouping_of(context.codec), delimiter_of(context.codec))
