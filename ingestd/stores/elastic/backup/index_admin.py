"""What backups do with whole indices, on servers of all versions: list, describe, copy and create them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ingestd.stores.backups import BackupError
from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.server import DEFAULT_TYPE, Server
from ingestd.stores.elastic.field_limit import untyped

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch

_JSON = {"accept": "application/json", "content-type": "application/json"}
_COPY_TARGET = "copied_from"
"""In ``_meta`` of an index that is being copied to, so that one that is not complete is recognised."""

Call = Callable[[Coroutine[Any, Any, "ApiResponse[Any]"]], Any]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class IndexAdmin:
    """The indices of a cluster.

    Args:
        client: The connection.
        call: Waits for a request of the official client and returns the parsed response, or raises a StoreError.
        run: Waits for any coroutine, or raises a StoreError.
    """

    def __init__(self, client: ElasticClient, call: Call, run: Run) -> None:
        self._client, self._call, self._run = client, call, run

    @property
    def server(self) -> Server:
        """Which server it is."""
        found: Server = self._run(self._client.server())
        return found

    def uuids(self) -> dict[str, str]:
        """Return all indices, and the UUID that each had before it was restored."""
        metas = self.metas()
        return {row["index"]: metas.get(row["index"], {}).get("origin") or row["uuid"] for row in self._rows()}

    def closed(self) -> set[str]:
        """Return the closed indices: they can be deleted and restored, but not searched, counted or backed up."""
        return {row["index"] for row in self._rows() if row["status"] == "close"}

    def _rows(self) -> list[dict[str, Any]]:
        # Version 6 always lists closed indices, and does not know the parameter.
        states: dict[str, Any] = {} if self.server.has_types else {"expand_wildcards": ["open", "closed"]}
        rows: list[dict[str, Any]] = self._call(self._api.cat.indices(format="json", h="index,uuid,status", **states))
        return rows

    def metas(self) -> dict[str, dict[str, Any]]:
        """Return what we wrote to ``_meta``, by index; an index without a complete content has none."""
        path = "*.mappings.*._meta.ingestd" if self.server.has_types else "*.mappings._meta.ingestd"
        found = self._run(self._client.request("GET", "/_mapping", {"filter_path": path})) or {}
        metas = {index: untyped(body["mappings"], self.server)["_meta"]["ingestd"] for index, body in found.items()}
        return {index: meta for index, meta in metas.items() if _COPY_TARGET not in meta}

    def set_meta(self, index: str, meta: dict[str, Any]) -> None:
        """Write to ``_meta`` of an index."""
        self._put_meta(index, {"ingestd": meta})

    def add_meta(self, index: str, meta: dict[str, Any]) -> None:
        """Add to ``_meta`` of an index, and keep what else is there; nothing happens if the index does not exist."""
        found = self._call(self._api.indices.get_mapping(index=index, ignore_unavailable=True)) or {}
        if index in found:
            known = untyped(found[index]["mappings"], self.server).get("_meta", {})
            self._put_meta(index, known | {"ingestd": known.get("ingestd", {}) | meta})

    def _put_meta(self, index: str, meta: dict[str, Any]) -> None:
        document_type = self.document_type(index)
        path = f"/{quote_part(index)}/_mapping" + (f"/{quote_part(document_type)}" if document_type else "")
        self._call(self._api.perform_request("PUT", path, headers=_JSON, body={"_meta": meta}))

    def document_type(self, index: str) -> str:
        """Return the mapping type of an index, empty if the server has no types."""
        if not self.server.has_types:
            return ""
        return next(iter(self._call(self._api.indices.get_mapping(index=index))[index]["mappings"]), DEFAULT_TYPE)

    def copy(self, source: str, index: str, alias: str = "") -> None:
        """Make an index of another one that is no longer written to; quickly where the server can share files.

        ``alias``: an alias that it has from its start; empty: none.
        """
        aliases: dict[str, Any] = {alias: {}} if alias else {}
        self._call(self._api.indices.put_settings(index=source, settings={"index.blocks.write": True}))
        if self.server.can_clone:
            settings = {"index.blocks.write": None}
            self._call(self._api.indices.clone(index=source, target=index, settings=settings, aliases=aliases))
            self._wait_for_shards(index)
        else:
            self._copy_documents(source, index, aliases)

    def incomplete(self, index: str, source: str) -> bool:
        """Return whether an index is one that `copy` has not completed."""
        found = self._call(self._api.indices.get_mapping(index=index))[index]["mappings"]
        meta = untyped(found, self.server).get("_meta", {}).get("ingestd", {})
        return bool(meta.get(_COPY_TARGET) == source)

    def _copy_documents(self, source: str, index: str, aliases: dict[str, Any]) -> None:
        """Copy an index with all that it consists of; its ``_meta`` is complete when its content is."""
        self._call(self._api.indices.refresh(index=source))  # else its last documents are not seen
        described = self._call(self._api.indices.get(index=source))[source]
        [(document_type, mapping)] = self._mappings_by_type(described["mappings"])
        meta = mapping.get("_meta", {})
        started = mapping | {"_meta": {"ingestd": {_COPY_TARGET: source}}}
        settings = {"index": _copied_settings(described["settings"]["index"])}
        self.create(index, settings, {document_type: started} if document_type else started, aliases)
        body = {"source": {"index": source, "size": 1000}, "dest": {"index": index, "op_type": "create"}}
        request = self._client.slow_api.perform_request("POST", "/_reindex?refresh=true", headers=_JSON, body=body)
        if failures := self._call(request)["failures"]:
            raise BackupError(f"index {source} cannot be copied to {index}: {str(failures[0])[:300]}")
        self.set_meta(index, meta.get("ingestd", {}))

    def _mappings_by_type(self, mappings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return list(mappings.items()) if self.server.has_types else [("", dict(mappings))]

    def create(
        self, index: str, settings: dict[str, Any], mappings: dict[str, Any], aliases: dict[str, Any] | None = None
    ) -> None:
        """Create an index; ``mappings`` have a mapping type if the server has types."""
        body = {"settings": settings, "mappings": mappings, "aliases": aliases or {}}
        self._call(self._api.perform_request("PUT", f"/{quote_part(index)}", headers=_JSON, body=body))

    def from_templates(self, index: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return settings and mappings that the templates give to a new index of this name."""
        if not self.server.composable_templates:
            return self._from_older_templates(index)
        found = self._call(self._api.indices.simulate_index_template(name=index)).get("template", {})
        return found.get("settings", {}), found.get("mappings", {})

    def _from_older_templates(self, index: str) -> tuple[dict[str, Any], dict[str, Any]]:
        templates = self._call(self._api.indices.get_template()).values()
        matching = [
            template
            for template in templates
            if any(fnmatchcase(index, pattern) for pattern in template["index_patterns"])
        ]
        settings: dict[str, Any] = {}
        mappings: dict[str, Any] = {}
        for template in sorted(matching, key=lambda template: int(template.get("order", 0))):
            settings, mappings = _merged(settings, template["settings"]), _merged(mappings, template["mappings"])
        return settings, mappings

    def _wait_for_shards(self, index: str) -> None:
        health = self._client.slow_api.cluster.health(index=index, wait_for_status="yellow", timeout="10m")
        if self._call(health).get("timed_out"):
            raise BackupError(f"index {index} is not ready after 10 minutes")

    @property
    def _api(self) -> AsyncElasticsearch:
        return self._client.api


def _copied_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an index that a new one can have."""
    own = {"uuid", "creation_date", "provided_name", "version", "blocks", "resize", "history"}
    return {name: value for name, value in settings.items() if name not in own}


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; where both have a value, that of ``second``."""
    both = {
        name: _merged(first[name], second[name])
        for name in first.keys() & second.keys()
        if isinstance(first[name], dict) and isinstance(second[name], dict)
    }
    return {**first, **second, **both}
