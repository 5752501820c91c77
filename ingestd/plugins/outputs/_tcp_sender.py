"""Sends text to a server over one connection, until the server's kernel has it."""

from __future__ import annotations

import asyncio
import os
import ssl

from ingestd.logs import Outage, get_logger
from ingestd.plugins.outputs._hosts import check_host
from ingestd.plugins.outputs._tcp_client import TcpClient, connect
from ingestd.plugins.registry import OptionError

log = get_logger(__name__)


def check_address(host: str, port: int, reconnect_interval: float) -> None:
    """Raise OptionError unless the options can work."""
    check_host(host)
    if not 0 < port < 65536:
        raise OptionError(f"{port} is not a port", str(port))
    if reconnect_interval < 0:
        raise OptionError("reconnect_interval is in seconds, not below 0", str(reconnect_interval))


class TcpSender:
    """A connection that is opened when it is needed, and again after a cut.

    Args:
        host: The server's name or address.
        port: Its port.
        reconnect_interval: Seconds between two attempts to connect.
        tls: With TLS.
        plugin_id: Of the output, for the log.
    """

    def __init__(
        self, host: str, port: int, reconnect_interval: float, tls: ssl.SSLContext | None, plugin_id: str
    ) -> None:
        self._host, self._port, self._reconnect_interval, self._tls = host, port, reconnect_interval, tls
        self._plugin_id = plugin_id
        self._client: TcpClient | None = None
        text = "the server accepts no events; they wait until it does"
        self._outage = Outage(log.error, text, log.info, "the server accepts events again")

    @property
    def retry_reason(self) -> str:
        """Why the server takes nothing, empty if it does."""
        return self._outage.reason

    async def send(self, data: bytes) -> None:
        """Return once the server has all of it; waits as long as there is none. After a cut all of it is sent again."""
        while True:
            try:
                await self._send(data)
                break
            except OSError as error:
                self._abort()
                self._outage.failed(output=self._plugin_id, error=_sentence(error), host=self._host)
                await asyncio.sleep(self._reconnect_interval)
            except BaseException:
                self._abort()  # else half a message would be followed by another batch
                raise
        self._outage.recovered(output=self._plugin_id)

    async def _send(self, data: bytes) -> None:
        if self._client is None:
            self._client = await connect(self._host, self._port, self._tls)
        self._client.check_open()
        await self._client.send(data)
        await self._client.wait_until_acknowledged()

    def _abort(self) -> None:
        if self._client is not None:
            self._client.abort()
            self._client = None

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def _sentence(error: OSError) -> str:
    """Return what is wrong, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted: {error.verify_message}; set ssl_certificate_authorities to its "
            "authority"
        )
    if error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)  # asyncio's texts do not say why
    return error.strerror or str(error) or type(error).__name__
