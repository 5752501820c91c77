"""Datagrams of GELF: chunks are put together and messages inflated before they are stored.

What cannot be used becomes a dead letter: damaged messages, and those of which chunks are missing after five seconds.
A process that is killed loses the chunks of messages that are not complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.records.gelf import ChunkAssembler, GelfError, IncompleteMessage, uncompressed

log = get_logger(__name__)


class GelfDatagrams:
    """Makes messages of the datagrams of one socket; see ``DatagramFilter``.

    Args:
        sink: Where dead letters go.
        max_bytes: Of the text of a message.
        clock: Seconds since any moment.
    """

    def __init__(self, sink: Sink, max_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._sink, self._max_bytes, self._clock = sink, max_bytes, clock
        self._assembler = ChunkAssembler()
        self._stream_id, self._offset = StreamIds().new().id, 0
        self._rejected: deque[tuple[bytes, str, str]] = deque()  # dead letters that could not be written yet

    def accept(self, datagram: bytes, sender: str) -> bytes | None:
        """Return the text of the message that a datagram is or completes."""
        try:
            message = self._assembler.add(datagram, sender, self._clock())
        except GelfError as error:
            self._reject(datagram, str(error), sender)
            return None
        if len(self._assembler):
            self._give_up_late()
        if message is None:
            return None
        try:
            return uncompressed(message, self._max_bytes)
        except GelfError as error:
            self._reject(message, str(error), sender)
        return None

    def tick(self) -> None:
        """Give up messages that have waited too long."""
        self._give_up_late()
        self._write()

    def end(self) -> None:
        """Give up all that is not complete: nothing more will be read."""
        for message in self._assembler.give_up_all():
            self._give_up(message)
        if self._rejected:
            text = "messages that cannot be used are lost: their dead letters could not be written until the stop"
            log.error(text, messages=len(self._rejected))
            self._sink.note_loss()

    def _give_up_late(self) -> None:
        for message in self._assembler.expired(self._clock()):
            self._give_up(message)

    def _give_up(self, message: IncompleteMessage) -> None:
        self._reject(message.data, message.reason, message.sender)

    def _reject(self, raw: bytes, reason: str, sender: str) -> None:
        self._rejected.append((raw, reason, sender))
        self._write()

    def _write(self) -> None:
        while self._rejected:
            raw, reason, sender = self._rejected[0]
            end = self._offset + len(raw) + 1
            stream = Stream(self._stream_id, {"host": sender})
            if not self._sink.reject(raw, reason, stream, self._offset, end):
                return
            self._offset = end
            self._rejected.popleft()
