"""The law: the same documents and ids, whether records are decoded projected, in full, or line by line.

Records are such as Django's handlers send, and worse; configs are small programs over the fields of those records.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.compiler.pipeline import Pipeline
from tests.conformance.running import FRAME, build, encode
from tests.random_cases import random_cases

FIELDS = ["message", "status_code", "level", "tags", "path", "request", "extra", "@version", "type", "a"]
REFS = [*FIELDS, "[extra][x]", "[extra][list][0]", "[@metadata][m]", "@timestamp", "new", "[tags][0]"]

# --- configs ---------------------------------------------------------------------------------------------------

ref = st.sampled_from(REFS)
bracketed = ref.map(lambda name: name if name.startswith("[") else f"[{name}]")
value = st.sampled_from(['"x"', '"%{message}"', '"%{[extra][x]}"', '"%{+YYYY.MM.dd}"', '"5"', "7"])
condition = st.one_of(
    bracketed,
    bracketed.map(lambda name: f"!{name}"),
    st.builds("{} == {}".format, bracketed, st.sampled_from(['"x"', "200", '"5"', "[a]"])),
    st.builds("{} =~ /{}/".format, bracketed, st.sampled_from(["GET", "^x", "서울"])),
    st.builds('"x" in {}'.format, bracketed),
    st.builds("{} > {}".format, bracketed, st.sampled_from(["100", '"a"'])),
)
mutation = st.one_of(
    st.builds('rename => {{ "{}" => "{}" }}'.format, ref, ref),
    st.builds('replace => {{ "{}" => {} }}'.format, ref, value),
    st.builds('update => {{ "{}" => {} }}'.format, ref, value),
    st.builds('copy => {{ "{}" => "{}" }}'.format, ref, ref),
    st.builds('convert => {{ "{}" => "{}" }}'.format, ref, st.sampled_from(["integer", "string", "boolean", "float"])),
    st.builds('gsub => ["{}", "[aeiou0-9]", "_"]'.format, ref),
    st.builds('uppercase => ["{}"]'.format, ref),
    st.builds('split => {{ "{}" => " " }}'.format, ref),
    st.builds('join => {{ "{}" => "," }}'.format, ref),
    st.builds('merge => {{ "{}" => "{}" }}'.format, ref, ref),
    st.builds('add_field => {{ "{}" => {} }}'.format, ref, value),
    st.builds('remove_field => ["{}"]'.format, ref),
    st.builds('add_tag => ["t_%{{{}}}"]'.format, ref),
    st.just('remove_tag => ["x"]'),
)
plugin = st.one_of(
    mutation.map(lambda text: f"mutate {{ {text} }}"),
    st.builds('urldecode {{ field => "{}" plus_as_space => true }}'.format, ref),
    st.builds('json {{ source => "{}" target => "{}" }}'.format, ref, ref),
    st.builds('json {{ source => "{}" }}'.format, ref),
    st.builds(
        'grok {{ match => {{ "{}" => "%{{WORD:{}}} %{{NOTSPACE:path}}" }} }}'.format,
        ref,
        st.sampled_from(["verb", "message", "level", "[extra][x]"]),
    ),
    st.builds('grok {{ match => {{ "{}" => "%{{WORD:verb}}" }} overwrite => "verb" }}'.format, ref),
    st.builds(
        'grok {{ match => {{ "{}" => ["%{{WORD:{}}} %{{INT:new}}", "%{{INT:a:int}}"] other => "(?<a>.)" }} {}}}'.format,
        ref,
        st.sampled_from(["message", "tags", "[extra][x]"]),
        st.sampled_from(
            ["", "break_on_match => false", "keep_empty_captures => true", 'overwrite => ["message", "a"]']
        ),
    ),
    st.builds('date {{ match => ["{}", "ISO8601"] }}'.format, ref),
    st.just("access_line { }"),
    st.just('access_line { source => "path" request => "[extra][x]" add_tag => "t" }'),
    st.builds('search_word {{ source => "{}" target => "{}" }}'.format, ref, ref),
    st.builds('client_address {{ source => ["{}", "message"] target => "{}" }}'.format, ref, ref),
    st.just('log_fields { add_field => { "new" => "%{level}" } }'),
    st.builds('geoip {{ source => "{}" target => "{}" }}'.format, ref, ref),
    st.just("drop { percentage => 100 }"),
    st.just('clone { clones => ["copy"] }'),
)
statement = st.recursive(
    plugin,
    lambda inner: st.builds("if {} {{ {} }} else {{ {} }}".format, condition, inner, inner),
    max_leaves=4,
)
programs = st.lists(statement, min_size=1, max_size=5).map("\n".join)

LINES = [
    '"GET /search?q=%EC%84%9C HTTP/1.1" 200 5316',
    '192.0.2.5 - - [28/Nov/2026:10:00:00 +0900] "GET /?q=a HTTP/1.1" 404 5 "-" "agent"',
    "<WSGIRequest: GET '/search?q=b'>",
    "<socket.socket fd=9, raddr=('203.0.113.5', 36965)>",
]

# --- records ---------------------------------------------------------------------------------------------------

text = st.one_of(
    st.sampled_from(
        ["x", "GET /search?q=%EC%84%9C%EC%9A%B8+a HTTP/1.1", "서울 맛", *LINES, "", "5", 'a\nb\t"\\\u2028', "😀"]
    ),
    st.text(max_size=8),
)
number = st.one_of(st.integers(-5, 600), st.integers(-(2**80), 2**80), st.floats(allow_nan=False, allow_infinity=False))
leaf = st.one_of(text, number, st.booleans(), st.none())
anything = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["x", "list", "k", "message", "한"]), inner, max_size=3),
    ),
    max_leaves=5,
)
stamp = st.sampled_from(
    [
        "2026-11-22T10:00:00.000Z",
        "2026-11-22T10:00:00.123456Z",
        "2026-11-22T10:00:00Z",
        "2026-11-22T19:00:00+09:00",
        "2026-02-30T10:00:00.000Z",
        "yesterday",
        "",
        5,
        None,
        {"a": 1},
    ]
)
tags = st.one_of(st.just([]), st.lists(st.sampled_from(["x", "y"]), max_size=3), st.just("x"), anything)
others = st.dictionaries(st.sampled_from([*FIELDS, "new", "other", "host", "키"]), anything, max_size=6)
records = st.builds(
    lambda fields, special: fields | special,
    others,
    st.fixed_dictionaries(
        {},
        optional={
            "@timestamp": st.one_of(st.just("2026-11-22T10:00:00.000Z"), stamp),
            "@version": st.sampled_from(["1", 1]),
            "tags": tags,
            "@metadata": st.dictionaries(st.just("m"), anything),
            "@fields": st.dictionaries(st.sampled_from(["levelname", "a"]), anything),
            "@message": text,
        },
    ),
)
good_line = st.builds(
    lambda record, ascii_only, separators: json.dumps(record, ensure_ascii=ascii_only, separators=separators).encode(
        "utf-8", "replace"
    ),
    records,
    st.booleans(),
    st.sampled_from([(", ", ": "), (",", ":"), (" ,\t", "\t: ")]),
)
bad_line = st.sampled_from(
    [
        b"",
        b" ",
        b"not json",
        b"[]",
        b'[{"a":1},{"message":"x"}]',
        b'[{"a":1},2]',
        b'"text"',
        b"{",
        b'{"a":1}}',
        b'{"a":1} {"b":2}',
        b'{"a":NaN,"message":"x"}',
        b'{"other":Infinity}',
        b'{"other":"\\ud800","a":"x"}',
        b'{"\\ud83d":1,"a":"\\udc00"}',
        b'{"a":123456789012345678901234567890}',
        b'{"other":-0.0,"a":1E5}',
        b'{"message":"\xff\xfe"}',
        b'{"other":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf" + b'{"a":1}',
        b'{"\\u0061":"escaped key","mess\\u0061ge":"GET x"}',
        b'{ "a" : 1 , "tags" : [ "x" ] }',
        b'{"a":1}\r',
        b'  {"a":1}  ',
        b"{}",
        b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"}',
        b'{"other":"tab\there"}',
        b'{"other":{"a":01}}',
        b'{"other":"\\x"}',
        b'{"other":1.0e+2,"a":0.10}',
        b'{"other":[1,]}',
    ]
)
# A line that has all it needs may stay as it came, so it goes another way than one that must be completed.
complete_line = bad_line.map(
    lambda line: line.replace(b"{", b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1",', 1)
)
streams = st.lists(st.one_of(good_line, good_line, bad_line, complete_line), min_size=1, max_size=6)

text_line = st.one_of(
    bad_line,
    st.sampled_from(LINES).map(str.encode),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "ignore")),
).map(lambda line: line.replace(b"\n", b"\r"))

THERE_AND_BACK = """
  mutate { rename => { "a" => "new" } }
  mutate { add_tag => "t" }
  mutate { rename => { "new" => "a" } }
"""

Outcome = list[tuple[str, dict[str, Any]]]


def outcome(pipeline: Pipeline, chunks: list[tuple[int, bytes]]) -> Outcome:
    """Return the ids and documents that come out of chunks, each with its place in the stream."""
    result: Outcome = []
    for offset, data in chunks:
        [batch] = encode(pipeline, data, offset)
        result += zip(batch.ids(), map(json.loads, batch.documents()), strict=True)
    return result


def cut(lines: list[bytes]) -> list[tuple[int, bytes]]:
    """Return one chunk for each line, with its place."""
    chunks, offset = [], 0
    for line in lines:
        chunks.append((offset, line + b"\n"))
        offset += len(line) + 1
    return chunks


def joined(chunks: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(chunks[0][0], b"".join(data for _, data in chunks))]


def shown(result: Outcome) -> list[tuple[str, str]]:
    """Return it as text: ``1``, ``1.0`` and ``true`` differ."""
    return [(key, json.dumps(document, sort_keys=True)) for key, document in result]


@random_cases(75)
@given(programs, streams)
@example(THERE_AND_BACK, [b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1","a":1}'])
@example('mutate { add_field => { "키" => "x" } }', [b'{"a":1}', '{"키":1}'.encode()])
def test_decoding_does_not_matter(program: str, lines: list[bytes]) -> None:
    projected, full = build(FRAME % program), build(FRAME % program, project_fields=False)
    by_line = cut(lines)
    expected = shown(outcome(full, by_line))
    assert shown(outcome(full, joined(by_line))) == expected, "in full, all lines at once"
    assert shown(outcome(projected, by_line)) == expected, "projected, line by line"
    assert shown(outcome(projected, joined(by_line))) == expected, "projected, all lines at once"


@random_cases(30)
@given(programs, st.lists(text_line, min_size=1, max_size=6))
def test_decoding_of_text_does_not_matter(program: str, lines: list[bytes]) -> None:
    config = FRAME.replace("stdin { codec => json_lines }", "stdin { codec => line }") % program
    columns, whole = build(config), build(config, project_fields=False)
    expected = shown(outcome(whole, cut(lines)))
    assert shown(outcome(whole, joined(cut(lines)))) == expected, "whole events, all lines at once"
    assert shown(outcome(columns, cut(lines))) == expected, "columns, line by line"
    assert shown(outcome(columns, joined(cut(lines)))) == expected, "columns, all lines at once"


@random_cases(30)
@given(programs, streams, st.sets(st.integers(1, 5)))
def test_cutting_does_not_matter(program: str, lines: list[bytes], cuts: set[int]) -> None:
    pipeline = build(FRAME % program)
    by_line = cut(lines)
    bounds = sorted({0, len(by_line), *(place for place in cuts if place < len(by_line))})
    pieces = [joined(by_line[begin:end])[0] for begin, end in pairwise(bounds)]
    assert shown(outcome(pipeline, pieces)) == shown(outcome(pipeline, joined(by_line)))
