r"""``syslog``: events as messages to a syslog server, over UDP, TCP or TLS.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-syslog. Over TCP and TLS each message
ends with a line feed. What the outputs `tcp` and `udp` say about delivery holds here as well: over UDP events may be
lost on the way, and after a broken connection messages may arrive twice. A line end inside a message becomes `\n`, and
NUL `\0`: either may end a message for the server.

Unlike in Logstash:

- Labels may also be those of syslog.conf(5) and of log levels (`kern`, `auth`, `err`, `warn`, `info`), in any case, and
  `local0` to `local7`, `ftp` and others have the numbers of the RFC. Unknown labels count as `user-level` and `notice`.
- A part of the header is `-` if the event lacks its field. Blanks and other characters that a header may not have
  become `_`, and a part is cut to the length in the RFC. With RFC 3164 the tag has no brackets without a `procid`.
- Quotes, brackets and backslashes of fields inside the quotes of `structured_data` are escaped.
- A certificate is checked unless `ssl_verification_mode => none`.
- A datagram does not end with a line feed. One that is too long becomes a dead letter.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.fields import Event, FieldRef
from ingestd.event.sprintf import Template, split_template
from ingestd.plugins.codecs.plain import PlainCodec
from ingestd.plugins.interfaces import Codec
from ingestd.plugins.outputs._messages import messages
from ingestd.plugins.outputs._tcp_sender import TcpSender, check_address
from ingestd.plugins.outputs._tls import CLIENT_TLS_LEGACY, ClientTlsOptions, client_context, load_revocations
from ingestd.plugins.outputs._udp_sender import UdpSender
from ingestd.plugins.outputs.tcp import TcpOutput
from ingestd.plugins.outputs.udp import UdpOutput
from ingestd.plugins.registry import BuildContext, OptionError, Touch, option, plugin, replaced, required
from ingestd.protocols.records.syslog_writer import (
    NIL,
    Header,
    bsd_message,
    escaped,
    message_text,
    priority_of_labels,
    priority_of_text,
    structured_message,
)

_BSD_TIME = Template("%{+MMM dd HH:mm:ss}")
_TIME = Template("%{+YYYY-MM-dd'T'HH:mm:ss.SSSZZ}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ClientTlsOptions):
    """Options of the output ``syslog``."""

    host: str = required("The server's name or address.")
    port: int = required("Its port, such as 514, or 6514 for TLS.")
    protocol: str = option("udp", "How messages are sent.", choices=("udp", "tcp", "ssl-tcp"))
    rfc: str = option("rfc3164", "The format of messages.", choices=("rfc3164", "rfc5424"))
    reconnect_interval: float = option(1, "Seconds between two attempts to connect, or to send a datagram.")
    use_labels: bool = option(True, "Use `facility` and `severity`; false: `priority`.")
    facility: Template = option(Template("user-level"), "Label of the facility; may hold %{field}.")
    severity: Template = option(Template("notice"), "Label of the severity, such as `%{level}`; may hold %{field}.")
    priority: Template = option(
        Template("%{syslog_pri}"), "Facility times 8 plus severity; 13 if it is not a valid priority."
    )
    sourcehost: Template = option(Template("%{host}"), "The host in the message; may hold %{field}.")
    appname: Template = option(Template("LOGSTASH"), "The program; may hold %{field}.")
    procid: Template = option(Template(NIL), "The program's process id; may hold %{field}.")
    msgid: Template = option(Template(NIL), "With RFC 5424: the kind of message; may hold %{field}.")
    structured_data: Template | None = option(
        None, 'With RFC 5424: its elements, such as `[shop@32473 user="%{user}"]`; may hold %{field}.'
    )
    message: Template = option(
        Template("%{message}"), "The text of the message; not used if the codec is not `plain`, or has a `format`."
    )
    ssl_crl_path: str | None = option(None, "PEM file with the list of revoked certificates (CRL) of each authority.")
    ssl_crl_check: list[str] = option(
        [], "`chain`: check all certificates for revocation. Empty: only the server's.", choices=("chain",)
    )

    def templates(self) -> Iterator[Template]:
        """Yield the texts that may hold fields."""
        yield from (self.facility, self.severity, self.priority, self.sourcehost, self.appname, self.procid)
        yield from (self.msgid, self.message, _TIME)
        if self.structured_data is not None:
            yield self.structured_data


def touches(opts: Options) -> Touch:
    """Return the fields that messages are made of."""
    return Touch(reads=frozenset().union(*(template.reads for template in opts.templates())))


class MessageWriter:
    """Makes the messages of events."""

    def __init__(self, opts: Options, codec: Codec) -> None:
        self._tops = sorted({FieldRef(name).top for name in touches(opts).reads})
        self._text = opts.message.render if isinstance(codec, PlainCodec) and not codec.format else None
        self._codec = codec
        self._message = _message_of_rfc3164(opts) if opts.rfc == "rfc3164" else _message_of_rfc5424(opts)

    def messages(self, batch: Batch) -> list[bytes]:
        """Return the message of each event, without a line end."""
        events = batch.fields(self._tops)
        if self._text is not None:
            texts = [*map(self._text, events)]
        else:
            texts = [text.decode("utf-8", "replace") for text in messages(self._codec, batch)]
        return [
            self._message(event, message_text(text)).encode("utf-8", "replace")
            for event, text in zip(events, texts, strict=True)
        ]


def _part(template: Template) -> Callable[[Event], str]:
    """Return the function that makes a part of the header: empty if the event lacks a field."""
    render = template.render

    def part(event: Event) -> str:
        text = render(event)
        return "" if "%{" in text else text

    return part


def _priority(opts: Options) -> Callable[[Event], int]:
    facility, severity, priority = opts.facility.render, opts.severity.render, opts.priority.render
    if opts.use_labels:
        return lambda event: priority_of_labels(facility(event), severity(event))
    return lambda event: priority_of_text(priority(event))


def _header(opts: Options, time: Template) -> Callable[[Event], Header]:
    priority, stamp = _priority(opts), time.render
    parts = [_part(part) for part in (opts.sourcehost, opts.appname, opts.procid, opts.msgid)]
    return lambda event: Header(priority(event), stamp(event), *[part(event) for part in parts])


def _message_of_rfc3164(opts: Options) -> Callable[[Event, str], str]:
    header = _header(opts, _BSD_TIME)
    return lambda event, text: bsd_message(header(event), text)


def _message_of_rfc5424(opts: Options) -> Callable[[Event, str], str]:
    header, data = _header(opts, _TIME), structured_data(opts.structured_data)
    return lambda event, text: structured_message(header(event), data(event), text)


def structured_data(template: Template | None) -> Callable[[Event], str]:
    """Return the function that makes structured data: fields inside quotes are escaped, missing ones empty."""
    parts: list[Callable[[Event], str]] = []
    quoted = False
    for piece in split_template("" if template is None else template.text):
        part = Template(piece)
        if part.static is None:
            parts.append(_escaped(_part(part)) if quoted else _part(part))
        else:
            parts.append(part.render)
            quoted ^= bool(piece.count('"') % 2)
    return lambda event: "".join([part(event) for part in parts])


def _escaped(part: Callable[[Event], str]) -> Callable[[Event], str]:
    return lambda event: escaped(part(event))


def _tls(opts: Options) -> ssl.SSLContext | None:
    if opts.protocol != "ssl-tcp":
        return None
    context = client_context(opts)
    if opts.ssl_crl_path is not None:
        load_revocations(context, opts.ssl_crl_path, chain=bool(opts.ssl_crl_check))
    return context


_LEGACY = CLIENT_TLS_LEGACY | {
    "ssl_crl": replaced("ssl_crl_path"),
    "ssl_crl_check_all": replaced("ssl_crl_check", true="chain", false=""),
}


@plugin("output", "syslog", Options, codec="plain", touches=touches, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> TcpOutput | UdpOutput:
    """A syslog server, such as rsyslog or syslog-ng."""
    check_address(opts.host, opts.port, opts.reconnect_interval)
    if opts.structured_data is not None and opts.rfc == "rfc3164":
        raise OptionError("structured_data needs rfc => rfc5424", opts.structured_data.text)
    writer = MessageWriter(opts, context.codec)
    if opts.protocol == "udp":
        sender = UdpSender(opts.host, opts.reconnect_interval, context.plugin_id, context.dead_letters)
        return UdpOutput(Template(str(opts.port)), writer.messages, sender)
    connection = TcpSender(opts.host, opts.port, opts.reconnect_interval, _tls(opts), context.plugin_id)
    return TcpOutput(lambda batch: b"".join([message + b"\n" for message in writer.messages(batch)]), connection)
