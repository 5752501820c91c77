"""The output ``stdout``: events as its codec writes them, in order, on file descriptor 1."""

from __future__ import annotations

import pytest

from tests.plugins.outputs.outputs import batch, build, deliver

RUBY = """\
{
    "@timestamp" => 2026-11-22T10:00:00.000Z,
      "@version" => "1",
             "n" => 1
}
"""
CASES = [  # id, codec, text
    ("default", "", RUBY),
    ("json_lines", "codec => json_lines", '{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1","n":1}\n'),
    ("line", 'codec => line { format => "%{n}" }', "1\n"),
]


@pytest.mark.parametrize(("codec", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_codec(codec: str, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    output = build(f"stdout {{ {codec} }}")
    await output.open()
    await deliver(output, batch({"n": 1}))
    await output.close()
    assert capfd.readouterr().out == text


async def test_order(capfd: pytest.CaptureFixture[str]) -> None:
    output = build('stdout { codec => line { format => "%{n}" } }')
    await output.open()
    await deliver(output, batch({"n": 1}, {"n": 2}), batch({"n": 3}))
    await deliver(output, batch({"n": 4}))
    assert capfd.readouterr().out == "1\n2\n3\n4\n"
