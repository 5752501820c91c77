"""What a running daemon knows: its counts, its pipelines, and what they find at Kafka's brokers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from http import HTTPStatus

from ingestd import metrics
from ingestd.diagnosis.facts import DroppedDatagrams, KafkaState, UnsupportedClients
from ingestd.diagnosis.kafka_checks import kafka_states
from ingestd.settings import Settings
from ingestd.web.auth.access import AccessError, load_access, path_prefix

_TIMEOUT_S = 5.0
_KAFKA_TIMEOUT_S = 60.0
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
        kafka: What its inputs and outputs ``kafka`` find at their brokers.
        fills_store: Whether its pipelines write to a store that can be queried.
        problem: Why its pages cannot be read; empty: they can, or it serves none.
    """

    senders: tuple[UnsupportedClients, ...] | None = None
    dropped: tuple[DroppedDatagrams, ...] = ()
    kafka: tuple[KafkaState, ...] = ()
    fills_store: bool = True
    problem: str = ""


def daemon_counts(settings: Settings) -> DaemonCounts:
    """Return what this machine's daemon has counted, as far as its pages may be read.

    With a password and no token, they are not for programs.
    """
    if settings.http is None:
        return DaemonCounts()
    try:
        text = _get(settings, "/metrics")
    except (OSError, ValueError, AccessError, http.client.HTTPException) as error:
        return DaemonCounts(problem=_reason(error))
    counts = DaemonCounts(
        senders=tuple(UnsupportedClients(match[1], match[2], int(match[3])) for match in _SERIES.finditer(text)),
        dropped=tuple(
            DroppedDatagrams(match[1], int(match[2])) for match in _DROPPED.finditer(text) if match[2] != "0"
        ),
    )
    with contextlib.suppress(OSError, ValueError, KeyError, AccessError, http.client.HTTPException):
        found = json.loads(_get(settings, "/api/pipelines"))
        counts = replace(counts, fills_store=found["fills_store"])
        kinds = {plugin["kind"] for part in found["pipelines"] for plugin in (*part["inputs"], *part["outputs"])}
        if "kafka" in kinds:
            asked = json.loads(_get(settings, "/api/kafka", _KAFKA_TIMEOUT_S))
            counts = replace(counts, kafka=kafka_states(asked["kafka"]))
    return counts


def bearer(token: str) -> str:
    """Return the header ``Authorization`` for a token: http.client writes headers in Latin-1, daemons read UTF-8."""
    return f"Bearer {token}".encode().decode("latin-1")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError) and error.code == HTTPStatus.UNAUTHORIZED:
        return "it requires a token (http_token)"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return os.strerror(reason.errno) if isinstance(reason, OSError) and reason.errno else str(reason)


def _get(settings: Settings, path: str, timeout_s: float = _TIMEOUT_S) -> str:
    address = settings.http
    if address is None:
        raise ValueError("not served")
    host = _ANY_HOST.get(address.host, f"[{address.host}]" if ":" in address.host else address.host)
    access = load_access(settings)
    headers = {"Authorization": bearer(access.token)} if access.token else {}
    request = urllib.request.Request(f"http://{host}:{address.port}{path_prefix(settings)}{path}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout_s) as answer:
        return str(answer.read().decode("utf-8", "replace"))
