"""The codec multiline, as Logstash's own spec takes it, on the standard input and with `ingestd import`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.event.chunk import Chunk, Stream
from ingestd.plugins.inputs._streams import LineStream
from ingestd.plugins.interfaces import Sink, grouping_of
from tests.conformance.running import RECEIVED_NS, build
from tests.e2e.daemon import environment

LIMIT_LINES, LIMIT_BYTES = "multiline_codec_max_lines_reached", "multiline_codec_max_bytes_reached"
CASES: list[tuple[str, str, str, list[tuple[str, list[str]]]]] = [  # id, options, text, messages with tags
    (
        "previous",
        'pattern => "^\\s" what => previous',
        "hello world\n   second line\nanother first line\n",
        [("hello world\n   second line", ["multiline"]), ("another first line", [])],
    ),
    (
        "next",
        'pattern => "\\\\$" what => next',
        "a\\\nb\\\nc\nd\n",
        [("a\\\nb\\\nc", ["multiline"]), ("d", [])],
    ),
    (
        "grok_and_negate",
        'pattern => "^%{NUMBER} %{TIME}" negate => true what => previous',
        "120913 12:04:33 first line\nsecond line\nthird line\n120914 12:04:33 x\n",
        [("120913 12:04:33 first line\nsecond line\nthird line", ["multiline"]), ("120914 12:04:33 x", [])],
    ),
    (
        "no_line_end",
        'pattern => "^\\s" what => previous',
        "a\n 1\nb",
        [("a\n 1", ["multiline"]), ("b", [])],
    ),
    (
        "no_line_end_next",
        'pattern => "\\\\$" what => next',
        "a\\\nb\nc",
        [("a\\\nb", ["multiline"]), ("c", [])],
    ),
    (
        "no_tag",
        'pattern => "^\\s" what => previous multiline_tag => ""',
        "a\n b\n",
        [("a\n b", [])],
    ),
    (
        "max_lines",
        'pattern => "^-" negate => true what => previous max_lines => 2',
        "-a\nb\nc\nd\n-e\n",
        [("-a\nb\nc", ["multiline", LIMIT_LINES]), ("d", []), ("-e", [])],
    ),
    (
        "max_bytes",
        'pattern => "^-" negate => true what => previous max_bytes => "4 b"',
        "-a\nbb\nc\n-e\n",
        [("-a\nbb", ["multiline", LIMIT_BYTES]), ("c", []), ("-e", [])],
    ),
    (
        "carriage_returns_and_cp949",
        'pattern => "^\\s" what => previous charset => "CP949"',
        "한글\r\n 둘째\r\n",
        [("한글\n 둘째", ["multiline"])],
    ),
]


class Chunks:
    """A sink that keeps what it gets."""

    paused = joins_streams = False

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        self.chunks.append(Chunk("stdin_0", stream.id, stream.fields, offset, RECEIVED_NS, 1, data))
        return True


@pytest.mark.parametrize(("options", "text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_events(options: str, text: str, expected: list[tuple[str, list[str]]], size: int) -> None:
    """Whatever pieces the text comes in."""
    config = f"input {{ stdin {{ codec => multiline {{ {options} }} }} }} output {{ stdout {{ }} }}"
    codec, sink = build(config).inputs[0].codec, Chunks()
    stream = LineStream(cast(Sink, sink), Stream("o", {}), 1000, grouping_of(codec))
    data = text.encode("cp949" if "CP949" in options else "utf-8")
    for start in range(0, len(data), size):
        await stream.feed(data[start : start + size])
    await stream.feed_eof()
    assert b"".join(chunk.data for chunk in sink.chunks) == data
    assert [chunk.offset for chunk in sink.chunks] == [data.index(chunk.data) for chunk in sink.chunks]
    found = [codec.decode(chunk).event(0) for chunk in sink.chunks]
    assert [(event["message"], event.get("tags", [])) for event in found] == expected


PIPELINE = """
input { stdin { codec => multiline { pattern => "^\\s" what => previous } } }
output { file { path => "FOLDER/out.ndjson" codec => json_lines } }
"""


def test_standard_input_and_imported_files(tmp_path: Path) -> None:
    """Both give the same events, and files of text are read as the input of the config reads its lines."""
    config, log, out = tmp_path / "a.conf", tmp_path / "a.log", tmp_path / "out.ndjson"
    config.write_text(PIPELINE.replace("FOLDER", str(tmp_path)))
    log.write_text("a\n 1\n 2\nb\nc\n 3\n")
    arguments = [["run", "-f", str(config)], ["import", "-f", str(config), str(log)]]
    for number, words in enumerate(arguments):
        command = [sys.executable, "-m", "ingestd", *words]
        environ = environment(tmp_path / f"data{number}")
        subprocess.run(command, input=log.read_bytes(), env=environ, capture_output=True, timeout=120, check=True)
    messages = [json.loads(line)["message"] for line in out.read_text().splitlines()]
    assert messages == ["a\n 1\n 2", "b", "c\n 3"] * 2


MISTAKES = [
    ('pattern => "%{NOPE}" what => next', "unknown grok pattern 'NOPE'"),
    ('pattern => "a" what => before', "'before' is not one of previous, next"),
    ("what => next", "needs the option 'pattern'"),
    ('pattern => "a" what => next max_bytes => "many"', "expected a size such as"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[options for options, _ in MISTAKES])
def test_mistakes(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        build(f"input {{ stdin {{ codec => multiline {{ {options} }} }} }} output {{ stdout {{ }} }}")
    assert message in str(caught.value)


def test_outputs_cannot_use_it() -> None:
    with pytest.raises(ConfigErrors, match="the codec 'multiline' cannot encode"):
        build("input { stdin { } } output { stdout { codec => multiline { pattern => a what => next } } }")


def test_nothing_is_no_event() -> None:
    """The journal has an empty message where a line was rejected."""
    codec = (
        build('input { stdin { codec => multiline { pattern => "^-" what => next } } } output { null { } }')
        .inputs[0]
        .codec
    )
    assert len(codec.decode(Chunk("stdin_0", "o", {}, 9, RECEIVED_NS, 1, b""))) == 0
