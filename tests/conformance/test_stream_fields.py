"""``host`` of the sender on JSON records: as in Logstash, but only where the config reads it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.running import build, documents, lines, shorn

LOCAL = 'if [host] == "h" { mutate { add_field => { "local" => "yes" } } }'
A = {"a": 1}
CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [  # id, codec, filters, record, document
    ("condition", "json_lines", LOCAL, A, A | {"host": "h", "local": "yes"}),
    ("sprintf", "json_lines", 'mutate { add_field => { "from" => "%{host}" } }', A, A | {"host": "h", "from": "h"}),
    ("record_has_it", "json_lines", LOCAL, {"host": "x"}, {"host": "x"}),
    ("record_has_null", "json_lines", LOCAL, {"host": None}, {"host": None}),
    ("not_read", "json_lines", "", A, A),
    ("only_removed", "json_lines", 'mutate { remove_field => ["host"] }', A, A),
    ("only_set", "json_lines", 'grok { match => { "a" => "%{INT:host}" } }', A, A | {"host": "1"}),
    ("hash", "json_lines", 'grok { match => { "a" => "%{INT:[host][name]}" } }', A, A | {"host": {"name": "1"}}),
    ("hash_that_is_read", "json_lines", 'if [host][name] == "x" { drop { } }', A, A),
    ("hash_and_text", "json_lines", 'if ![host][name] and [host] == "h" { drop { } }', A, A),
    ("other_field", "json_lines", "if [port] { drop { } }", A, A),
    ("whole_events", "json_lines", LOCAL + " clone { clones => [] }", A, A | {"host": "h", "local": "yes"}),
    ("target", "json_lines { target => t }", LOCAL, {}, {"host": "h", "local": "yes"}),
]


@pytest.mark.parametrize(
    ("codec", "filters", "record", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
@pytest.mark.parametrize("project_fields", [True, False])
def test_fields_of_the_stream(
    codec: str, filters: str, record: dict[str, Any], expected: dict[str, Any], project_fields: bool
) -> None:
    config = f"input {{ tcp {{ port => 5959 codec => {codec} }} }} filter {{ {filters} }} output {{ stdout {{ }} }}"
    [document] = documents(build(config, project_fields=project_fields), lines(record))
    document.pop("t", None)
    assert {key: value for key, value in shorn(document).items() if key != "@timestamp"} == expected


def test_text_that_is_no_json_gets_them_too() -> None:
    config = f"input {{ tcp {{ port => 5959 codec => json_lines }} }} filter {{ {LOCAL} }} output {{ stdout {{ }} }}"
    [document] = documents(build(config), b"x\n")
    assert (document["message"], document["host"], document["local"]) == ("x", "h", "yes")


@pytest.mark.parametrize(("filters", "joined"), [("", True), (LOCAL, False)], ids=["not_read", "read"])
def test_streams_are_decoded_together_only_if_no_record_gets_a_field_of_its_own(filters: str, joined: bool) -> None:
    config = f"input {{ tcp {{ port => 5959 codec => json_lines }} }} filter {{ {filters} }} output {{ stdout {{ }} }}"
    assert build(config).inputs[0].codec.joins_streams is joined


def test_the_standard_input_has_no_sender() -> None:
    config = f"input {{ stdin {{ codec => json_lines }} }} filter {{ {LOCAL} }} output {{ stdout {{ }} }}"
    [document] = documents(build(config), lines(A))
    assert shorn(document) == A
