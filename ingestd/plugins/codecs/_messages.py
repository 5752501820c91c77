"""Many whole messages in one chunk, for inputs that receive datagrams: each is decoded by the codec of the config.

In the chunk they are lines: ``ingestd.protocols.framing.datagrams``. Connections of the same input bring lines as well,
a message each, all of the sender whom the stream names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from ingestd.event.batch import Batch
from ingestd.event.chunk import DATAGRAMS, Chunk
from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import Table
from ingestd.plugins.interfaces import Codec, DecodesLines
from ingestd.protocols.framing.datagrams import datagram_of

_OF_CONNECTIONS = frozenset({DATAGRAMS, "host", "port"})


def _same(line: bytes) -> bytes:
    return line


class MessagesCodec:
    """Decodes chunks of messages.

    Args:
        codec: Decodes each message.
        sender: The field for the address that a datagram came from.
        given: Whether the config names that field: then every record without it gets it, else only those of text, and
            those of JSON if the config reads it, as for connections.
        message_of_line: Returns the message of a line of a connection.
    """

    delimiter = b"\n"
    joins_streams = False

    def __init__(
        self,
        codec: Codec,
        sender: FieldRef,
        *,
        given: bool = False,
        message_of_line: Callable[[bytes], bytes] = _same,
    ) -> None:
        self._codec, self._sender, self._given = codec, sender, given
        self._message_of_line = message_of_line

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of all messages, those of each sender together."""
        lines = chunk.data.removesuffix(b"\n").split(b"\n")
        if DATAGRAMS not in chunk.fields:
            messages = [self._message_of_line(line.removesuffix(b"\r")) for line in lines]
            return self._of_sender(str(chunk.fields.get("host", "")), messages, chunk, chunk.offset)
        by_sender: dict[bytes, list[bytes]] = {}
        for line in lines:
            sender, message = datagram_of(line)
            by_sender.setdefault(sender, []).append(message)
        tables: list[Table] = []
        offset = chunk.offset
        for sender, messages in by_sender.items():
            tables.append(self._of_sender(sender.decode("ascii", "replace"), messages, chunk, offset))
            offset += sum(map(len, messages)) + len(messages)
        return tables[0] if len(tables) == 1 else Table.joined(tables)

    def _of_sender(self, sender: str, messages: Sequence[bytes], chunk: Chunk, offset: int) -> Table:
        fields: Event = {name: value for name, value in chunk.fields.items() if name not in _OF_CONNECTIONS}
        if sender:
            self._sender.set(fields, sender)
        table = self._events(messages, chunk._replace(fields=fields, offset=offset))
        if self._given:
            for name, value in fields.items():
                table.fill(name, table.rows, [value] * len(table))
        return table

    def _events(self, messages: Sequence[bytes], chunk: Chunk) -> Table:
        """Return the events of messages; ``chunk`` has their time and fields, and where the first of them is."""
        if (end := self._codec.delimiter) is not None:
            lines = [message if message.endswith(end) else message + end for message in messages]
            return self._codec.decode(chunk._replace(data=b"".join(lines)))
        data = b"\n".join([*messages, b""])
        if isinstance(self._codec, DecodesLines) and data.count(b"\n") == len(messages):
            return self._codec.decode_lines(chunk._replace(data=data))
        keys = accumulate([len(message) + 1 for message in messages], initial=chunk.offset)
        parts = [chunk._replace(data=message, offset=key) for message, key in zip(messages, keys, strict=False)]
        tables = [self._codec.decode(part) for part in parts]
        return tables[0] if len(tables) == 1 else Table.joined(tables)

    def encode(self, batch: Batch) -> bytes:
        """Return what the codec of the config does."""
        return self._codec.encode(batch)
