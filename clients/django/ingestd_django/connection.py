"""A connection to the daemon's input ``beats``."""

from __future__ import annotations

import codecs
import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd_django.lumberjack import AckDecoder, encode_window

codecs.lookup("idna")
"""Names of hosts need it. Imported by a thread while the process forks, it would be missing in the child for good."""

ANSWER_SECONDS = 60.0
"""How long the daemon may be silent while it has a window; it sends a sign of life every few seconds."""

_RECHECK_SECONDS = 1.0
_RECEIVE_BYTES = 4096


@dataclass(frozen=True)
class Address:
    """Where the daemon is, and how to reach it.

    Attributes:
        host: Its name or address.
        port: Of its input ``beats``.
        connect_seconds: How long a connection may take.
        tls: Returns the context of a connection with TLS; None: without. Each connection has one of its own: gevent
            patches processes that were forked from one in which there was a context already, which would block, and
            certificates may have been replaced.
        compression_level: Of zlib, 0 to 9; 0: not compressed.
    """

    host: str
    port: int
    connect_seconds: float = 5.0
    tls: Callable[[], ssl.SSLContext] | None = None
    compression_level: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """Sends windows, one after the other.

    Raises:
        OSError: The daemon cannot be reached.
    """

    def __init__(self, address: Address) -> None:
        self._level = address.compression_level
        self._socket = socket.create_connection((address.host, address.port), address.connect_seconds)
        try:
            if address.tls is not None:
                self._socket = address.tls().wrap_socket(self._socket, server_hostname=address.host)
            self._socket.settimeout(ANSWER_SECONDS)
        except BaseException:
            self._socket.close()
            raise
        self._decoder = AckDecoder()
        self._used = time.monotonic()

    def send(self, documents: Sequence[bytes]) -> None:
        """Send a window of at least one event, and return when it is acknowledged.

        Raises:
            OSError: It was not: it is to be sent again.
            ValueError: What answers is not an input ``beats``.
        """
        self._socket.sendall(encode_window(documents, self._level))
        acknowledged = 0
        while acknowledged < len(documents):
            data = self._socket.recv(_RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("it closed the connection")
            acknowledged = max([acknowledged, *self._decoder.feed(data)])
        self._used = time.monotonic()

    def is_stale(self) -> bool:
        """Return whether the daemon has closed the connection while it was not used."""
        if time.monotonic() - self._used < _RECHECK_SECONDS:
            return False
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self._socket], [], [], 0)[0])
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))  # it has nothing to say unasked

    def interrupt(self) -> None:
        """Let a call of ``send`` in another thread fail."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
