"""Random events through pipelines of the commonest filters: none is lost, and no filter ends the pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.filters.random_events import EVENTS, TEXTS, VALUES, pipeline_of, survivors
from tests.random_cases import random_cases

GROK = 'grok { match => { "message" => "%{WORD:w} %{NUMBER:n:int}%{GREEDYDATA:[a][rest]}" } }'
MUTATE = """mutate {
  convert => { "a" => "integer" } gsub => [ "message", "[ab]+", "x" ] split => { "b" => "," } uppercase => [ "a" ]
  merge => { "a" => "b" } rename => { "w" => "[b][w]" }
}"""
DATE = 'date { match => [ "a", "ISO8601", "UNIX", "dd/MMM/yyyy" ] }'
JSON = 'json { source => "message" } json { source => "a" target => "[b][c]" }'
KV = r'kv { field_split => "&; " value_split => ":=" recursive => true trim_key => "<>" trim_value => "\[\]" }'
CSV = 'csv { separator => ";" target => "[x][y]" convert => { "column1" => "date" "column2" => "integer" } }'
DISSECT = """dissect {
  mapping => { "message" => "%{p} %{+p/2->} %{&k}=%{?k}" "a" => "%{q}:%{[b][r]}" }
  convert_datatype => { "p" => "int" "q" => "float" }
}"""
OTHERS = """urldecode { all_fields => true } useragent { source => "message" }
  syslog_pri { syslog_pri_field_name => "a" }
  translate { source => "message" target => "a" dictionary => { "a" => "b" } fallback => "no" }
  fingerprint { source => [ "message", "a" ] concatenate_sources => true target => "[@metadata][f]" }
  truncate { length_bytes => 9 } prune { blacklist_values => { "message" => "^[ab]" "tags" => "_" } }"""
PIPELINES = {
    "texts": pipeline_of("\n".join((GROK, MUTATE, DATE, KV, OTHERS))),
    "documents": pipeline_of("\n".join((JSON, CSV, DISSECT, MUTATE, DATE, OTHERS))),
    "others": pipeline_of("\n".join((OTHERS, KV, JSON, GROK, DISSECT))),
}
WORDS = st.sampled_from(
    ["2026-01-01T00:00:00Z", '{"a":1,"[b][c]":{"tags":5}}', 'a=1 b="2 3"', '1;"2";3', "tags=1 @timestamp=2", "[a][b]=1"]
)
ODD = st.fixed_dictionaries(
    {"message": WORDS, "id": st.just(7)},
    optional={"a": WORDS, "b": VALUES, "tags": VALUES, "@metadata": VALUES | TEXTS},
)


@pytest.mark.parametrize("name", PIPELINES)
@random_cases(30)
@given(events=st.lists(EVENTS | ODD, min_size=5, max_size=20))
def test_all_events_come_out(name: str, events: list[dict[str, Any]]) -> None:
    assert len(survivors(PIPELINES[name], *events)) == len(events)
