"""``tcp``: events over a connection to a server.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-tcp, as a client. The default codec
`json` puts nothing between two events, as in Logstash: most servers need `codec => json_lines`.

TCP acknowledges to the kernel, not to the program. A batch counts as delivered once the server's kernel has
acknowledged every byte of it and the connection is still open; so nothing is lost in the buffers of this machine or on
the way. What the server's kernel had, but its program had not read when it ended, is lost. After a broken connection
the whole batch is sent again over a new one, so the server may get up to a batch twice, and the line at the break ends
early. A server that must not lose events needs a protocol that acknowledges them, such as that of the outputs `http`
and `kafka`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.outputs._tcp_sender import TcpSender, check_address
from ingestd.plugins.outputs._tls import CLIENT_TLS_LEGACY, ClientTlsOptions, client_context
from ingestd.plugins.registry import BuildContext, OptionError, ignored, option, plugin, replaced, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ClientTlsOptions):
    """Options of the output ``tcp``."""

    host: str = required("The server's name or address.")
    port: int = required("Its port.")
    mode: str = option("client", "`client` connects to the server; `server` is not supported.")
    reconnect_interval: float = option(10, "Seconds between two attempts to connect.")
    ssl_enabled: bool = option(False, "Use TLS.")


class TcpOutput:
    """Sends the text that ``encode`` makes of a batch over one connection."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, encode: Callable[[Batch], bytes], sender: TcpSender) -> None:
        self._encode, self._sender = encode, sender

    async def open(self) -> None:
        """Do nothing: the server need not be there yet."""

    def prepare(self, batch: Batch) -> Prepared[bytes]:
        """Return the text of the events."""
        text = self._encode(batch)
        return Prepared(text, len(text))

    async def deliver(self, payloads: Sequence[bytes]) -> None:
        """Send all events until the server has them; waits as long as there is none."""
        await self._sender.send(b"".join(payloads))

    def retry_reason(self) -> str:
        """Return why the server takes nothing; see ``WithRetries``."""
        return self._sender.retry_reason

    async def close(self) -> None:
        """Close the connection."""
        await self._sender.close()


_LEGACY = CLIENT_TLS_LEGACY | {
    "ssl_enable": replaced("ssl_enabled"),
    "ssl_client_authentication": ignored("it applies to the mode server only"),
}


@plugin("output", "tcp", Options, codec="json", legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> TcpOutput:
    """A server that reads lines, or anything else that a codec writes."""
    if opts.mode != "client":
        raise OptionError(
            f"mode {opts.mode!r} is not offered", opts.mode, "leave it out: the output connects to a server"
        )
    check_address(opts.host, opts.port, opts.reconnect_interval)
    tls = client_context(opts) if opts.ssl_enabled else None
    sender = TcpSender(opts.host, opts.port, opts.reconnect_interval, tls, context.plugin_id)
    return TcpOutput(context.codec.encode, sender)
