"""``generator``: makes events, for trying a pipeline or measuring it.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-generator. Text events get
``host`` and ``sequence``; JSON records do not.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass

from ingestd.event.chunk import Stream
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._streams import StreamIds, put
from ingestd.plugins.interfaces import Sink, StopMode
from ingestd.plugins.registry import BuildContext, option, plugin
from ingestd.plugins.stream_fields import FieldNames


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``generator``."""

    message: str = option("Hello world!", "The text of every event; `stdin` takes the first line of standard input.")
    lines: list[str] = option([], "Texts to send in turn; `message` is then ignored.")
    count: int = option(0, "How often to send the message, or all the lines; 0 never ends.")
    threads: int = option(1, "Accepted for compatibility with Logstash; no effect.")
    ecs_compatibility: str = ecs_option(
        "With `v1` or `v8`, `host` is `[host][name]`, and `sequence` is `[event][sequence]`."
    )


def _stream_fields(opts: Options) -> FieldNames:
    return {
        "host": [ecs_select(opts, disabled="host", ecs="[host][name]")],
        "sequence": [ecs_select(opts, disabled="sequence", ecs="[event][sequence]")],
    }


class Generator:
    """Puts one message after the other."""

    def __init__(self, lines: list[str], count: int) -> None:
        self._lines, self._count = [line.encode() for line in lines], count
        self._stopped = False
        self.finite = count > 0

    async def open(self) -> None:
        """Do nothing."""

    async def run(self, sink: Sink) -> None:
        """Put ``count`` rounds, or rounds until ``stop``."""
        stream_id = StreamIds().new().id
        host = socket.gethostname()
        sequence = offset = 0
        while not self._stopped and not (self._count and sequence >= self._count):
            await sink.wait_until_resumed()
            for line in self._lines:
                await put(sink, line, Stream(stream_id, {"host": host, "sequence": sequence}), offset)
                offset += len(line) + 1
            sequence += 1
            await asyncio.sleep(0)

    def stop(self, mode: StopMode) -> None:
        """Stop after the current round."""
        self._stopped = True


@plugin("input", "generator", Options, codec="plain", stream_fields=_stream_fields)
def build(opts: Options, context: BuildContext) -> Generator:
    """Events with a given text, any number of them."""
    message = sys.stdin.readline().rstrip("\n") if opts.message == "stdin" and not opts.lines else opts.message
    return Generator(opts.lines or [message], opts.count)
