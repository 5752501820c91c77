"""What events get of the request that brought them, under Logstash's names.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-http#plugins-inputs-http-ecs_metadata
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingestd.event.fields import Event, FieldRef

_RENAMED = {"accept": "http_accept", "host": "http_host", "user_agent": "http_user_agent"}
_SECRET = frozenset({"authorization", "proxy_authorization"})
_HOST_AND_PORT = re.compile(r"(?:([^:\[\]]+)|\[(.*)\]):(\d{1,5})")


def headers_of(method: str, path: str, version: str, headers: Iterable[tuple[str, str]]) -> Event:
    """Return the headers of a request, and its first line, without secrets; of a repeated header the last one."""
    named: Event = {}
    for name, value in headers:
        key = name.lower().replace("-", "_")
        if key not in _SECRET:
            named[_RENAMED.get(key, key)] = value
    return named | {"request_method": method, "request_path": path, "http_version": version}


def request_fields(
    headers: Event, client: str, headers_target: FieldRef, client_target: FieldRef, *, ecs: bool
) -> Event:
    """Return the fields of the events of a request.

    Args:
        headers: See ``headers_of``.
        client: Address of the client.
        headers_target: Field for the headers.
        client_target: Field for the client.
        ecs: Whether the headers that the Elastic Common Schema has a field for get it, too.
    """
    fields = _ecs_fields(headers) if ecs else {}
    headers_target.set(fields, headers)
    client_target.set(fields, client)
    return fields


def _ecs_fields(headers: Event) -> Event:
    domain, port = _domain_and_port(headers.get("http_host", ""))
    body = {"bytes": headers["content_length"]} if "content_length" in headers else {}
    request = {"body": body, "mime_type": headers.get("content_type")}
    fields: Event = {
        "http": {"version": headers["http_version"], "method": headers["request_method"], "request": request},
        "url": {"path": headers["request_path"], "domain": domain, "port": port},
        "user_agent": {"original": headers.get("http_user_agent")},
    }
    return _without_empty(fields)


def _without_empty(fields: Event) -> Event:
    """Return fields without those that have no value."""
    kept = {name: _without_empty(value) if type(value) is dict else value for name, value in fields.items()}
    return {name: value for name, value in kept.items() if value not in (None, "", {})}


def _domain_and_port(host: str) -> tuple[str, int | None]:
    match = _HOST_AND_PORT.fullmatch(host)
    return (match[1] or match[2], int(match[3])) if match else (host, None)
