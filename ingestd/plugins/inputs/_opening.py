"""The start of a connection, before its conversation: the header of a proxy, and TLS or its absence.

The first bytes are peeked at in the kernel's buffer, so that clients that do not speak TLS where it is needed, or speak
it where it is not, are recognised for sure.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from ingestd.plugins.inputs._client_warnings import ClientWarnings
from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._tcp_rejection import say_goodbye
from ingestd.plugins.inputs._tcp_senders import SenderReports
from ingestd.plugins.inputs._tls_protocol import TlsProtocol
from ingestd.protocols.framing.proxy_header import MayBeProxyHeader, ProxyHeader, parse_proxy_header
from ingestd.protocols.framing.senders import ANSWERS, MAX_HEAD_BYTES, Sender, recognise

HANDSHAKE_SECONDS = 10.0
"""How long a client of a TLS port may take until TLS is set up: the default of Logstash's beats."""

_TRIES, _PAUSE = 200, 0.01
"""How often, and after how many seconds, the rest of a proxy's header is looked for."""

_HELLO = 0x16
"""The first byte of TLS: a handshake record (RFC 8446, section 5.1)."""

_NEEDS_TLS = "a client does not speak TLS, which this input needs; it was disconnected"
_TURN_ON = "turn TLS on in the client (ssl_enable=True in python-logstash-async), or use another port without it"
_FAILED = "a TLS handshake failed; the client was disconnected"

_REASONS = {
    "UNSUPPORTED_PROTOCOL": (
        "the client does not support TLS 1.2 or newer",
        "update the client; older versions are insecure",
    ),
    "NO_SHARED_CIPHER": ("client and server have no cipher suite in common", "see ssl_cipher_suites"),
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client has no certificate",
        "give the client one, or write ssl_client_authentication => 'none'",
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "the certificate of the client is not trusted",
        "its authority must be in ssl_certificate_authorities, and it must not have expired",
    ),
}
_REFUSED = (
    "the client does not trust the certificate of this input",
    "give the client the authority (ca_certs in python-logstash-async); the name that it connects to must be in the "
    "certificate",
)
_HUNG_UP = ("the client hung up", f"it may not trust the certificate: {_REFUSED[1]}")


class RejectedError(Exception):
    """The client was disconnected, and warned of."""


async def open_connection(
    connection: Connection,
    sock: socket.socket,
    context: ssl.SSLContext | None,
    warnings: ClientWarnings,
    reports: SenderReports,
) -> None:
    """Set up TLS, if there is a context; returns once the connection is open.

    Raises:
        RejectedError: TLS cannot be set up, or the client speaks it and should not.
        OSError: The connection failed; if that was during the handshake, it was warned of.
    """
    head = sock.recv(MAX_HEAD_BYTES, socket.MSG_PEEK)
    host = connection.client[0]
    speaks_tls = head[:1] == bytes([_HELLO])
    if context is not None and not speaks_tls:
        sender = recognise(head, ended=True) or Sender.LINES
        warnings.warn(host, _NEEDS_TLS, kind=str(sender), help=_TURN_ON)
        raise RejectedError
    if context is None and speaks_tls and recognise(head) is Sender.TLS:
        reports.report(Sender.TLS, host)
        await say_goodbye(sock, ANSWERS[Sender.TLS])
        raise RejectedError
    loop = asyncio.get_running_loop()
    if context is None:
        plain, _ = await loop.connect_accepted_socket(lambda: connection.protocol, sock)
        connection.opened(plain)
        return
    tls = TlsProtocol(connection.protocol, context)
    transport, _ = await loop.connect_accepted_socket(lambda: tls, sock)
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await tls.handshake
    except OSError as error:
        transport.close()
        reason, help_ = _why(error)
        warnings.warn(host, _FAILED, reason=reason, help=help_)
        if isinstance(error, ssl.SSLError):
            raise RejectedError from None
        raise
    except BaseException:
        transport.abort()
        raise
    connection.opened(tls.transport)


def _why(error: OSError) -> tuple[str, str]:
    """Return why a handshake failed, and what to do."""
    if isinstance(error, ssl.SSLError):
        known = _REFUSED if "ALERT" in (error.reason or "") else (error.reason or str(error), "")
        return _REASONS.get(error.reason or "", known)
    if isinstance(error, TimeoutError):
        return f"it took longer than {HANDSHAKE_SECONDS:.0f} seconds", ""
    return _HUNG_UP


async def first_bytes(sock: socket.socket) -> ProxyHeader | None:
    """Wait for the first bytes of a connection, and skip the header of the PROXY protocol; returns the header.

    Raises:
        EOFError: There are none.
        OSError: The connection failed.
    """
    header: ProxyHeader | None = None
    for _ in range(_TRIES):
        await _readable(sock)
        head = sock.recv(MAX_HEAD_BYTES, socket.MSG_PEEK)
        if not head:
            raise EOFError
        try:
            found = parse_proxy_header(head)
        except MayBeProxyHeader:  # more is on its way
            await asyncio.sleep(_PAUSE)
            continue
        if found is None or header is not None:
            break
        header = found
        sock.recv(header.size)
    return header


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(sock.fileno(), arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(sock.fileno())
