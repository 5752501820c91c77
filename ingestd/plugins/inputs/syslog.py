"""``syslog``: messages of syslog over UDP, TCP and sockets of the file system, such as `/dev/log`.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-syslog. UDP and TCP are received on the
same port. Beyond Logstash: messages of RFC 5424 with their structured data, messages without a host, octet counting and
NUL over TCP (RFC 6587), and `path`.

Fields: `priority`, `facility`, `severity` and their labels, `timestamp`, `logsource`, `program`, `pid`, and of RFC 5424
`msgid`, `structured_data` and `syslog_version`; the sender's address is in `host`. With ECS they are
`[log][syslog][priority]`, `[log][syslog][facility][code]`, `[log][syslog][facility][name]`,
`[log][syslog][severity][code]`, `[log][syslog][severity][name]`, `timestamp`, `[host][hostname]`, `[process][name]`,
`[process][pid]`, `[log][syslog][msgid]`, `[log][syslog][structured_data]`, `[log][syslog][version]` and `[host][ip]`.
`message` has the rest of the text. Other messages get the tag `_grokparsefailure_sysloginput` and keep their text; a
priority at their start is used, else it is 13.

TCP: nothing is lost if a process is killed, as with the input `tcp`; with TLS (`ssl_enabled`, for TCP only), the last
messages of each client are lost. UDP: as with the input `udp`. Programs that write to `path` wait while its queue is
full (`net.unix.max_dgram_qlen`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from ingestd.event.fields import FieldRef
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.inputs._datagram_input import Datagrams, DatagramServer, check_datagram_options
from ingestd.plugins.inputs._message_server import ConnectionsInput, message_connections, message_server
from ingestd.plugins.inputs._server import ServerOptions
from ingestd.plugins.inputs._syslog_fields import FACILITIES, SEVERITIES, SyslogCodec, SyslogFields
from ingestd.plugins.inputs._tcp_recognition import Framing, Framings, whole_to_nul
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.interfaces import DatagramSocket, Input
from ingestd.plugins.registry import BuildContext, Touch, option, plugin
from ingestd.protocols.framing.senders import Sender
from ingestd.protocols.records.syslog import (
    frame_fault,
    frames_as_lines,
    message_of_line,
    nul_ended_as_lines,
    whole_frames,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ServerOptions):
    """Options of the input ``syslog``."""

    port: int = option(514, "Port for UDP and TCP; 0 takes free ones, which differ.")
    use_udp: bool = option(True, "Receive over UDP. Not in Logstash.")
    use_tcp: bool = option(True, "Receive over TCP. Not in Logstash.")
    path: str = option("", "Socket of the file system to receive on as well, such as `/dev/log`. Not in Logstash.")
    path_mode: str = option("0666", "Permissions of that socket, octal. Not in Logstash.")
    grok_pattern: str = option(
        "", "Parse messages with this pattern, which should capture `timestamp`; default: RFC 3164 and RFC 5424."
    )
    syslog_field: FieldRef = option(FieldRef("message"), "Field with the text, which the codec has set.")
    timezone: str = option("", "Time zone of times without one: `Asia/Seoul`; default: the zone of this machine.")
    locale: str = option("", "Language of the names of months: `en`, `fr-FR`, `de_DE`; default: `en`.")
    use_labels: bool = option(True, "Set the names of facility and severity as well.")
    facility_labels: list[str] = option(FACILITIES, "Names of the facilities, from 0.")
    severity_labels: list[str] = option(SEVERITIES, "Names of the severities, from 0.")
    service_type: str = option("system", "With ECS: `[service][type]` of events that have none.")
    receive_buffer_bytes: int = option(0, "UDP: as for the input `udp`. Not in Logstash.")
    tcp_keep_alive: bool = option(False, "TCP: ask the system to probe idle connections.")
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, fields are those of the Elastic Common Schema.")


def _fields(opts: Options) -> SyslogFields:
    return SyslogFields(
        ecs=uses_ecs(opts),
        field=opts.syslog_field,
        grok_pattern=opts.grok_pattern,
        timezone=opts.timezone,
        locale=opts.locale,
        service_type=opts.service_type,
        labels=(opts.facility_labels, opts.severity_labels) if opts.use_labels else None,
    )


def _touches(opts: Options) -> Touch:
    return _fields(opts).touches()


_SENDERS = frozenset({Sender.SYSLOG, Sender.SYSLOG_NUL, Sender.SYSLOG_OCTETS})


def _framings(max_bytes: int) -> Framings:
    fault = partial(frame_fault, max_bytes=max_bytes)
    return {
        Sender.SYSLOG_NUL: Framing(whole_to_nul, nul_ended_as_lines, b"\0"),
        Sender.SYSLOG_OCTETS: Framing(whole_frames, frames_as_lines, b"", fault),
    }


def _connections(opts: Options, context: BuildContext, codec: SyslogCodec) -> ConnectionsInput:
    context, framings = replace(context, codec=codec), _framings(context.settings.max_line_bytes)
    return message_connections(opts, context, framings, _SENDERS, keep_alive=opts.tcp_keep_alive)


def _datagram_sockets(opts: Options) -> list[DatagramSocket]:
    sockets = [DatagramSocket(opts.host, opts.port, receive_buffer_bytes=opts.receive_buffer_bytes)] * opts.use_udp
    if opts.path:
        sockets.append(DatagramSocket(path=opts.path, mode=socket_mode(opts.path_mode, "path_mode")))
    return sockets


def socket_mode(text: str, name: str) -> int:
    """Return permissions that are given in octal digits. Raises ValueError."""
    if not text or not set(text) <= set("01234567") or int(text, 8) > 0o777:
        raise ValueError(f'{name} "{text}" is not possible: write permissions such as "0666"')
    return int(text, 8)


@plugin(
    "input",
    "syslog",
    Options,
    codec="plain",
    listens=True,
    touches=_touches,
    legacy=TLS_LEGACY,
    option_warnings=tls_warnings,
)
def build(opts: Options, context: BuildContext) -> Input:
    """Messages of syslog over UDP and TCP, RFC 3164 and 5424."""
    check_datagram_options(opts.port, receive_buffer_bytes=opts.receive_buffer_bytes)
    fields = _fields(opts)
    codec = SyslogCodec(context.codec, fields.names.sender, message_of_line=message_of_line)
    codec.stages = fields.stages(context)
    sockets = _datagram_sockets(opts)
    datagrams = DatagramServer(Datagrams(sockets, context), codec, context) if sockets else None
    return message_server(_connections(opts, context, codec) if opts.use_tcp else None, datagrams, codec)
