"""Finds the other nodes of a cluster: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-nodes-info."""

from __future__ import annotations

from typing import Any

PATH = "/_nodes/http"


def node_addresses(answer: Any) -> list[tuple[str, int]]:
    """Return host and port of the nodes in a response to ``PATH`` that may take events, ``[]`` for any other answer.

    Nodes that only are masters are left out, as in Logstash. A name in the address goes before its number, since
    certificates have names.
    """
    nodes = answer.get("nodes") if isinstance(answer, dict) else None
    if not isinstance(nodes, dict):
        return []
    found = [_address(node) for node in nodes.values() if isinstance(node, dict) and node.get("roles") != ["master"]]
    return [address for address in found if address is not None]


def _address(node: dict[str, Any]) -> tuple[str, int] | None:
    """Return the address that a node publishes: ``10.0.0.1:9200``, ``name/10.0.0.1:9200`` or ``[::1]:9200``."""
    http = node.get("http")
    published = http.get("publish_address") if isinstance(http, dict) else None
    if not isinstance(published, str):
        return None
    host, _, port = published.rpartition(":")
    name, slash, number = host.partition("/")
    host = (name if slash else host) or number
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
