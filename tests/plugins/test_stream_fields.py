"""What events get of their stream, with and without ECS: the fields that the reference of each input names."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.settings.tables import PipelineSettings

NS = 1_764_000_000_000_000_000
SENDER = {"host": "10.0.0.1", "port": 4711, "proxy_host": "10.0.0.2", "proxy_port": 9}
HERE = {"host": "web1", "sequence": 5}
SOURCE = {"source": {"name": "10.0.0.1", "ip": "10.0.0.1", "port": 4711}, "proxy": {"ip": "10.0.0.2", "port": 9}}
ALL_METADATA = 'mutate { add_field => { "k" => "%{[@metadata][input]}" } }'
IP = 'mutate { add_field => { "k" => "%{[@metadata][input][tcp][source][ip]}" } }'
OLD_IP = 'mutate { add_field => { "k" => "%{[@metadata][ip_address]}" } }'


def event(source: str, facts: dict[str, Any], filters: str, data: bytes, ecs: str) -> dict[str, Any]:
    """Return the event that one message becomes, before any filter, with ``@metadata``."""
    text = f"input {{ {source} }} filter {{ {filters} }} output {{ stdout {{ codec => json_lines }} }}"
    settings = Settings(pipeline=PipelineSettings(ecs_compatibility=ecs))
    pipeline = compile_pipeline(parse(text, "test.conf", {}), BuildContext(settings=settings))
    built = pipeline.inputs[0]
    table = built.decode(Chunk("x", "s", facts, 0, NS, 1, data))
    pipeline.process(table, built.decorate, NS, Tally())
    found = table.whole(0)
    return {name: value for name, value in found.items() if name not in {"@timestamp", "@version", "k", "x"}}


TCP, STDIN, GENERATOR = "tcp { port => 0 }", "stdin { }", "generator { count => 1 }"
JSON = "tcp { port => 0 codec => json_lines }"
ROWS: list[tuple[str, str, dict[str, Any], str, bytes, str, dict[str, Any]]] = [
    ("tcp", TCP, SENDER, "", b"a\n", "disabled", {"message": "a", **SENDER}),
    ("tcp, nothing read", TCP, SENDER, "", b"a\n", "v8", {"message": "a", "event": {"original": "a"}}),
    (
        "tcp, all read",
        TCP,
        SENDER,
        ALL_METADATA,
        b"a\n",
        "v8",
        {"message": "a", "event": {"original": "a"}, "@metadata": {"input": {"tcp": SOURCE}}},
    ),
    (
        "tcp, one read",
        TCP,
        SENDER,
        IP,
        b"a\n",
        "v1",
        {"message": "a", "event": {"original": "a"}, "@metadata": {"input": {"tcp": {"source": {"ip": "10.0.0.1"}}}}},
    ),
    (
        "tcp, the address of old",
        TCP,
        SENDER,
        OLD_IP,
        b"a\n",
        "disabled",
        {"message": "a", **SENDER, "@metadata": {"ip_address": "10.0.0.1"}},
    ),
    (
        "the option of the input decides",
        "tcp { port => 0 ecs_compatibility => v8 codec => line { ecs_compatibility => disabled } }",
        SENDER,
        IP,
        b"a\n",
        "disabled",
        {"message": "a", "@metadata": {"input": {"tcp": {"source": {"ip": "10.0.0.1"}}}}},
    ),
    ("JSON", JSON, SENDER, 'mutate { add_field => { "k" => "%{port}" } }', b'{"x":1}\n', "disabled", {"port": 4711}),
    ("JSON, nothing read", JSON, SENDER, "", b'{"x":1}\n', "v8", {}),
    ("JSON, host is the record's", JSON, SENDER, 'mutate { copy => { "host" => "k" } }', b'{"x":1}\n', "v8", {}),
    (
        "JSON, one read",
        JSON,
        SENDER,
        IP,
        b'{"x":1,"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"}\n',
        "v8",
        {"@metadata": {"input": {"tcp": {"source": {"ip": "10.0.0.1"}}}}},
    ),
    ("stdin", STDIN, HERE, "", b"a\n", "disabled", {"message": "a", "host": "web1", "sequence": 5}),
    (
        "stdin with ECS",
        STDIN,
        {"host": "web1"},
        "",
        b"a\n",
        "v8",
        {"message": "a", "host": {"hostname": "web1"}, "event": {"original": "a"}},
    ),
    ("generator", GENERATOR, HERE, "", b"a", "disabled", {"message": "a", **HERE}),
    (
        "generator with ECS",
        GENERATOR,
        HERE,
        "",
        b"a",
        "v8",
        {"message": "a", "host": {"name": "web1"}, "event": {"original": "a", "sequence": 5}},
    ),
    (
        "Python code",
        TCP,
        {"host": "h"},
        'python { code => "pass" }',
        b"a\n",
        "v8",
        {
            "message": "a",
            "event": {"original": "a"},
            "@metadata": {"input": {"tcp": {"source": {"name": "h", "ip": "h"}}}},
        },
    ),
]


@pytest.mark.parametrize(
    ("source", "facts", "filters", "data", "ecs", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_fields(
    source: str, facts: dict[str, Any], filters: str, data: bytes, ecs: str, expected: dict[str, Any]
) -> None:
    assert event(source, facts, filters, data, ecs) == expected


@pytest.mark.parametrize(("codec", "shown"), [("rubydebug { metadata => true }", True), ("rubydebug", False)])
def test_an_output_that_shows_metadata_reads_it(codec: str, shown: bool) -> None:
    text = f"input {{ {TCP.replace('0', '0 ecs_compatibility => v8')} }} output {{ stdout {{ codec => {codec} }} }}"
    built = compile_pipeline(parse(text, "test.conf", {}), BuildContext()).inputs[0]
    assert ("@metadata" in built.decode(Chunk("x", "s", SENDER, 0, NS, 1, b"a\n")).whole(0)) == shown


def test_a_format_of_an_output_reads_fields() -> None:
    codec = 'line { format => "%{[@metadata][input][tcp][source][port]}" }'
    text = f"input {{ {JSON.replace('0', '0 ecs_compatibility => v8')} }} output {{ stdout {{ codec => {codec} }} }}"
    built = compile_pipeline(parse(text, "test.conf", {}), BuildContext()).inputs[0]
    table = built.decode(Chunk("x", "s", SENDER, 0, NS, 1, b'{"x":1}\n'))
    assert table.whole(0)["@metadata"] == {"input": {"tcp": {"source": {"port": 4711}}}}
