"""``stdout``: events on the standard output.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-stdout.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.plugins.interfaces import Codec, Prepared
from ingestd.plugins.registry import BuildContext, ignored, plugin, refused


@dataclass(frozen=True, slots=True)
class Options:
    """The output ``stdout`` has no options of its own."""


class Stdout:
    """Writes to file descriptor 1, in order."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    async def open(self) -> None:
        """Find the descriptor.

        Raises:
            OSError: The standard output is closed.
        """
        if sys.stdout is None:
            raise OSError("the standard output is closed")
        self._fd = sys.stdout.fileno()

    def prepare(self, batch: Batch) -> Prepared[bytes]:
        """Return the text of the events."""
        text = self._codec.encode(batch)
        return Prepared(text, len(text))

    async def deliver(self, payloads: Sequence[bytes]) -> None:
        """Write all events; a slow reader delays this output only.

        Raises:
            BrokenPipeError: The reader has closed the pipe.
        """
        await asyncio.to_thread(self._write, b"".join(payloads))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    async def close(self) -> None:
        """Do nothing: the descriptor belongs to the process."""


_LEGACY = {
    "debug": ignored("the default codec is rubydebug"),
    "debug_format": refused("choose the codec: codec => rubydebug"),
    "message": refused('choose the codec: codec => line { format => "..." }'),
}


@plugin("output", "stdout", Options, codec="rubydebug", legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> Stdout:
    """The standard output, to read or to pipe into another program."""
    return Stdout(context.codec)
