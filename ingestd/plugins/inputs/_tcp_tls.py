"""Lines of TLS connections.

What a client has sent is in this process before it is known what it is: the bytes in the kernel are encrypted, and the
state of the encryption is in memory. So the connection ends with the process, and what was decrypted and not yet stored
is lost if the process is killed. Whole lines are stored as soon as they are here.
"""

from __future__ import annotations

import asyncio

from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._server import ServerInput, ServerOptions
from ingestd.plugins.inputs._streams import LineStream
from ingestd.plugins.interfaces import delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext


def server_lines(options: ServerOptions, context: BuildContext, *, keep_alive: bool = False) -> ServerInput:
    """Return an input that puts the lines of its clients."""
    max_line_bytes = context.settings.max_line_bytes
    grouping, delimiter = grouping_of(context.codec), delimiter_of(context.codec)

    async def read_lines(connection: Connection) -> None:
        lines = LineStream(connection.sink, connection.stream, max_line_bytes, grouping, delimiter)
        while True:
            try:
                data = await asyncio.wait_for(connection.read(idle=True), lines.patience)
            except TimeoutError:
                await lines.flush()
                continue
            if not data:
                break
            await lines.feed(data)
        await lines.feed_eof()

    return ServerInput(options, context, read_lines, acknowledges=False, keep_alive=keep_alive)
