"""The nodes that a cluster names."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.sniffing import node_addresses
from ingestd.stores.elastic.connection.transport import Transport


def node(address: Any, *roles: str) -> dict[str, Any]:
    return {"roles": list(roles or ("data", "master")), "http": {"publish_address": address}}


CASES: list[tuple[str, Any, list[tuple[str, int]]]] = [
    (
        "address",
        {"nodes": {"a": node("10.0.0.1:9200"), "b": node("10.0.0.2:9201")}},
        [("10.0.0.1", 9200), ("10.0.0.2", 9201)],
    ),
    ("name", {"nodes": {"a": node("es1/10.0.0.1:9200")}}, [("es1", 9200)]),
    ("ipv6", {"nodes": {"a": node("[::1]:9200")}}, [("::1", 9200)]),
    ("masters", {"nodes": {"a": node("10.0.0.1:9200", "master"), "b": node("b:1", "master", "ingest")}}, [("b", 1)]),
    ("no_address", {"nodes": {"a": {"roles": []}, "b": node(5), "c": node("x"), "d": 7}}, []),
    ("no_answer", "<html>", []),
    ("no_nodes", {"nodes": []}, []),
]


@pytest.mark.parametrize(("answer", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_addresses(answer: Any, expected: list[tuple[str, int]]) -> None:
    assert node_addresses(answer) == expected


def test_nodes_that_are_found_are_reached_like_the_first_one() -> None:
    options = ElasticOptions(hosts=("http://es1:9200/es",), user="u", password="p", proxy="http://proxy:1")
    transport = Transport(options)
    transport.add_nodes([("es2", 9201), ("es1", 9200), ("es2", 9201)])
    nodes = {found.host.name: found for found in transport.pool.nodes}
    assert len(transport.pool.nodes) == 2
    assert [nodes[name].host.url for name in ("es1", "es2")] == ["http://es1:9200/es", "http://es2:9201/es"]
    assert nodes["es2"].headers == nodes["es1"].headers
    assert nodes["es2"].headers["authorization"].startswith("Basic ")
