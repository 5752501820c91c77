"""Snapshots and repositories in the API of Elasticsearch and OpenSearch, from and to `Snapshot` and `Repository`.

https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-snapshot; the same in OpenSearch. What we
need to know about a snapshot later is in its ``metadata``: the name and UUID of the index, and its number of events.
Elasticsearch before 7.3 has no such thing: there the last two are part of the snapshot's name.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Mapping
from typing import Any

from ingestd.stores.backups import Repository, Snapshot, SnapshotState
from ingestd.stores.index_names import day_of

_STATES: Mapping[str, SnapshotState] = {
    "SUCCESS": "success",
    "PARTIAL": "partial",
    "FAILED": "failed",
    "INCOMPATIBLE": "failed",
    "IN_PROGRESS": "running",
    "STARTED": "running",
}
_SETTINGS = ("bucket", "region", "base_path", "endpoint", "location", "client")
_TIME = re.compile(r"-\d{14}(?:\.(?P<events>\d+)\.(?P<uuid>[0-9a-f]+))?\Z")
_UUID_CHARS = 22
"""Of a UUID that a server makes, in base64; its 16 bytes are 32 hexadecimal digits, as names have no capitals."""


def metadata(index: str, events: int, index_uuid: str) -> dict[str, Any]:
    """Return the ``metadata`` of a new snapshot."""
    return {"ingestd": {"index": index, "events": events, "origin": index_uuid}}


def name_with_metadata(name: str, events: int, index_uuid: str) -> str:
    """Return the name of a snapshot with what is otherwise in its ``metadata``."""
    return f"{name}.{events}.{_uuid_digits(index_uuid)}"


def _metadata_in_name(name: str) -> dict[str, Any]:
    match = _TIME.search(name)
    if match is None or match["uuid"] is None:
        return {}
    return {"events": int(match["events"]), "origin": _uuid(match["uuid"])}


def _uuid_digits(uuid: str) -> str:
    return base64.urlsafe_b64decode(uuid + "==").hex() if len(uuid) == _UUID_CHARS else uuid


def _uuid(digits: str) -> str:
    if len(digits) != 32:
        return digits  # one of ours
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).decode().rstrip("=")


def read_snapshot(entry: Mapping[str, Any]) -> Snapshot:
    """Read one of the ``snapshots`` of a response. Those made by others, such as Curator, have no metadata of ours."""
    name = str(entry["snapshot"])
    own = (entry.get("metadata") or {}).get("ingestd") or _metadata_in_name(name)
    indices = entry.get("indices") or []
    index = str(own.get("index") or (indices[0] if len(indices) == 1 else _TIME.sub("", name)))
    millis = entry.get("start_time_in_millis") or 0
    return Snapshot(
        name=name,
        index=index,
        day=day_of(index),
        state=_STATES.get(str(entry.get("state")), "failed"),
        events=own.get("events"),
        bytes=None,
        started=datetime.datetime.fromtimestamp(millis / 1000, datetime.UTC),
        index_uuid=str(own.get("origin", "")),
        reason=_reason(entry),
    )


def _reason(entry: Mapping[str, Any]) -> str:
    failures = entry.get("failures") or []
    parts = [str(failure.get("reason", failure))[:300] for failure in failures[:3]]
    return "; ".join([*filter(None, [entry.get("reason")]), *parts])


def repository_body(repository: Repository) -> dict[str, Any]:
    """Return the body of ``PUT _snapshot/NAME``."""
    settings = dict(repository.settings)
    if repository.kind == "s3" and "base_path" in settings:
        settings["base_path"] = settings["base_path"].strip("/")
    return {"type": repository.kind, "settings": settings}


def read_repositories(answer: Mapping[str, Any]) -> list[Repository]:
    """Return the repositories of ``GET _snapshot`` that are a folder or a bucket."""
    repositories = []
    for name, body in sorted(answer.items()):
        if not isinstance(body, dict):  # not a response of either server
            continue
        settings = {key: str(value) for key, value in body.get("settings", {}).items() if key in _SETTINGS}
        kind = body.get("type")
        if kind == "s3":
            repositories.append(Repository(name, "s3", settings))
        elif kind == "fs":
            repositories.append(Repository(name, "fs", settings))
    return repositories
