"""``unix``: lines from a socket of the file system.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-unix, server mode. Text lines get the name
of this machine in `host` and the path in `path`, with ECS in `[host][name]` and `[file][path]`; JSON records only
`host`, if the config reads it and they lack it. The socket file has the permissions that the umask allows.

As with the input ``tcp``, bytes stay in the kernel until they are stored: a worker that is killed loses nothing, and
connections outlive a reload and an upgrade. There is one exception: the start of a line whose rest does not follow
within ten milliseconds waits in the worker. If that is killed, the rest of the line becomes a dead letter.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ingestd.event.fields import Event, FieldRef
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs import tcp
from ingestd.plugins.registry import BuildContext, ignored, option, plugin, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``unix``."""

    path: str = required("Path of the socket to listen on.")
    mode: str = option("server", "Only `server`, which listens.", choices=("server",))
    data_timeout: float = option(-1, "Seconds without data after which a connection is closed; -1: never.")
    max_connections: int = option(
        0, "Maximum number of connections; further clients wait. 0: no limit. Not in Logstash."
    )
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, fields are `[host][name]` and `[file][path]`.")


_LEGACY = {
    "force_unlink": ignored("the file of a socket that nobody listens on is always replaced, any other never"),
    "socket_not_present_retry_interval_seconds": ignored("it applies to the mode client only"),
}


def _stream_fields(opts: Options) -> Event:
    names = ecs_select(opts, disabled=("host", "path"), ecs=("[host][name]", "[file][path]"))
    fields: Event = {}
    for name, value in zip(names, (socket.gethostname(), opts.path), strict=True):
        FieldRef(name).set(fields, value)
    return fields


@plugin("input", "unix", Options, codec="line", stream=True, listens=True, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> tcp.TcpInput:
    """Lines from a socket of the file system, any number of clients."""
    if not opts.path.startswith("/"):
        raise ValueError(f'path "{opts.path}" is not absolute: start it with a slash')
    idle_timeout = max(opts.data_timeout, 0)
    options = tcp.Options(port=0, host=opts.path, max_connections=opts.max_connections, idle_timeout=idle_timeout)
    return tcp.TcpInput(options, context, fields=_stream_fields(opts))
