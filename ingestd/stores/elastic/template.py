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
* Our own fields are mapped from the start, so that a record with thousands of keys cannot take their places.
* More than `TOTAL_FIELDS` fields: Elasticsearch from 8.14 keeps the excess fields without indexing
  them, which `field_limit` finds out; OpenSearch and older Elasticsearch then reject documents with new fields.
* Elasticsearch 6 to 7.8 have templates of the older form, ``PUT _template``; those of 6 have a mapping type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ingestd.stores.elastic.connection.server import DEFAULT_TYPE, Server

TEMPLATE_NAME = "ingestd"
VERSION = 5
"""Increased with every change of `template`, so that an older one of ours is replaced."""

PRIORITY = 200  # above the servers' own templates (100) and those of beats (150)
TOTAL_FIELDS = 2000

KEYWORD_CHARS = 1024
"""Longer strings are kept and not indexed as a keyword. Lucene rejects terms above 32,766 bytes; far shorter
terms are of no use for counting and sorting, and cost disk space with every document."""

MESSAGE_KEYWORD_CHARS = 256  # as in Logstash's template: only short messages repeat verbatim

MANAGED_BY = {"managed_by": "ingestd"}
"""The ``_meta`` of a template of ours: of the template itself, or of the mapping in one of the older form."""

_MAPPING_KEYS = frozenset(
    {"properties", "dynamic", "dynamic_templates", "dynamic_date_formats", "date_detection", "numeric_detection"}
    | {"subobjects", "runtime", "_meta", "_source", "_routing", "_field_names", "_all"}
)
"""Keys of a mapping; a mapping of Elasticsearch 6 has a single other key instead, the mapping type."""

_KEYWORDS = frozenset(
    {"@version", "level", "logger_name", "method", "path", "problem", "problem_title", "referrer", "request_path"}
    | {"search_word", "tags", "type", "user_agent"}
)

_GEOIP_KEYWORDS = (
    *("city_name", "continent_code", "continent_name", "country_code2", "country_code3", "country_name"),
    *("postal_code", "region_code", "region_iso_code", "region_name", "timezone", "as_org"),
)

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


def template(pattern: str, *, server: Server, document_type: str = DEFAULT_TYPE) -> dict[str, Any]:
    """Return the body of ``PUT _index_template/...``, or of ``PUT _template/...`` for an older server.

    Args:
        pattern: Names the indices.
        server: Where it goes to.
        document_type: Mapping type of the indices, for a server that has types.
    """
    settings, mappings = _settings(server), _mappings(server)
    if not server.composable_templates:
        mappings = {"_meta": MANAGED_BY, **mappings}
        return older_form([pattern], settings, mappings, server, document_type) | {"version": VERSION}
    return {
        "index_patterns": [pattern],
        "priority": PRIORITY,
        "version": VERSION,
        "_meta": MANAGED_BY,
        "template": {"settings": settings, "mappings": mappings},
    }


def older_form(
    patterns: list[str], settings: dict[str, Any], mappings: dict[str, Any], server: Server, document_type: str
) -> dict[str, Any]:
    """Return the body of ``PUT _template/...``; the mappings get a type where the server needs one."""
    if server.has_types and mappings and not has_type(mappings):
        mappings = {document_type: mappings}
    return {"index_patterns": patterns, "order": PRIORITY, "settings": settings, "mappings": mappings}


def has_type(mappings: Mapping[str, Any]) -> bool:
    """Return whether mappings are those of a mapping type, by its name."""
    return len(mappings) == 1 and not _MAPPING_KEYS & mappings.keys()


def _settings(server: Server) -> dict[str, Any]:
    limit: dict[str, Any] = {"limit": TOTAL_FIELDS}
    if server.subobjects:
        limit["ignore_dynamic_beyond_limit"] = True
    index = {"refresh_interval": "5s", "mapping": {"ignore_malformed": True, "total_fields": limit}}
    # Elasticsearch 6 makes five shards of each index; the default of all others is one.
    return {"index": index | ({"number_of_shards": 1} if server.has_types else {})}


def _mappings(server: Server) -> dict[str, Any]:
    keyword = {"type": "keyword", "ignore_above": KEYWORD_CHARS}
    host: dict[str, Any] = keyword
    if server.flavour == "elasticsearch" and not server.subobjects:
        host = {"type": "object", "enabled": False}
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
        "properties": properties | (_objects(keyword) if server.subobjects else {}),
    }
    if server.subobjects:
        mappings["subobjects"] = False
    return mappings


def _fields(keyword: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Django handler and of the default pipeline, all but ``host``."""
    return {
        # Without a time no search by time finds an event; a dead letter is better.
        "@timestamp": {"type": "date", "ignore_malformed": False},
        "message": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": MESSAGE_KEYWORD_CHARS}}},
        "stack_trace": {"type": "text"},
        **{name: dict(keyword) for name in sorted(_KEYWORDS)},
        "status_code": {"type": "integer"},
        "bytes": {"type": "long"},
        "client_ip": {"type": "ip"},
        "duration_ms": {"type": "double"},
        # No boolean: older servers reject a document for any other value in one, and this name is not rare.
        "visit": dict(keyword),
        **{f"geoip.{name}": dict(keyword) for name in _GEOIP_KEYWORDS},
        "geoip.asn": {"type": "long"},
        "geoip.dma_code": {"type": "long"},
        "geoip.ip": {"type": "ip"},
        "geoip.latitude": {"type": "double"},
        "geoip.longitude": {"type": "double"},
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
