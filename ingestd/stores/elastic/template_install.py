"""Puts the index template on the server: ours, or the one in a file of the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.errors import ElasticResponseError
from ingestd.stores.elastic.connection.server import DEFAULT_TYPE, Server
from ingestd.stores.elastic.template import (
    MANAGED_BY,
    PRIORITY,
    TEMPLATE_NAME,
    VERSION,
    has_type,
    index_pattern,
    older_form,
    template,
)


async def install_template(  # noqa: PLR0913 -- options, each by name
    client: ElasticClient,
    index: str,
    *,
    template_name: str = TEMPLATE_NAME,
    template_file: str | None = None,
    template_overwrite: bool = False,
    document_type: str = DEFAULT_TYPE,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> bool:
    """Install the template unless one of that name exists; return whether it was installed.

    One of ours from an older version is replaced, and one that exists for other indices is extended to these.

    Args:
        client: The connection.
        index: The output's ``index`` option.
        template_name: As Logstash's option.
        template_file: Logstash's ``template``: a JSON file instead of ours, composable or of the older form.
        template_overwrite: Replace any template of that name.
        document_type: Mapping type of the documents, for a server that has types.
        settings: More settings of the indices, without ``index.``; the template then goes before ours for others.

    Raises:
        ValueError: The file or ``index`` cannot be used.
        ElasticUnavailable: No answer.
        ElasticResponseError: The server rejects it.
    """
    pattern = index_pattern(index)
    patterns = [pattern]
    server = await client.server()
    existing = await _installed(client, template_name, server)
    if existing is not None and not template_overwrite:
        if template_file is not None or not _is_ours(existing):
            return False
        patterns = sorted({pattern, *existing["index_patterns"]})
        if existing.get("version", 0) >= VERSION and patterns == sorted(existing["index_patterns"]):
            return False
    if template_file:
        body = for_server(read_template(template_file, pattern), server, document_type)
    else:
        body = template(pattern, server=server, document_type=document_type) | {"index_patterns": patterns}
    if settings:
        _add_settings(body, settings)
    api = "_index_template" if server.composable_templates else "_template"
    await client.request("PUT", f"/{api}/{quote_part(template_name)}", body=body)
    return True


def _add_settings(body: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Add settings of indices to a template of either form, and let it win over one for all of our indices."""
    inner = body.get("template", body)
    inner.setdefault("settings", {}).setdefault("index", {}).update(settings)
    order = "priority" if isinstance(body.get("template"), dict) else "order"
    body[order] = body.get(order, PRIORITY) + 1


async def _installed(client: ElasticClient, template_name: str, server: Server) -> dict[str, Any] | None:
    """Return the index template of this name, None if there is none."""
    api = "_index_template" if server.composable_templates else "_template"
    try:
        answer = await client.request("GET", f"/{api}/{quote_part(template_name)}")
    except ElasticResponseError as error:
        if error.status == 404:
            return None
        raise
    if not server.composable_templates:
        older: dict[str, Any] | None = answer.get(template_name)
        return older
    found: dict[str, Any] = answer["index_templates"][0]["index_template"]
    return found


def _is_ours(installed: dict[str, Any]) -> bool:
    """Return whether a template on the server is ours; one of the older form says it in its mapping."""
    mappings = installed.get("mappings", {})
    if has_type(mappings):
        [mappings] = mappings.values()
    return any(part.get("_meta", {}).get("managed_by") == MANAGED_BY["managed_by"] for part in (installed, mappings))


def for_server(body: dict[str, Any], server: Server, document_type: str) -> dict[str, Any]:
    """Return a composable template in the form that the server needs."""
    if server.composable_templates:
        return body
    inner = body.get("template", {})
    settings, mappings = inner.get("settings", {}), inner.get("mappings", {})
    older = older_form(body["index_patterns"], settings, mappings, server, document_type)
    return older | {"order": body.get("priority", PRIORITY), "aliases": inner.get("aliases", {})}


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
