"""A connection of the input ``tcp``, and how it ends: at a stop, when another process reads on, when it is idle."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct

from ingestd.plugins.inputs import _tcp_position as tcp_position
from ingestd.plugins.inputs._tcp_reader import ConnectionReader

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""socket(7): SO_LINGER on, with a time of 0."""

_SENDING_SECONDS = 2.0
"""How long a stop reads from a client that keeps sending."""

_REST_SECONDS = 0.25
"""How long a stop waits for the end of a line: a busy kernel may take that long to deliver what was sent before."""


class TcpConnection(ConnectionReader):
    """Reads while the sink has room, until the end of the stream or until one of these methods is called."""

    async def drain(self, deadline: float, *, half_lines: bool) -> int:
        """Read what has arrived, then close; returns how many bytes are left unread in the kernel.

        ``deadline``, on the loop's clock: when to give up waiting for room. A client that never stops sending does
        not get as long. A line without a line end is the last one only if nothing has arrived for a while: its end may
        be on its way.
        """
        self._wakeups.stop()
        until, last_at = self._loop.time() + _SENDING_SECONDS, math.inf
        while self._sock.fileno() >= 0:
            if self._sink.paused:
                paused = self._loop.time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._sink.wait_until_resumed(), max(deadline - paused, 0))
                until += self._loop.time() - paused
            before, seen, last = self._offset, self._seen, self._loop.time() >= last_at
            try:
                self._read(woken=False, last=half_lines and last)
            except BlockingIOError:
                pass
            except OSError:
                self.close("error")
                break
            idle = self._offset == before and not self._sink.paused
            ended = last if half_lines else not self._lines.may_be_good
            if (idle and ended) or self._loop.time() >= min(until, deadline):
                break
            if not idle or self._seen > seen:
                last_at = math.inf
            elif last_at == math.inf:
                partial = self._seen > self._offset or self._lines.collected
                last_at = self._loop.time() + (_REST_SECONDS if partial else 0)
            await asyncio.sleep(0.005 if idle else 0)
        if half_lines:
            self._disconnect("shutdown")
        left = tcp_position.unread(self._sock) if self._sock.fileno() >= 0 else 0
        self.close("shutdown")
        return left

    def _disconnect(self, reason: str) -> None:
        """Disconnect the client, store what it had sent until then, and close.

        Once a socket is shut down, the kernel answers data with a reset: tcp_rcv_state_process() in
        net/ipv4/tcp_input.c. So the client notices with the next line that it sends, although other processes still
        have duplicates of the socket, and nothing arrives between the last read and the end. If there is no room for
        what was sent, the socket stays open. The last process to close it sends a reset (SO_LINGER): a container may
        have another address after a restart, and nobody would answer the lines that are sent to the old one.
        """
        if self._sock.fileno() < 0:
            return
        self._wakeups.stop()
        self._end_reason = reason
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._sock.shutdown(socket.SHUT_RDWR)
            before = -1
            while self._sock.fileno() >= 0 and not self._sink.paused and self._offset != before:
                before = self._offset
                self._read(woken=False, last=True)
        except OSError:  # the client was faster
            self.close("error")

    async def hand_over(self) -> None:
        """Close, as another process reads on; but first complete a line whose start is no longer in the kernel."""
        self._wakeups.stop()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0 and self._lines.may_be_good and self._loop.time() < until:
            with contextlib.suppress(OSError):
                self._read(woken=False)
            await asyncio.sleep(0.005)
        self.close("shutdown")

    def close_if_idle(self, timeout: float) -> None:
        """Close if nothing came for ``timeout`` seconds; an incomplete line is stored as the last one."""
        last = max(self._last_read, self._wakeups.resumed_at)  # while it waited for room, the client was not idle
        if self._sock.fileno() < 0 or self._wakeups.paused or self._loop.time() - last <= timeout:
            return  # or it is being rejected: its socket is the owner's
        arrived = self._offset + tcp_position.unread(self._sock)
        if arrived > self._seen:  # this process was busy with other work
            self._last_read, self._seen = self._loop.time(), arrived
            return
        self._disconnect("idle")
        if self._sock.fileno() >= 0 and not self._sink.paused:
            self.close("idle")
