"""What a running daemon counts, read from its ``/metrics``."""

from __future__ import annotations

import http.client
import re
import urllib.request

from ingestd import metrics
from ingestd.diagnosis.facts import UnsupportedClients
from ingestd.settings import Settings
from ingestd.web.auth.access import AccessError, load_access, path_prefix

_TIMEOUT_S = 5.0
_SERIES = re.compile(
    rf'^{metrics.SENDERS_UNSUPPORTED.name}{{input="([^"]*)",kind="([^"]*)",pipeline="[^"]*"}} ([0-9]+)', re.MULTILINE
)
_ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- nothing listens here


def unsupported_clients(settings: Settings) -> tuple[UnsupportedClients, ...] | None:
    """Return the connections to this machine's daemon that no input is for, None if they are unknown.

    With a password and no token, ``/metrics`` is not for programs.
    """
    try:
        text = _metrics(settings)
    except (OSError, ValueError, AccessError, http.client.HTTPException):
        return None
    return tuple(UnsupportedClients(match[1], match[2], int(match[3])) for match in _SERIES.finditer(text))


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
