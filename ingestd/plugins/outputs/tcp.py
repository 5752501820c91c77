"""``tcp``: events over a connection to a server.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-tcp, as a client. The default codec
`json` puts nothing between two events, as in Logstash: most servers need `codec => json_lines`.

TCP acknowledges to the kernel, not to the program. A batch counts as delivered once the server's kernel has
acknowledged every byte of it and the connection is still open; so nothing is lost in the buffers of this machine or on
the way. What the server's kernel had, but its program had not read when it ended, is lost. After a cut the whole batch
is sent again over a new connection, so the server may get up to a batch twice, and the line that the cut went through
ends early. A server that must not lose events needs a protocol that acknowledges them, such as that of the outputs
`http` and `kafka`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.logs import Outage, get_logger
from ingestd.plugins.interfaces import Codec, Prepared
from ingestd.plugins.outputs._tcp_client import TcpClient, connect
from ingestd.plugins.outputs._tls import CLIENT_TLS_LEGACY, ClientTlsOptions, client_context
from ingestd.plugins.registry import BuildContext, OptionError, ignored, option, plugin, replaced, required

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ClientTlsOptions):
    """Options of the output ``tcp``."""

    host: str = required("The server's name or address.")
    port: int = required("Its port.")
    mode: str = option("client", "`client` connects to the server; `server` is not offered.")
    reconnect_interval: float = option(10, "Seconds between two attempts to connect.")
    ssl_enabled: bool = option(False, "Use TLS.")


class TcpOutput:
    """Sends text over one connection, which is opened when it is needed."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, opts: Options, context: BuildContext, tls: ssl.SSLContext | None) -> None:
        self._opts, self._tls = opts, tls
        self._plugin_id = context.plugin_id
        self._codec: Codec = context.codec
        self._client: TcpClient | None = None
        text = "the server takes no events; they wait until it does"
        self._outage = Outage(log.error, text, log.info, "the server takes events again")

    async def open(self) -> None:
        """Do nothing: the server need not be there yet."""

    def prepare(self, batch: Batch) -> Prepared[bytes]:
        """Return the text of the events."""
        text = self._codec.encode(batch)
        return Prepared(text, len(text))

    async def deliver(self, payloads: Sequence[bytes]) -> None:
        """Send all events until the server has them; waits as long as there is none."""
        data = b"".join(payloads)
        while True:
            try:
                await self._send(data)
                break
            except OSError as error:
                self._abort()
                self._outage.failed(output=self._plugin_id, error=_sentence(error), host=self._opts.host)
                await asyncio.sleep(self._opts.reconnect_interval)
            except BaseException:
                self._abort()  # else half a line would be followed by another batch
                raise
        self._outage.recovered(output=self._plugin_id)

    async def _send(self, data: bytes) -> None:
        if self._client is None:
            self._client = await connect(self._opts.host, self._opts.port, self._tls)
        self._client.check_open()
        await self._client.send(data)
        await self._client.wait_until_acknowledged()

    def _abort(self) -> None:
        if self._client is not None:
            self._client.abort()
            self._client = None

    def retry_reason(self) -> str:
        """Return why the server takes nothing; see ``WithRetries``."""
        return self._outage.reason

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


_LEGACY = CLIENT_TLS_LEGACY | {
    "ssl_enable": replaced("ssl_enabled"),
    "ssl_client_authentication": ignored("it is about the mode server"),
}


@plugin("output", "tcp", Options, codec="json", legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> TcpOutput:
    """A server that reads lines, or anything else that a codec writes."""
    if opts.mode != "client":
        raise OptionError(
            f"mode {opts.mode!r} is not offered", opts.mode, "leave it out: the output connects to a server"
        )
    if not 0 < opts.port < 65536:
        raise OptionError(f"{opts.port} is not a port", str(opts.port))
    if opts.reconnect_interval < 0:
        raise OptionError("reconnect_interval is in seconds, not below 0", str(opts.reconnect_interval))
    return TcpOutput(opts, context, client_context(opts) if opts.ssl_enabled else None)
