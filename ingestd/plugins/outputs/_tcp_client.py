"""A connection that knows what the other side has: the kernel says what was acknowledged, also under TLS.

It works on the socket itself, as asyncio's streams hide what they and TLS have not yet handed to the kernel.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from contextlib import suppress

CONNECT_TIMEOUT_S = 10.0
_PIECE = 1 << 16  # bytes that are encrypted at once
_READ = 1 << 16
_CONSENT_S = 1.0
_FIRST_POLL_S, _LONGEST_POLL_S = 0.001, 0.1


class TcpClient:
    """A connection; see ``connect``."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, host: str) -> None:
        self._sock, self._loop = sock, asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> None:
        """Start TLS, if there is any. Raises OSError, which ``ssl.SSLError`` is one of."""
        while self._tls is not None:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._loop.sock_recv(self._sock, _READ)
                if not data:
                    raise ConnectionResetError(
                        "the server has closed the connection during the TLS handshake"
                    ) from None
                self._incoming.write(data)
            except ssl.SSLError:
                with suppress(OSError):  # the alert says why
                    await self._flush()
                raise
            else:
                await self._flush()
                await self._wait_for_consent()
                break

    async def _wait_for_consent(self) -> None:
        """Wait until the server has checked our certificate: with TLS 1.3 the handshake ends here before it does there.

        It then sends tickets, which nearly all servers do, or an alert.
        """
        if self._tls is not None and self._tls.version() == "TLSv1.3":
            with suppress(TimeoutError):
                async with asyncio.timeout(_CONSENT_S):
                    data = await self._loop.sock_recv(self._sock, _READ)
                    self._take(data)

    async def send(self, data: bytes) -> None:
        """Hand bytes to the kernel. Raises OSError."""
        if self._tls is None:
            await self._loop.sock_sendall(self._sock, data)
            return
        whole = memoryview(data)
        for start in range(0, len(whole), _PIECE):
            piece = whole[start : start + _PIECE]
            while piece:
                piece = piece[self._tls.write(piece) :]
            await self._flush()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._loop.sock_sendall(self._sock, data)

    async def wait_until_acknowledged(self) -> None:
        """Return once the other side's kernel has everything that was sent, and the connection is open.

        Raises:
            OSError: It is not: anything sent since the last return may be lost.
        """
        pause = _FIRST_POLL_S
        while True:
            self.check_open()
            if not self._unacknowledged():
                break
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_POLL_S)
        self.check_open()

    def _unacknowledged(self) -> int:
        """Return the bytes that the other side's kernel has not acknowledged."""
        return int(struct.unpack("i", fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)))[0])

    def check_open(self) -> None:
        """Discard what the other side says. Raises OSError if it has closed the connection."""
        while True:
            try:
                data = self._sock.recv(_READ)
            except BlockingIOError:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Discard what the other side said; TLS reads it. Raises OSError if that was the end."""
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        if self._tls is not None:
            self._incoming.write(data)
            with suppress(ssl.SSLWantReadError):
                while self._tls.read(_READ):
                    pass
                raise ConnectionResetError("the server has closed the connection")

    async def close(self) -> None:
        """Say the end, so that the other side does not take it for a cut, and close. Never raises."""
        with suppress(OSError):
            self.check_open()  # a close with unread bytes is a reset, which destroys what was not read there
            if self._tls is not None:
                with suppress(ssl.SSLWantReadError):
                    self._tls.unwrap()
                await asyncio.wait_for(self._flush(), CONNECT_TIMEOUT_S)
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()

    def abort(self) -> None:
        """Close without a word."""
        self._sock.close()


async def connect(host: str, port: int, context: ssl.SSLContext | None) -> TcpClient:
    """Return a connection to the first address of a host that takes one; with ``context``, over TLS.

    Raises:
        OSError: There is none.
    """
    loop = asyncio.get_running_loop()
    problem: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client = TcpClient(sock, context, host)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.sock_connect(sock, address)
                await client.handshake()
            return client
        except TimeoutError:
            sock.close()
            problem = TimeoutError(f"no connection within {CONNECT_TIMEOUT_S:g} s")
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
    raise problem
