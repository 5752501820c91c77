"""Files in which lines of JSON and of text alternate."""

from __future__ import annotations

import pytest

from ingestd.app.jobs.file_import_inputs import codec_of_lines
from ingestd.event.chunk import Chunk
from ingestd.jobs.import_mixed import MixedCodec
from ingestd.plugins.codecs import json_lines, line
from ingestd.plugins.registry import BuildContext

STARTS = {  # id: (start of a file, codec)
    "json": (b'{"a":1}\n\n{"b":2}\n', "json_lines"),
    "json_arrays": (b'[{"a":1}]\n', "json_lines"),
    "json_in_another_encoding": ('{"a":"서울"}\n'.encode("cp949"), "json_lines"),
    "text": (b"a\n[04/Mar/2025 11:00:00] b\n{not json}\n", "line"),
    "text_first": (b'Watching for file changes\n{"a":1}\n', "mixed"),
    "text_later": (b'{"a":1}\n' * 99 + b"Traceback\n", "mixed"),
    "empty": (b"", "line"),
    "numbers": (b"1\n[1]\n", "line"),
}


@pytest.mark.parametrize(("start", "codec"), STARTS.values(), ids=STARTS.keys())
def test_codec_of_a_file(start: bytes, codec: str) -> None:
    assert codec_of_lines(start, whole=True) == codec


def test_a_line_that_is_cut_off_is_judged_by_its_first_byte_if_it_is_the_only_one() -> None:
    assert codec_of_lines(b'{"a":"' + b"x" * 100, whole=False) == "json_lines"
    assert codec_of_lines(b'a\nb\n{"a":', whole=False) == "line"


def test_each_line_by_itself() -> None:
    codec = MixedCodec(
        json_lines.build(json_lines.Options(), BuildContext()), line.build(line.Options(), BuildContext())
    )
    data = b'a\n\n{"n":1,"@timestamp":"2026-11-20T10:00:00.000Z"}\n [{"n":2}]\n{"n":\nb\r\n{it}\n{"n":3}'
    table = codec.decode(Chunk("i", "s", {"host": "h"}, 100, 0, 0, data))
    events = [table.event(row) for row in table.rows]
    found = [event.get("n", event.get("message")) for event in events]
    assert found == ["a", 1, 2, '{"n":', "b", "{it}", 3]
    assert [data[int(key) - 100 :][:1] for key in table.keys] == [b"a", b"{", b" ", b"{", b"b", b"{", b"{"]
    assert [event.get("host") for event in events] == ["h", None, None, None, "h", "h", None]
    assert [event.get("tags") for event in events if "tags" in event] == [["_jsonparsefailure"]]
