"""What the snapshot interface of Elasticsearch and OpenSearch says, read into our own words.

https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-snapshot; the same in OpenSearch. What we must know
of a snapshot later is in its ``metadata``: which index it is of, how many events it had, and which index of that name.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from ingestd.stores.backups import Repository, Snapshot, State
from ingestd.stores.local.files.layout import day_of

_STATES: Mapping[str, State] = {
    "SUCCESS": "success",
    "PARTIAL": "partial",
    "FAILED": "failed",
    "INCOMPATIBLE": "failed",
    "IN_PROGRESS": "running",
    "STARTED": "running",
}
_SETTINGS = ("bucket", "region", "base_path", "endpoint", "location", "client")
_TIME = re.compile(r"-\d{14}$")


def metadata(index: str, events: int, origin: str) -> dict[str, Any]:
    """Return what is noted with a snapshot when it is made."""
    return {"ingestd": {"index": index, "events": events, "origin": origin}}


def read_snapshot(found: Mapping[str, Any]) -> Snapshot:
    """Return one of the ``snapshots`` of an answer. Those of others, as Curator's, are understood by their name."""
    own = (found.get("metadata") or {}).get("ingestd") or {}
    indices = found.get("indices") or []
    name = str(found["snapshot"])
    index = str(own.get("index") or (indices[0] if len(indices) == 1 else _TIME.sub("", name)))
    millis = found.get("start_time_in_millis") or 0
    return Snapshot(
        name=name,
        index=index,
        day=day_of(index),
        state=_STATES.get(str(found.get("state")), "failed"),
        events=own.get("events"),
        bytes=None,
        started=datetime.datetime.fromtimestamp(millis / 1000, datetime.UTC),
        origin=str(own.get("origin", "")),
        reason=_reason(found),
    )


def _reason(found: Mapping[str, Any]) -> str:
    failures = found.get("failures") or []
    parts = [str(one.get("reason", one))[:300] for one in failures[:3]]
    return "; ".join([*filter(None, [found.get("reason")]), *parts])


def repository_body(repository: Repository) -> dict[str, Any]:
    """Return the body of ``PUT _snapshot/NAME``."""
    settings = dict(repository.settings)
    if repository.kind == "s3" and "base_path" in settings:
        settings["base_path"] = settings["base_path"].strip("/")
    return {"type": repository.kind, "settings": settings}


def read_repositories(answer: Mapping[str, Any]) -> list[Repository]:
    """Return the repositories of ``GET _snapshot`` that are a folder or a bucket."""
    found = []
    for name, body in sorted(answer.items()):
        if not isinstance(body, dict):  # of something else that passes for a server
            continue
        settings = {key: str(value) for key, value in body.get("settings", {}).items() if key in _SETTINGS}
        kind = body.get("type")
        if kind == "s3":
            found.append(Repository(name, "s3", settings))
        elif kind == "fs":
            found.append(Repository(name, "fs", settings))
    return found
