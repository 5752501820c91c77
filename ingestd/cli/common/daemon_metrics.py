"""What a running daemon counts, read from its ``/metrics``."""

from __future__ import annotations

import http.client
import re
import urllib.request
from dataclasses import dataclass

from ingestd import metrics
from ingestd.diagnosis.facts import DroppedDatagrams, UnsupportedClients
from ingestd.settings import Settings
from ingestd.web.auth.access import AccessError, load_access, path_prefix

_TIMEOUT_S = 5.0
_SERIES = re.compile(
    rf'^{metrics.SENDERS_UNSUPPORTED.name}{{input="([^"]*)",kind="([^"]*)",pipeline="[^"]*"}} ([0-9]+)', re.MULTILINE
)
_DROPPED = re.compile(rf'^{metrics.DATAGRAMS_DROPPED.name}{{input="([^"]*)",pipeline="[^"]*"}} ([0-9]+)', re.MULTILINE)
_ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- nothing listens here


@dataclass(frozen=True, slots=True)
class DaemonCounts:
    """What a running daemon has counted.

    Attributes:
        senders: Connections that no input is for; None: unknown.
        dropped: Datagrams that the kernel dropped.
    """

    senders: tuple[UnsupportedClients, ...] | None = None
    dropped: tuple[DroppedDatagrams, ...] = ()


def daemon_counts(settings: Settings) -> DaemonCounts:
    """Return what this machine's daemon has counted.

    With a password and no token, ``/metrics`` is not for programs.
    """
    try:
        text = _metrics(settings)
    except (OSError, ValueError, AccessError, http.client.HTTPException):
        return DaemonCounts()
    return DaemonCounts(
        tuple(UnsupportedClients(match[1], match[2], int(match[3])) for match in _SERIES.finditer(text)),
        tuple(DroppedDatagrams(match[1], int(match[2])) for match in _DROPPED.finditer(text) if match[2] != "0"),
    )


def _metrics(settings: Settings) -> str:
    address = settings.http
    if address is None:
        raise ValueError("not served")
    host = _ANY_HOST.get(address.host, f"[{address.host}]" if ":" in address.host else address.host)
    access = load_access(settings)
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    request = urllib.request.Request(f"http://{host}:{address.port}{path_prefix(settings)}/metrics", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        return str(answer.read().decode("utf-8", "replace"))
