"""Action lines and documents of the output elasticsearch, as its options say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.plugins.outputs._bulk import MAX_REQUESTS
from tests.plugins.outputs.outputs import STAMP, batch, build

ID = "o-000000000000"
EVENT = {"n": 7, "id": "x", "do": "update", "v": 5, "rel": "answer", "up": '{"a":1}'}
DOC = STAMP | EVENT


def lines(options: str, *events: dict[str, Any], plugin: str = "elasticsearch") -> tuple[list[Any], list[str]]:
    """Return the lines of the request, parsed, and why events were rejected."""
    output = build(f"{plugin} {{ hosts => '127.0.0.1:1' {options} }}")
    prepared = output.prepare(batch(*events))
    return (
        [json.loads(line) if line else None for line in prepared.payload.body.split(b"\n")[:-1]],
        [rejection.reason for rejection in prepared.rejected],
    )


def row(action: str, index: str = "i", **more: Any) -> dict[str, Any]:
    return {action: {"_index": index, "_id": "x"} | more}


UPDATE = row("update", retry_on_conflict=1)
CASES: list[tuple[str, str, list[Any]]] = [  # id, options, lines
    ("create", "", [{"create": {"_index": "i", "_id": ID}}, DOC]),
    ("create_with_an_id", "action => create document_id => '%{id}'", [row("create"), DOC]),
    ("index", "document_id => '%{id}'", [row("index"), DOC]),
    ("index_with_own_ids", "action => index", [{"index": {"_index": "i", "_id": ID}}, DOC]),
    ("delete", "action => delete document_id => '%{id}'", [row("delete"), None]),
    ("update", "action => update document_id => '%{id}'", [UPDATE, {"doc": DOC}]),
    ("action_of_the_event", "action => '%{do}' document_id => '%{id}'", [UPDATE, {"doc": DOC}]),
    (
        "doc_as_upsert",
        "action => update document_id => '%{id}' doc_as_upsert => true retry_on_conflict => 3",
        [row("update", retry_on_conflict=3), {"doc": DOC, "doc_as_upsert": True}],
    ),
    (
        "upsert",
        "action => update document_id => '%{id}' upsert => '{ \"n\": 0 }'",
        [UPDATE, {"doc": DOC, "upsert": {"n": 0}}],
    ),
    (
        "upsert_of_the_event",
        "action => update document_id => '%{id}' upsert => '%{up}'",
        [UPDATE, {"doc": DOC, "upsert": {"a": 1}}],
    ),
    (
        "script",
        "action => update document_id => '%{id}' script => 'ctx._source.n = params.event.n'",
        [
            UPDATE,
            {"script": {"source": "ctx._source.n = params.event.n", "lang": "painless", "params": {"event": DOC}}},
        ],
    ),
    (
        "stored_script",
        "action => update document_id => x script => s script_type => indexed script_var_name => e "
        "doc_as_upsert => true",
        [UPDATE, {"script": {"id": "s", "params": {"e": DOC}}, "upsert": DOC}],
    ),
    (
        "scripted_upsert",
        "action => update document_id => x script => s script_lang => '' scripted_upsert => true",
        [UPDATE, {"script": {"source": "s", "params": {"event": DOC}}, "scripted_upsert": True, "upsert": {}}],
    ),
    (
        "metadata",
        "document_id => x routing => '%{n}' version => '%{v}' version_type => external pipeline => 'p%{n}'",
        [row("index", routing="7", pipeline="p7", version=5, version_type="external"), DOC],
    ),
    (
        "parent",
        "document_id => x parent => '%{n}' join_field => rel",
        [row("index", routing="7"), DOC | {"rel": {"name": "answer", "parent": "7"}}],
    ),
]


@pytest.mark.parametrize(("options", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_lines(options: str, expected: list[Any]) -> None:
    assert lines(f"index => i {options}", EVENT) == (expected, [])


DATA_STREAMS: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [  # id, options, event, name, its fields
    ("defaults", "", {}, "logs-generic-default", {"type": "logs", "dataset": "generic", "namespace": "default"}),
    (
        "options",
        "data_stream_type => metrics data_stream_dataset => web data_stream_namespace => p",
        {},
        "metrics-web-p",
        {"type": "metrics", "dataset": "web", "namespace": "p"},
    ),
    (
        "fields_of_the_event",
        "",
        {"data_stream": {"dataset": "web", "namespace": "", "x": 1}},
        "logs-web-default",
        {"type": "logs", "dataset": "web", "namespace": "default", "x": 1},
    ),
    (
        "no_routing",
        "data_stream_auto_routing => false",
        {"data_stream": {"dataset": "web"}},
        "logs-generic-default",
        {"type": "logs", "dataset": "generic", "namespace": "default"},
    ),
    (
        "no_text",
        "",
        {"data_stream": "x"},
        "logs-generic-default",
        {"type": "logs", "dataset": "generic", "namespace": "default"},
    ),
]


@pytest.mark.parametrize(
    ("options", "event", "name", "fields"), [case[1:] for case in DATA_STREAMS], ids=[case[0] for case in DATA_STREAMS]
)
def test_data_streams(options: str, event: dict[str, Any], name: str, fields: dict[str, Any]) -> None:
    [action, document], rejected = lines(f"data_stream => true {options}", event)
    assert action == {"create": {"_index": name, "_id": ID}}
    assert document == STAMP | event | {"data_stream": fields}
    assert rejected == []


def test_data_stream_fields_stay_if_they_are_not_synchronised() -> None:
    [_, document], _ = lines("data_stream => true data_stream_sync_fields => false", {"n": 1})
    assert document == STAMP | {"n": 1}


REJECTED = [  # id, options, event, reason
    ("no_action", "action => '%{do}' document_id => x", {}, "the action '%{do}' of the event is not one of create"),
    ("no_id", "document_id => 'a-%{id}'", {}, "the event lacks a field of its document_id a-%{id}"),
    ("empty_id", "action => delete document_id => '%{id}'", {"id": ""}, "the event has no document_id for its action"),
    ("version", "document_id => x version => '%{v}'", {"v": "new"}, "the version 'new' of the event is not a number"),
    ("long_version", "document_id => x version => '%{v}'", {"v": "9" * 5000}, "the version '9999"),
    (
        "version_of_64_bits",
        "document_id => x version => '%{v}'",
        {"v": str(2**63)},
        "the version '9223372036854775808'",
    ),
    ("upsert", "action => update document_id => x upsert => '%{up}'", {"up": "["}, "upsert is not a JSON object: ["),
]


@pytest.mark.parametrize(
    ("options", "event", "reason"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED]
)
def test_an_event_without_an_action_is_rejected_and_its_neighbours_are_not(
    options: str, event: dict[str, Any], reason: str
) -> None:
    good = {"id": "x", "do": "index", "v": 1, "up": "{}"}
    written, reasons = lines(f"index => i {options}", good, event, good)
    assert len(written) == 4
    [only] = reasons
    assert only.startswith(reason)


MISTAKES = [
    ("action => upsert", "action 'upsert' is not one of create, index, update, delete"),
    ("action => update", "action update needs document_id"),
    ("action => delete", "action delete needs document_id"),
    ("parent => x", "parent needs join_field"),
    ("scripted_upsert => true", "scripted_upsert needs script"),
    ("user => kim", "user and password must be given together"),
    ("data_stream => true index => i", "index and data_stream exclude each other"),
    ("data_stream => true action => index", "data streams take only the action create"),
    ("data_stream => true ilm_enabled => true", "ilm_enabled and data_stream exclude each other"),
    ("ilm_rollover_alias => '%{a}'", "it cannot depend on the event"),
    ("action => update document_id => x upsert => '['", "upsert is not a JSON object"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[options for options, _ in MISTAKES])
def test_mistakes_are_found_at_start(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        build(f"elasticsearch {{ {options} }}")
    assert message in str(caught.value)


def test_order_counts_where_documents_change() -> None:
    """Requests with updates and deletes go one after the other."""
    one = [build(f"elasticsearch {{ {options} }}").concurrency for options in ("", "document_id => x")]
    other = [
        build(f"elasticsearch {{ document_id => x action => '{action}' }}").concurrency
        for action in ("update", "delete", "%{do}")
    ]
    assert (one, other) == ([MAX_REQUESTS] * 2, [1] * 3)


def test_rollover_alias() -> None:
    cases = ("", "ilm_enabled => true", "ilm_rollover_alias => a", "ilm_enabled => false ilm_rollover_alias => a")
    assert [lines(options, {})[0][0]["create"]["_index"] for options in cases] == [
        "logstash-2026.11.22",
        "logstash",
        "a",
        "logstash-2026.11.22",
    ]


def test_opensearch_takes_the_options_of_its_plugin() -> None:
    auth = "auth_type => { type => 'basic' user => 'admin' password => 'secret' }"
    options = f"{auth} ssl => false ssl_certificate_verification => false index => i legacy_template => true"
    assert lines(options, EVENT, plugin="opensearch") == ([{"create": {"_index": "i", "_id": ID}}, DOC], [])
    with pytest.raises(ConfigErrors, match="only basic is possible"):
        build("opensearch { auth_type => { type => 'aws_iam' } }")
