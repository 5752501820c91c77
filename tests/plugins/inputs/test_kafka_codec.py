"""Records of Kafka as lines, and events of them."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.chunk import Chunk
from ingestd.plugins.inputs._kafka_codec import RecordPosition, line_of_record
from ingestd.plugins.registry import BuildContext

pytest.importorskip("confluent_kafka")

NS = 1_795_860_000_000_000_000


def decoded(lines: list[bytes], codec: str = "json", options: str = "") -> list[tuple[Any, dict[str, Any]]]:
    config = (
        f"input {{ kafka {{ codec => {codec} {options} }} }}\n"
        'filter { mutate { add_field => { "from" => "%{[@metadata][kafka][topic]}" } } }\noutput { null { } }'
    )
    pipeline = compile_pipeline(parse(config, "test.conf", {}), BuildContext())
    table = pipeline.inputs[0].codec.decode(Chunk("kafka_0", "s", {}, 0, NS, len(lines), b"".join(lines)))
    return [(key, table.whole(row)) for key, row in zip(table.keys, table.rows, strict=True)]


def record(value: bytes, offset: int, event_id: bytes | None = None, key: bytes | None = None) -> bytes:
    return line_of_record(value, RecordPosition("logs", 3, offset, 1_795_860_000_000, key), event_id)


VALUES = [  # id, codec, values, texts
    ("json", "json", [b'{"message":"a"}', b'{"message":"b"}'], ["a", "b"]),
    ("json_with_line_feeds", "json", [b'{\n"message":"a"}', b'{"message":"b"}'], ["a", "b"]),
    ("arrays", "json", [b'[{"message":"a"},{"message":"b"}]', b'{"message":"c"}'], ["a", "b", "c"]),
    ("no_json", "json", [b"oops", b'{"message":"b"}'], ["oops", "b"]),
    ("text", "plain", [b"a", b"", b"c"], ["a", "", "c"]),
    ("text_of_several_lines", "plain", [b"a\nb", b"c\0d"], ["a\nb", "c\0d"]),
]


@pytest.mark.parametrize(("codec", "values", "texts"), [row[1:] for row in VALUES], ids=[row[0] for row in VALUES])
def test_each_record_is_decoded(codec: str, values: list[bytes], texts: list[str]) -> None:
    lines = [record(value, offset) for offset, value in enumerate(values)]
    found = decoded(lines, codec)
    assert [event["message"] for _, event in found] == texts
    again = [key for line in lines for key, _ in decoded([line], codec)]
    assert [key for key, _ in found] == again  # whatever else is in the chunk
    assert len(set(again)) == len(texts)


def test_the_id_of_the_sender_counts() -> None:
    first, second, other = (
        decoded([record(b'{"message":"a"}', offset, event_id)])[0][0]
        for offset, event_id in ((1, b"s-00000000d2f0"), (2, b"s-00000000d2f0"), (3, None))
    )
    assert first == second != other


def test_the_place_is_in_the_metadata_if_wanted() -> None:
    lines = [record(b'{"message":"a"}', 7, key="서울,%".encode()), record(b'{"message":"b"}', 8)]
    (_, first), (_, second) = decoded(lines, options='decorate_events => "basic"')
    place = {"topic": "logs", "partition": 3, "timestamp": 1_795_860_000_000}
    assert first["@metadata"]["kafka"] == place | {"offset": 7, "key": "서울,%"}
    assert second["@metadata"]["kafka"] == place | {"offset": 8}
    assert "@metadata" not in decoded(lines)[0][1]
