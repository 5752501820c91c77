"""The index template: how the fields of log events are indexed, on every supported server.

Logs of many programs share an index, so no document may be rejected because of a single field:

* ``index.mapping.ignore_malformed``: a value that does not fit its field is kept in the document and not
  indexed (Elasticsearch's and OpenSearch's pages on ``ignore_malformed``).
* ``host`` comes as a string (python-logstash) and as an object (ECS). Elasticsearch from 8.14 accepts both, and
  finds both, with ``subobjects: false``: every path is one field with a dotted name, so ``host`` and
  ``host.name`` can coexist. This holds for all other fields too. OpenSearch's counterpart, ``disable_objects``,
  breaks ``geo_point`` and, in 3.5, the field list of its dashboards; but there a string field with
  ``ignore_malformed`` accepts an object (seen on 2.19 and 3.8): ``host`` is found where it is a string. Older
  Elasticsearch does neither: there ``host`` is kept and not indexed.
* A string field is a keyword, and no string is detected as a date or a number: Django's
  ``server_time`` "22/Nov/2026 10:00:00" of the first event must not rule out those of all later ones.
* More than `TOTAL_FIELDS` fields: Elasticsearch from 8.14 keeps the excess fields without indexing
  them; OpenSearch then rejects documents with new fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ingestd.stores.elastic.client import ElasticClient, Server
from ingestd.stores.elastic.errors import ElasticResponseError

TEMPLATE_NAME = "ingestd"
VERSION = 3
"""Increased with every change of `template`, so that an older one of ours is replaced."""

PRIORITY = 200  # above the servers' own templates (100) and those of beats (150)
TOTAL_FIELDS = 2000

KEYWORD_CHARS = 1024
"""Longer strings are kept and not indexed as a keyword. Lucene rejects terms above 32,766 bytes; far shorter
terms are of no use for counting and sorting, and cost disk space with every document."""

MESSAGE_KEYWORD_CHARS = 256  # as in Logstash's template: only short messages repeat verbatim

SUBOBJECTS_OFF = (8, 14, 0)
"""From this version of Elasticsearch on, ``subobjects: false`` works, and too many fields are not an error."""

_REFERENCE = re.compile(r"%\{.*?\}\}?")


def index_pattern(index: str) -> str:
    """Return the pattern of all indices that an ``index`` option can make.

    ``logstash-%{+YYYY.MM.dd}`` has ``logstash-*``.

    Raises:
        ValueError: The option starts with a reference, so that the template would match every index.
    """
    pattern = re.sub(r"\*+", "*", _REFERENCE.sub("*", index))
    if pattern.startswith("*"):
        raise ValueError(f"the index {index!r} does not start with fixed text: set manage_template => false")
    return pattern


def template(pattern: str, *, server: Server) -> dict[str, Any]:
    """Return the body of ``PUT _index_template/...`` for the indices that ``pattern`` names."""
    subobjects_off = server.flavour == "elasticsearch" and server.version >= SUBOBJECTS_OFF
    keyword = {"type": "keyword", "ignore_above": KEYWORD_CHARS}
    host: dict[str, Any] = keyword
    if server.flavour == "elasticsearch" and not subobjects_off:
        host = {"type": "object", "enabled": False}
    limit: dict[str, Any] = {"limit": TOTAL_FIELDS}
    if subobjects_off:
        limit["ignore_dynamic_beyond_limit"] = True
    properties = _fields(keyword) | {"host": host}
    mappings: dict[str, Any] = {
        "date_detection": False,
        "numeric_detection": False,
        "dynamic_templates": [
            # Stack traces are long and are searched for words; a keyword above its limit is not found at all.
            {"stack_traces": {"match": "*stack_trace", "match_mapping_type": "string", "mapping": {"type": "text"}}},
            {"strings": {"match_mapping_type": "string", "mapping": keyword}},
            # The servers' own choice, float, makes 0.1 of a range or a count 0.10000000149.
            {"numbers": {"match_mapping_type": "double", "mapping": {"type": "double"}}},
        ],
        "properties": properties | (_objects(keyword) if subobjects_off else {}),
    }
    if subobjects_off:
        mappings["subobjects"] = False
    return {
        "index_patterns": [pattern],
        "priority": PRIORITY,
        "version": VERSION,
        "_meta": {"managed_by": "ingestd"},
        "template": {
            "settings": {
                "index": {"refresh_interval": "5s", "mapping": {"ignore_malformed": True, "total_fields": limit}}
            },
            "mappings": mappings,
        },
    }


def _fields(keyword: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Django handler and of the default pipeline, all but ``host``."""
    keywords = ("@version", "level", "logger_name", "method", "path", "request_path", "search_word", "tags", "type")
    return {
        # Without a time no search by time finds an event; a dead letter is better.
        "@timestamp": {"type": "date", "ignore_malformed": False},
        "message": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": MESSAGE_KEYWORD_CHARS}}},
        "stack_trace": {"type": "text"},
        **{name: dict(keyword) for name in keywords},
        "status_code": {"type": "integer"},
        "bytes": {"type": "long"},
        "duration_ms": {"type": "double"},
        "visit": {"type": "boolean"},
        "client_ip": {"type": "ip"},
        "geoip.ip": {"type": "ip"},
        "geoip.location": {"type": "geo_point"},
        "geoip.geo.location": {"type": "geo_point"},
    }


def _objects(keyword: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Elastic Common Schema in objects that other programs send as a string.

    Only where both can coexist: elsewhere ``source: "web"`` would be rejected because of ``source.ip``.
    """
    return {
        "host.name": dict(keyword),
        **{f"{name}.ip": {"type": "ip"} for name in ("client", "source")},
        **{f"{name}.geo.location": {"type": "geo_point"} for name in ("client", "source")},
    }


async def install_template(
    client: ElasticClient,
    index: str,
    *,
    template_name: str = TEMPLATE_NAME,
    template_file: str | None = None,
    template_overwrite: bool = False,
) -> bool:
    """Install the template unless one with this name exists; return whether it was installed.

    One that an older version of ingestd installed is replaced, one for other indices is extended to these.

    Args:
        client: The connection.
        index: The output's ``index`` option.
        template_name: As Logstash's option.
        template_file: Logstash's ``template``: a JSON file instead of ours, composable or in the older format.
        template_overwrite: Replace any template with this name.

    Raises:
        ValueError: The file or ``index`` is invalid.
        ElasticUnavailable: No answer.
        ElasticResponseError: The server rejects it.
    """
    pattern = index_pattern(index)
    patterns = [pattern]
    existing = await _installed(client, template_name)
    if existing is not None and not template_overwrite:
        if template_file is not None or existing.get("_meta", {}).get("managed_by") != "ingestd":
            return False
        patterns = sorted({pattern, *existing["index_patterns"]})
        if existing.get("version", 0) >= VERSION and patterns == sorted(existing["index_patterns"]):
            return False
    if template_file:
        body = read_template(template_file, pattern)
    else:
        body = template(pattern, server=await client.server()) | {"index_patterns": patterns}
    await client.api.indices.put_index_template(name=template_name, body=body)
    return True


async def _installed(client: ElasticClient, template_name: str) -> dict[str, Any] | None:
    """Return the index template with this name, None if there is none."""
    try:
        answer = await client.api.indices.get_index_template(name=template_name)
    except ElasticResponseError as error:
        if error.status == 404:
            return None
        raise
    installed: dict[str, Any] = answer["index_templates"][0]["index_template"]
    return installed


def read_template(name: str, pattern: str) -> dict[str, Any]:
    """Read a template file; one in the older format (``PUT _template``) is turned into a composable one.

    Raises:
        ValueError: The file is missing or is not a template.
    """
    try:
        body = orjson.loads(Path(name).read_bytes())
    except OSError as error:
        raise ValueError(f"template: {name} cannot be read: {(error.strerror or 'unknown').lower()}") from None
    except orjson.JSONDecodeError as error:
        raise ValueError(f"template: {name} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError(f"template: {name} is not a JSON object")
    if isinstance(body.get("template"), dict) or "composed_of" in body:
        return {"index_patterns": [pattern]} | body
    inner = {key: body[key] for key in ("settings", "mappings", "aliases") if key in body}
    if not inner:
        raise ValueError(f"template: {name} has neither settings nor mappings")
    patterns = body.get("index_patterns") or body.get("template") or pattern
    return {
        "index_patterns": [patterns] if isinstance(patterns, str) else patterns,
        "priority": body.get("order", PRIORITY),
        "template": inner,
    }
