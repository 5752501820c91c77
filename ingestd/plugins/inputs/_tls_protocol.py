"""TLS between a transport and a stream protocol.

Event loops have their own, but uvloop's drops what it has not decrypted yet when a client closes its connection while
reading is paused, and takes 256 KiB for each connection. Here everything that was read is decrypted at once; reading
pauses below, so that the rest waits encrypted in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, cast

_READ_BYTES = 1 << 18


class TlsProtocol(asyncio.Protocol):
    """The server's side of TLS on one connection.

    Args:
        inner: Gets what is decrypted; its ``connection_made`` is called at the end of the handshake.
        context: Of the server.

    Attributes:
        handshake: Done at the end of the handshake. Raises SSLError, or ConnectionResetError if the client hung up.
        transport: For ``inner``.
    """

    def __init__(self, inner: asyncio.StreamReaderProtocol, context: ssl.SSLContext) -> None:
        self._inner, self._context = inner, context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = self._said_goodbye = False
        self._raw: asyncio.Transport
        self.transport: TlsTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport; the client speaks first."""
        self._raw = cast("asyncio.Transport", transport)
        self.transport = TlsTransport(self, self._raw, self._tls, self._context)

    def data_received(self, data: bytes) -> None:
        """Decrypt what arrived."""
        self._incoming.write(data)
        if self._open or (not self.handshake.done() and self._shake_hands()):
            self._decrypt()

    def _shake_hands(self) -> bool:
        """Go on with the handshake; returns whether it has succeeded."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush()
            return False
        except ssl.SSLError as error:
            self.flush()  # the alert
            self.handshake.set_exception(error)
            return False
        self.flush()
        self._open = True
        self._inner.connection_made(self.transport)
        self.handshake.set_result(None)
        return True

    def _decrypt(self) -> None:
        found: list[bytes] = []
        ended, error = False, None
        try:
            while data := self._tls.read(_READ_BYTES):
                found.append(data)
            ended = True  # the client says that nothing follows
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # it does so after we have
            ended = True
        except ssl.SSLError as reason:
            error = reason
        if found:
            self._inner.data_received(b"".join(found))
        self.flush()  # what TLS itself answers
        if ended:
            self._inner.eof_received()
        if error is not None:
            self._inner.connection_lost(error)
            self._raw.abort()

    def encrypt(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data``."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self.flush()

    def say_goodbye(self) -> None:
        """Announce the end of what is sent from here, once."""
        if not self._said_goodbye:
            self._said_goodbye = True
            with contextlib.suppress(ssl.SSLError):  # it waits for the answer, which nobody needs
                self._tls.unwrap()
            self.flush()

    def flush(self) -> None:
        """Send what was encrypted."""
        if (data := self._outgoing.read()) and not self._raw.is_closing():
            self._raw.write(data)

    def eof_received(self) -> bool:
        """Note that nothing follows; the connection stays open for answers, unless it is still in the handshake."""
        if self._open:
            self._inner.eof_received()
        elif not self.handshake.done():
            self.handshake.set_exception(ConnectionResetError("the client hung up"))
        return self._open

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        if self._open:
            self._inner.connection_lost(exc)
        elif not self.handshake.done():
            self.handshake.set_exception(exc or ConnectionResetError("the client hung up"))

    def pause_writing(self) -> None:
        """Let the conversation wait: the client does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Let the conversation continue."""
        self._inner.resume_writing()


class TlsTransport(asyncio.Transport):
    """What ``inner`` of a ``TlsProtocol`` writes to."""

    def __init__(
        self, protocol: TlsProtocol, raw: asyncio.Transport, tls: ssl.SSLObject, context: ssl.SSLContext
    ) -> None:
        super().__init__({"ssl_object": tls, "sslcontext": context})
        self._protocol, self._raw = protocol, raw

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send ``data``."""
        if not self._raw.is_closing():
            self._protocol.encrypt(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client to read."""
        return self._raw.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """Return True: RFC 8446, section 6.1."""
        return True

    def write_eof(self) -> None:
        """Tell the client that nothing follows, and read on."""
        if not self._raw.is_closing():
            self._protocol.say_goodbye()
            self._raw.write_eof()

    def pause_reading(self) -> None:
        """Leave what follows in the kernel."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._raw.resume_reading()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return self._raw.is_closing()

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if not self._raw.is_closing():
            self._protocol.say_goodbye()
            self._raw.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._raw.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known about TLS (``ssl_object``, ``sslcontext``), or about the socket."""
        return super().get_extra_info(name, self._raw.get_extra_info(name, default))
