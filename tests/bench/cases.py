"""The configs that are measured: their text, the lines they get, and the documents they must make of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.access_lines import (
    COMBINED_FILTERS,
    SEARCH,
    USER_FILTERS,
    combined_lines,
    expected_combined,
    expected_user,
    search_word,
    user_lines,
)
from tests.bench.events import expected, make_lines
from tests.bench.filter_lines import (
    AGENT_FILTERS,
    CONDITION_FILTERS,
    SYSLOG_FILTERS,
    agent_lines,
    expected_agent,
    expected_conditions,
    expected_syslog,
    syslog_lines,
)

_INPUT = 'input { tcp { port => 0 host => "127.0.0.1" codec => %s } }\n'
_OUTPUT = 'output { elasticsearch { hosts => ["${INGESTD_ELASTICSEARCH}"] } }\n'


@dataclass(frozen=True, slots=True)
class Case:
    """A config. ``goal_us``: CPU microseconds that an event may cost, of all processes."""

    title: str
    goal_us: float
    config: str = ""
    make_lines: Callable[[int], list[bytes]] = make_lines
    expected: Callable[[bytes], dict[str, object]] = expected


def filter_config(filters: str, codec: str = "json_lines") -> str:
    """Return a config with these filters from a tcp input, at any port, to Elasticsearch."""
    return _INPUT % codec + "filter {" + filters + "}\n" + _OUTPUT


# What the configs of Fluent Bit, Vector and Logstash were measured with: method, path, size and search word.


def _expected_like_for_like(line: bytes) -> dict[str, object]:
    record = json.loads(line)
    if record["message"].startswith('"'):
        method, path = record["message"][1:].split(" ")[:2]
        record |= {"method": method, "request_path": path, "bytes": int(record["message"].rsplit(" ", 1)[1])}
        record |= search_word(path)
    return dict(record)


_ACCESS = """'^"%{WORD:method} %{NOTSPACE:request_path} HTTP/%{NUMBER}" %{INT} %{INT:bytes:int}'"""
_GROK = """
  grok {
    match => { "message" => [%s] }
    tag_on_failure => []
  }
"""
_LIKE_FOR_LIKE = _GROK % _ACCESS + SEARCH % ("request_path", "request_path")


def _expected_in_full(line: bytes) -> dict[str, object]:
    return {**_expected_like_for_like(line), "seen_logstash": "yes"}


def grok_config(patterns: int) -> str:
    """Return a config with a grok filter that tries so many patterns; the last one matches access lines."""
    others = [f"'^service-{number}: %{{WORD:action}} took %{{INT:ms:int}} ms'" for number in range(1, patterns)]
    return filter_config(_GROK % ", ".join([*others, _ACCESS]))


CASES = {
    "default": Case("default pipeline: visits, client address, words", 6.3),
    "like-for-like": Case(
        "config like those of the peers: method, path, size, words",
        5.0,
        filter_config(_LIKE_FOR_LIKE),
        expected=_expected_like_for_like,
    ),
    "user": Case(
        "user's config: grok, urldecode, mutate, date, conditions",
        9.0,
        filter_config(USER_FILTERS),
        user_lines,
        expected_user,
    ),
    "combined": Case(
        "combined log with date",
        12.0,
        filter_config(COMBINED_FILTERS, "line"),
        combined_lines,
        expected_combined,
    ),
    "in-full": Case(
        "a pipeline that must decode in full",
        12.0,
        filter_config(_LIKE_FOR_LIKE + 'mutate { add_field => { "seen_%{type}" => "yes" } }\n'),
        expected=_expected_in_full,
    ),
    "agents": Case(
        "combined log with date and useragent",
        14.0,
        filter_config(AGENT_FILTERS, "line"),
        agent_lines,
        expected_agent,
    ),
    "syslog": Case(
        "syslog with kv",
        14.0,
        filter_config(SYSLOG_FILTERS, "line"),
        syslog_lines,
        expected_syslog,
    ),
    "conditions": Case(
        "10 conditions with mutate",
        14.0,
        filter_config(CONDITION_FILTERS),
        expected=expected_conditions,
    ),
}
