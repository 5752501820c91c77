"""Sends datagrams. UDP acknowledges nothing: what is known is that this machine could send a datagram, and whether the
server's machine answered that nothing listens at the port (ICMP); such datagrams are sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingestd.dead_letters.base import DeadLetters
from ingestd.logs import Outage, get_logger

log = get_logger(__name__)

_AT_ONCE = 50  # datagrams, before others get their turn
_MAX_SOCKETS = 64
_RESOLVED_S = 60.0
"""How long the addresses of a name are used."""


class Datagram(NamedTuple):
    """One message to send, and the event that it was made of."""

    port: int
    data: bytes
    event_id: str


class UdpSender:
    """Sockets for the ports of a host, opened when they are needed.

    Args:
        host: The server's name or address.
        retry_interval: Seconds between two attempts to send what cannot be sent.
        plugin_id: Of the output, for the log.
        dead_letters: Takes datagrams that are too long.
        waits: Whether to wait while nothing listens at a port. Not if events set the port: others would wait as well.
    """

    def __init__(
        self, host: str, retry_interval: float, plugin_id: str, dead_letters: DeadLetters, *, waits: bool = True
    ) -> None:
        self._host, self._retry_interval, self._plugin_id = host, retry_interval, plugin_id
        self._dead_letters, self._waits = dead_letters, waits
        self._sockets: dict[int, socket.socket] = {}
        self._opened = 0.0
        text = "datagrams cannot be sent; events wait until they can"
        self._outage = Outage(log.error, text, log.info, "datagrams can be sent again")

    @property
    def retry_reason(self) -> str:
        """Why nothing can be sent, empty if it can."""
        return self._outage.reason

    async def send(self, datagrams: Sequence[Datagram]) -> set[int]:
        """Return the positions of datagrams that became dead letters, once the others were sent."""
        too_long: set[int] = set()
        while True:
            try:
                await self._send(datagrams, too_long)
                break
            except OSError as error:
                self.close()
                reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
                self._outage.failed(output=self._plugin_id, error=reason, host=self._host)
                await asyncio.sleep(self._retry_interval)
        self._outage.recovered(output=self._plugin_id)
        return too_long

    async def _send(self, datagrams: Sequence[Datagram], too_long: set[int]) -> None:
        """Send all datagrams that are not too long. Raises OSError if any may not have been sent."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._opened > _RESOLVED_S:
            self.close()
        for position, datagram in enumerate(datagrams):
            if position in too_long:
                continue
            sock = self._sockets.get(datagram.port) or await self._open(datagram.port)
            try:
                with contextlib.suppress(BlockingIOError):
                    sock.send(datagram.data)
                    continue
                await loop.sock_sendall(sock, datagram.data)
            except ConnectionRefusedError:  # of an earlier datagram; this one was not sent
                if self._waits:
                    raise
                with contextlib.suppress(ConnectionRefusedError):
                    await loop.sock_sendall(sock, datagram.data)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                too_long.add(position)
                self._dead_letter(datagram)
            finally:
                if position % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
        self._check()

    async def _open(self, port: int) -> socket.socket:
        """Return a socket for a port. Raises OSError."""
        loop = asyncio.get_running_loop()
        if len(self._sockets) >= _MAX_SOCKETS:
            self._check()
            self.close()
        if not self._sockets:
            self._opened = loop.time()
        problem: OSError = OSError(f"{self._host} has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(self._host, port, type=socket.SOCK_DGRAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
            else:
                self._sockets[port] = sock
                return sock
        raise problem

    def _check(self) -> None:
        """Raise OSError if it is known by now that nothing listens at a port."""
        for sock in self._sockets.values() if self._waits else ():
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number))

    def _dead_letter(self, datagram: Datagram) -> None:
        self._dead_letters.add(
            stage="output",
            reason=f"the message is too long for a datagram: {len(datagram.data)} bytes",
            raw=datagram.data,
            plugin=self._plugin_id,
            event_id=datagram.event_id,
        )

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()


def port_numbers(texts: Sequence[str]) -> Mapping[str, int]:
    """Return the ports that texts name; without those that name none."""
    return {text: int(text) for text in {*texts} if text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536}
