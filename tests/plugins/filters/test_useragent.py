"""The filter ``useragent``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import ConfigError
from ingestd.event.fields import FieldError
from ingestd.plugins.filters._user_agents import builtin_parser, recognise
from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, build_in, check, options_of, spec_of

FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.11; rv:45.0) Gecko/20100101 Firefox/45.0"
FLAT = {
    "name": "Firefox",
    "device": "Mac",
    "major": "45",
    "minor": "0",
    "version": "45.0",
    "os_name": "Mac OS X",
    "os": "Mac OS X",
    "os_major": "10",
    "os_minor": "11",
    "os_version": "10.11",
    "os_full": "Mac OS X 10.11",
}
ECS = {
    "name": "Firefox",
    "device": {"name": "Mac"},
    "version": "45.0",
    "os": {"name": "Mac OS X", "version": "10.11", "full": "Mac OS X 10.11"},
}
METADATA = {
    "filter": {
        "user_agent": {"version": {"major": "45", "minor": "0"}, "os": {"version": {"major": "10", "minor": "11"}}}
    }
}
UNKNOWN = {"name": "Other", "device": "Other", "os_name": "Other", "os": "Other", "os_full": "Other"}
SOURCE = {"source": "message"}
NO_AGENTS: dict[str, Any] = {"empty": "", "null": None, "number": 5, "empty_array": [], "hash": {"a": FIREFOX}}


def flat(id_: str, value: Any, fields: dict[str, Any], **settings: Any) -> Case:
    """Return a case of the field ``message``."""
    return Case(id_, {**SOURCE, **settings}, {"message": value}, {"message": value, **fields})


CASES = [
    flat("flat", FIREFOX, FLAT),
    flat("target", FIREFOX, {"ua": FLAT}, target="ua"),
    flat("target_in_brackets", FIREFOX, {"ua": FLAT}, target="[ua]"),
    flat("nested_target", FIREFOX, {"a": {"b": FLAT}}, target="[a][b]"),
    flat("prefix", FIREFOX, {f"ua_{name}": value for name, value in FLAT.items()}, prefix="ua_"),
    flat("ecs", FIREFOX, {"user_agent": ECS, "@metadata": METADATA}, ecs_compatibility="v8"),
    flat("ecs_target", FIREFOX, {"ua": ECS, "@metadata": METADATA}, ecs_compatibility="v1", target="ua"),
    flat("ecs_prefix", FIREFOX, {"user_agent": ECS, "@metadata": METADATA}, ecs_compatibility="v1", prefix="x"),
    flat("array", [FIREFOX, "curl/7.88"], FLAT),
    flat("unknown", "no such agent", UNKNOWN),
    Case("target_is_source", {**SOURCE, "target": "message"}, {"message": FIREFOX}, {"message": FLAT}),
    Case(
        "other_fields_stay",
        {"source": "[user_agent][original]", "ecs_compatibility": "v8"},
        {"user_agent": {"original": FIREFOX, "os": {"type": "x"}}, "@metadata": {"a": 1}},
        {
            "user_agent": {
                "original": FIREFOX,
                "os": {"type": "x", "name": "Mac OS X", "version": "10.11", "full": "Mac OS X 10.11"},
                "name": "Firefox",
                "device": {"name": "Mac"},
                "version": "45.0",
            },
            "@metadata": {"a": 1, **METADATA},
        },
    ),
    *(Case(id_, SOURCE, {"message": value}, {"message": value}, done=False) for id_, value in NO_AGENTS.items()),
    Case("missing", SOURCE, {"a": 1}, {"a": 1}, done=False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_useragent(case: Case) -> None:
    check("useragent", case)


@pytest.mark.parametrize(
    ("text", "version", "os_full", "device"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.6045.105"
            " Safari/537.36",
            "119.0.6045.105",
            "Windows 10",
            "Other",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/16.6 Mobile/15E148 Safari/604.1",
            "16.6",
            "iOS 16.6.1",
            "iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/49.0.2623.112 Safari/537.36",
            "49.0.2623.112",
            "Windows Vista",
            "Other",
        ),
        (
            "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
            "1.1",
            "Other",
            "Spider",
        ),
        ("curl/7.88.1", "7.88.1", "Other", "Other"),
    ],
)
def test_agents(text: str, version: str, os_full: str, device: str) -> None:
    agent = recognise(builtin_parser(), text)
    assert (agent["version"], agent["os_full"], agent["device"]) == (version, os_full, device)


REGEXES = """
user_agent_parsers:
  - {regex: '(Abc)/(\\d+)\\.(\\d+)\\.(\\d+)'}
os_parsers:
  - {regex: '(Def) (\\w+) (\\d+)'}
device_parsers:
  - {regex: 'ghi(\\d)', regex_flag: i, device_replacement: 'Ghi $1'}
"""


@pytest.mark.parametrize(
    ("text", "version", "os_version"),
    [
        ("Abc/1.2.3 Def 5 6", "1.2.3", "5.6"),
        ("Abc/1.2.3.44 Def XP 2 GHI8", "1.2.3.44", "XP 2"),
        ("Abc/1.2.3.04 Def 05 6", "1.2.3", "05 6"),
        ("Abc/1.2.3.44", "1.2.3", None),
        ("x 1.2.3 Abc/1.2.3.44 x", "1.2.3", None),
    ],
)
def test_versions(tmp_path: Path, text: str, version: str, os_version: str | None) -> None:
    """With patterns of a file. A fourth number that no pattern catches is found in the text, as in Logstash."""
    (tmp_path / "own.yaml").write_text(REGEXES)
    event = {"message": text}
    build_in(BuildContext(folder=tmp_path), "useragent", {**SOURCE, "regexes": "own.yaml"})(event)
    assert (event["version"], event.get("os_version")) == (version, os_version)
    assert event["device"] == ("Ghi 8" if "GHI8" in text else "Other")


@pytest.mark.parametrize(
    ("settings", "content", "message"),
    [
        ({"lru_cache_size": 0}, None, "lru_cache_size must be at least 1"),
        ({"target": "tags"}, None, r"\[tags\] cannot hold"),
        ({"regexes": "own.yaml"}, None, "No such file or directory: .*own.yaml"),
        ({"regexes": "own.yaml"}, "a: [", "is not a regexes.yaml of uap-core"),
        ({"regexes": "own.yaml"}, "[1]", "is not a regexes.yaml of uap-core"),
        ({"regexes": "own.yaml"}, "os_parsers: [{regex: '('}]", "is not a regexes.yaml of uap-core"),
        ({"regexes": "own.yaml"}, "os_parsers: [{}]", "is not a regexes.yaml of uap-core"),
    ],
)
def test_wrong_options(tmp_path: Path, settings: dict[str, Any], content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        build_in(BuildContext(folder=tmp_path), "useragent", {**SOURCE, **settings})


def test_source_is_required() -> None:
    with pytest.raises(ConfigError, match="needs the option 'source'"):
        build("useragent")


def test_prefix_has_no_effect_with_ecs() -> None:
    warnings = spec_of("useragent").option_warnings
    assert [*warnings(options_of("useragent", {**SOURCE, "prefix": "x"}))] == []
    (warning,) = warnings(options_of("useragent", {**SOURCE, "prefix": "x", "ecs_compatibility": "v8"}))
    assert warning.text == "prefix has no effect with ecs_compatibility"


def test_target_that_is_no_hash() -> None:
    event: dict[str, Any] = {"message": FIREFOX, "ua": "text"}
    with pytest.raises(FieldError, match=r"cannot set fields of \[ua\]"):
        build("useragent", source="message", target="ua")(event)


def test_long_user_agent() -> None:
    event = {"message": "x" * 1_000_000 + FIREFOX}
    build("useragent", source="message")(event)
    assert event["name"] == "Other"


PIPELINE = pipeline_of('useragent { source => "message" } useragent { source => "a" target => "b" }')


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["message"] == event["message"]


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_recognised(text: str) -> None:
    agent = recognise(builtin_parser(), text)
    assert agent["name"]
    assert agent["os_full"]
