"""What becomes of the events that Beats send: as with all fields decoded, whichever fields the pipeline touches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.projection import ALWAYS
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.plugins.inputs._beats_events import BeatsDecoder, Enrichment
from ingestd.plugins.interfaces import Codec
from ingestd.plugins.registry import BuildContext, find

RECEIVED_NS = 1_763_805_600_500_000_000
NOW = "2025-11-22T10:00:00.500Z"
STAMP = "2026-11-22T10:00:00.000Z"
META = {"beat": "filebeat", "type": "_doc", "version": "8.15.0"}
FILEBEAT = {
    "@timestamp": STAMP,
    "@metadata": META,
    "log": {"offset": 1234, "file": {"path": "/var/log/a.log", "device_id": "2049", "inode": "77"}},
    "message": "GET /search?q=%EC%84%9C",
    "agent": {"id": "b1", "type": "filebeat", "name": "web1"},
    "host": {"name": "web1"},
}
PLAIN, RAW = "beats_input_codec_plain_applied", "beats_input_raw_event"


def codec(name: str, **options: Any) -> Codec:
    spec = find("codec", name)
    assert spec is not None
    built: Codec = spec.build(spec.options(**options), BuildContext())
    return built


def decoder(name: str = "plain", *fields: str, full: bool = False, ecs: bool = False, **extra: Any) -> BeatsDecoder:
    touched = None if full else ALWAYS | set(fields)
    return BeatsDecoder(codec(name), touched, frozenset(), Enrichment(ecs=ecs, **extra))


def lines(*records: Any) -> bytes:
    texts = [
        record if type(record) is bytes else json.dumps(record, separators=(",", ":")).encode() for record in records
    ]
    return b"".join(text + b"\n" for text in texts)


def batch_of(data: bytes, using: BeatsDecoder, stream: str = "s", offset: int = 0) -> Batch:
    fields = {"host": "192.0.2.7", "port": 4711}
    table = using.decode(Chunk("in", stream, fields, offset, RECEIVED_NS, data.count(b"\n"), data))
    return Batch(table, table.rows, stream, RECEIVED_NS)


def events(data: bytes, using: BeatsDecoder) -> list[dict[str, Any]]:
    return batch_of(data, using).events()


def documents(data: bytes, using: BeatsDecoder) -> list[dict[str, Any]]:
    return [json.loads(document) for document in batch_of(data, using).documents()]


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def event(record: dict[str, Any], *tags: str, **fields: Any) -> dict[str, Any]:
    """Return the event of a record that has the usual metadata."""
    return record | {"@version": "1", "tags": [*tags], "@metadata": META | ADDRESS} | fields


ADDRESS = {"ip_address": "192.0.2.7"}
COMPLETE = {"@version": "1", "tags": [PLAIN]}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {  # id: (record as sent, event)
    "filebeat": (FILEBEAT, FILEBEAT | COMPLETE | {"@metadata": META | ADDRESS}),
    "tags": (FILEBEAT | {"tags": ["web"]}, event(FILEBEAT, "web", PLAIN)),
    "one_tag": (FILEBEAT | {"tags": "web"}, event(FILEBEAT, "web", PLAIN)),
    "same_tag": (FILEBEAT | {"tags": [PLAIN]}, FILEBEAT | COMPLETE | {"@metadata": META | ADDRESS}),
    "no_metadata": (without(FILEBEAT, "@metadata"), FILEBEAT | COMPLETE | {"@metadata": ADDRESS}),
    "metadata_of_text": (FILEBEAT | {"@metadata": "x"}, FILEBEAT | COMPLETE | {"@metadata": "x"}),
    "metadata_nested": (
        FILEBEAT | {"@metadata": META | {"input": {"id": "{1}"}}},
        FILEBEAT | COMPLETE | {"@metadata": META | {"input": {"id": "{1}"}} | ADDRESS},
    ),
    "metadata_alone": (
        {"@timestamp": STAMP, "@metadata": META},
        {"@timestamp": STAMP, "@version": "1", "@metadata": META | ADDRESS, "tags": [RAW]},
    ),
    "version": (FILEBEAT | {"@version": "2"}, event(FILEBEAT, PLAIN) | {"@version": "2"}),
    "metadata_inside": (
        FILEBEAT | {"a": {"@metadata": {"b": 1}, "@timestamp": 2}},
        FILEBEAT | {"a": {"@metadata": {"b": 1}, "@timestamp": 2}} | COMPLETE | {"@metadata": META | ADDRESS},
    ),
    "no_message": (
        without(FILEBEAT, "message"),
        without(FILEBEAT, "message") | {"@version": "1", "tags": [RAW], "@metadata": META | ADDRESS},
    ),
    "message_of_number": (
        FILEBEAT | {"message": 5},
        FILEBEAT | {"message": 5, "@version": "1", "tags": [RAW], "@metadata": META | ADDRESS},
    ),
    "line_of_logstash_forwarder": (
        {"line": "text", "file": "/a", "host": "h", "offset": "17"},
        COMPLETE
        | {"message": "text", "file": "/a", "host": "h", "offset": "17", "@timestamp": NOW, "@metadata": ADDRESS},
    ),
    "line_and_message": (
        FILEBEAT | {"line": "7"},
        FILEBEAT | {"line": "7"} | COMPLETE | {"@metadata": META | ADDRESS},
    ),
    "time_with_zone": (
        FILEBEAT | {"@timestamp": "2026-11-22T11:00:00.000+01:00"},
        FILEBEAT | COMPLETE | {"@metadata": META | ADDRESS},
    ),
    "bad_time": (
        FILEBEAT | {"@timestamp": "yesterday"},
        FILEBEAT
        | {"@timestamp": NOW, "_@timestamp": "yesterday", "@version": "1", "@metadata": META | ADDRESS}
        | {"tags": ["_timestampparsefailure", PLAIN]},
    ),
    "no_json": (
        b'{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{"beat":"x"},"message":"cut o',
        {
            "message": '{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{"beat":"x"},"message":"cut o',
            "@timestamp": NOW,
            "@version": "1",
            "@metadata": ADDRESS,
            "tags": ["_jsonparsefailure", PLAIN],
        },
    ),
    "metadata_is_no_json": (
        b'{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{beat},"message":"m"}',
        {
            "message": '{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{beat},"message":"m"}',
            "@timestamp": NOW,
            "@version": "1",
            "@metadata": ADDRESS,
            "tags": ["_jsonparsefailure", PLAIN],
        },
    ),
    "metadata_twice": (
        b'{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{"a":1},"@metadata":{"b":2},"message":"m"}',
        {"message": "m", "@timestamp": STAMP, "@version": "1", "@metadata": {"b": 2} | ADDRESS, "tags": [PLAIN]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("company", [False, True], ids=["alone", "among_others"])
@pytest.mark.parametrize("full", [False, True], ids=["projected", "full"])
@pytest.mark.parametrize(("record", "expected"), CASES.values(), ids=CASES.keys())
def test_events(record: Any, expected: dict[str, Any], full: bool, company: bool) -> None:
    records = [FILEBEAT, record, FILEBEAT] if company else [record]
    at = 1 if company else 0
    assert len(events(lines(*records), decoder(full=full))) == len(records)
    assert events(lines(*records), decoder(full=full))[at] == expected
    assert documents(lines(*records), decoder(full=full))[at] == without(expected, "@metadata")


def test_usual_events_stay_text() -> None:
    table = decoder().decode(Chunk("in", "s", {}, 0, RECEIVED_NS, 2, lines(FILEBEAT, FILEBEAT | {"tags": ["a"]})))
    assert None not in table.raws


ENRICHED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {  # id: (options, sent, event)
    "nothing": ({"codec_tag": False, "address": False}, FILEBEAT, FILEBEAT | {"@version": "1"}),
    "ecs": (
        {"ecs": True, "codec_tag": False},
        FILEBEAT,
        FILEBEAT | {"@version": "1", "@metadata": META | {"input": {"beats": {"host": {"ip": "192.0.2.7"}}}}},
    ),
    "host_name": (
        {"host_name": True, "codec_tag": False, "address": False},
        {"@timestamp": STAMP, "@version": "1", "beat": {"hostname": "old"}},
        {"@timestamp": STAMP, "@version": "1", "beat": {"hostname": "old"}, "host": "old"},
    ),
    "host_is_there": (
        {"host_name": True, "codec_tag": False, "address": False},
        {"@timestamp": STAMP, "@version": "1", "beat": {"hostname": "old"}, "host": "h"},
        {"@timestamp": STAMP, "@version": "1", "beat": {"hostname": "old"}, "host": "h"},
    ),
}


@pytest.mark.parametrize("full", [False, True], ids=["projected", "full"])
@pytest.mark.parametrize(("options", "sent", "expected"), ENRICHED.values(), ids=ENRICHED.keys())
def test_enrichment(options: dict[str, Any], sent: dict[str, Any], expected: dict[str, Any], full: bool) -> None:
    assert events(lines(sent), decoder(full=full, **options)) == [expected]


CODECS: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {  # id: (codec, sent, events)
    "json": (
        "json",
        FILEBEAT | {"message": '{"level":"INFO","host":{"ip":"::1"},"agent":1,"message":"m"}'},
        [
            without(FILEBEAT, "message")
            | {"level": "INFO", "host": {"ip": "::1", "name": "web1"}, "message": "m", "@version": "1"}
            | {"tags": ["beats_input_codec_json_applied"]}
        ],
    ),
    "json_failed": (
        "json",
        FILEBEAT | {"message": "no", "tags": ["web"]},
        [
            FILEBEAT
            | {"message": "no", "@version": "1", "tags": ["web", "_jsonparsefailure", "beats_input_codec_json_applied"]}
        ],
    ),
    "json_array": (
        "json",
        FILEBEAT | {"message": '[{"n":1},{"n":2}]'},
        [
            without(FILEBEAT, "message") | {"n": n, "@version": "1", "tags": ["beats_input_codec_json_applied"]}
            for n in (1, 2)
        ],
    ),
    "json_blank": (
        "json",
        FILEBEAT | {"message": " "},
        [FILEBEAT | {"message": " ", "@version": "1", "tags": ["beats_input_codec_json_applied"]}],
    ),
    "json_no_message": (
        "json",
        without(FILEBEAT, "message"),
        [without(FILEBEAT, "message") | {"@version": "1", "tags": [RAW]}],
    ),
    "line": ("line", FILEBEAT, [FILEBEAT | {"@version": "1", "tags": ["beats_input_codec_line_applied"]}]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "expected"), CODECS.values(), ids=CODECS.keys())
def test_codec_of_the_text(name: str, sent: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    batch = batch_of(lines(sent), decoder(name, address=False))
    assert batch.events() == expected
    assert len({*batch.ids()}) == len(expected)


def test_original_text_with_ecs() -> None:
    using = BeatsDecoder(codec("plain", ecs_compatibility="v8"), ALWAYS, frozenset(), Enrichment(ecs=True))
    [found] = events(lines(FILEBEAT), using)
    assert found["event"] == {"original": FILEBEAT["message"]}


def ids(*records: Any, stream: str = "s", offset: int = 0) -> list[str]:
    return [*batch_of(lines(*records), decoder(), stream, offset).ids()]


def with_log(**log: Any) -> dict[str, Any]:
    return FILEBEAT | {"log": {"offset": 1234, "file": {"path": "/var/log/a.log", "inode": "77"}} | log}


OWN: dict[str, dict[str, Any]] = {
    "filebeat": FILEBEAT,
    "id_in_metadata": FILEBEAT | {"@metadata": META | {"_id": "한글"}},
    "filebeat_6": {"@timestamp": STAMP, "beat": {"name": "w"}, "source": "/a", "offset": 5, "message": "m"},
    "no_message": without(FILEBEAT, "message"),
}  # fmt: skip
NOT_OWN: dict[str, Any] = {
    "no_agent": without(FILEBEAT, "agent"),
    "no_offset": with_log(offset=None),
    "no_file": with_log(file=None),
    "negative_offset": with_log(offset=-1),
    "huge_offset": with_log(offset=2**64),
    "log_is_text": FILEBEAT | {"log": "text"},
    "no_json": b"text",
    "empty_id": without(FILEBEAT, "log") | {"@metadata": {"_id": ""}},
    "metricbeat": {"@timestamp": STAMP, "@metadata": META, "agent": {"id": "m"}, "system": {"load": 1}},
}


@pytest.mark.parametrize("record", OWN.values(), ids=OWN.keys())
def test_an_event_that_is_sent_again_has_the_same_id(record: dict[str, Any]) -> None:
    reordered = dict(reversed(record.items()))
    [first, other, again] = ids(record, FILEBEAT | {"agent": {"id": "another"}}, reordered)
    assert [first] == ids(record, stream="another", offset=77)
    assert first == again
    assert other != first


@pytest.mark.parametrize("record", NOT_OWN.values(), ids=NOT_OWN.keys())
def test_other_events_have_the_id_of_their_place(record: Any) -> None:
    start = len(lines(FILEBEAT))
    assert ids(FILEBEAT, record, offset=16)[1] == f"s-{start + 16:012x}"


CHANGES: dict[str, dict[str, Any]] = {
    "agent": FILEBEAT | {"agent": {"id": "b2"}},
    "offset": FILEBEAT | {"log": FILEBEAT["log"] | {"offset": 1235}},  # type: ignore[operator]
    "inode": FILEBEAT | {"log": FILEBEAT["log"] | {"file": FILEBEAT["log"]["file"] | {"inode": "78"}}},  # type: ignore[operator, index]
    "text_of_a_rewritten_file": FILEBEAT | {"message": "other"},
    "time": FILEBEAT | {"@timestamp": "2026-11-22T10:00:00.001Z"},
}


@pytest.mark.parametrize("other", CHANGES.values(), ids=CHANGES.keys())
def test_other_lines_have_other_ids(other: dict[str, Any]) -> None:
    assert len({*ids(FILEBEAT, other)}) == 2


def test_where_own_ids_are_in_a_chunk() -> None:
    data = lines({"a": 1}, FILEBEAT, b"", OWN["id_in_metadata"])
    chunk = Chunk("in", "s", {}, 100, RECEIVED_NS, 4, data)
    found = decoder().own_ids(chunk)
    assert [data[place - 100 :].partition(b"\n")[0] + b"\n" for place in found.values()] == [
        lines(FILEBEAT),
        lines(OWN["id_in_metadata"]),
    ]
    assert [*found] == ids(FILEBEAT, OWN["id_in_metadata"])


def test_ids_in_bulk_requests() -> None:
    batch = batch_of(lines(FILEBEAT, {"a": 1}), decoder())
    assert batch.ids().fill(b'{"i":"%b"}') == [b'{"i":"%b"}' % event_id.encode() for event_id in batch.ids()]


values = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(-(2**53), 2**53), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=5,
)
records = st.fixed_dictionaries(
    {"@timestamp": st.sampled_from([STAMP, "2026-11-22T10:00:00Z"])},
    optional={
        "@metadata": st.one_of(st.just(META), values),
        "message": st.one_of(st.text(max_size=9), values),
        "tags": st.one_of(st.lists(st.sampled_from(["a", PLAIN]), max_size=2), values),
        "log": st.one_of(st.just(FILEBEAT["log"]), values),
        "agent": st.one_of(st.just(FILEBEAT["agent"]), values),
        "line": values,
        "@version": values,
        "field": values,
    },
)


@given(st.lists(records, min_size=1, max_size=4), st.booleans())
def test_projected_events_are_those_that_are_decoded_in_full(sent: list[dict[str, Any]], ordered: bool) -> None:
    data = lines(*sent) if ordered else lines(*[dict(reversed(record.items())) for record in sent])
    assert events(data, decoder("plain", "field")) == events(data, decoder(full=True))
    assert documents(data, decoder()) == documents(data, decoder(full=True))
    assert [*batch_of(data, decoder()).ids()] == [*batch_of(data, decoder(full=True)).ids()]
