"""The filter ``clone``."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.config.errors import ConfigError
from ingestd.event.chunk import Chunk
from ingestd.event.fields import add_tag
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import FRAME, RECEIVED_NS
from tests.conformance.running import build as build_pipeline
from tests.plugins.filters.tables import build, options_of, spec_of

CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = [
    ("type", {"clones": ["b", "c"]}, {"type": "a", "n": 5}, [{"type": "b", "n": 5}, {"type": "c", "n": 5}]),
    ("type_is_new", {"clones": "b"}, {"n": 5}, [{"n": 5, "type": "b"}]),
    ("same_twice", {"clones": ["b", "b"]}, {}, [{"type": "b"}, {"type": "b"}]),
    ("no_clones", {"clones": []}, {"n": 5}, []),
    ("metadata", {"clones": ["b"]}, {"@metadata": {"a": 1}}, [{"@metadata": {"a": 1}, "type": "b"}]),
    ("ecs", {"clones": ["b"], "ecs_compatibility": "v8"}, {"type": "a"}, [{"type": "a", "tags": ["b"]}]),
    ("ecs_tags", {"clones": ["b"], "ecs_compatibility": "v1"}, {"tags": ["a"]}, [{"tags": ["a", "b"]}]),
]


@pytest.mark.parametrize(("settings", "event", "copies"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_clone(settings: dict[str, Any], event: dict[str, Any], copies: list[dict[str, Any]]) -> None:
    before = dict(event)
    events = build("clone", **settings)(event)
    assert events[0] is event
    assert event == before, "the original is changed"
    assert events[1:] == copies


def test_common_options_run_for_the_copies_alone() -> None:
    context = BuildContext(common_options=lambda copy: add_tag(copy, "copy"))
    clone = spec_of("clone").build(options_of("clone", {"clones": ["b"]}), context)
    tags = ["old"]
    assert clone({"tags": tags}) == [{"tags": ["old"]}, {"tags": ["old", "copy"], "type": "b"}]
    assert tags == ["old"]


def test_clones_is_required() -> None:
    with pytest.raises(ConfigError, match="needs the option 'clones'"):
        options_of("clone", {})


def test_copies_of_several_filters_have_ids_of_their_own() -> None:
    filters = (
        'clone { clones => ["a", "b"] } if [type] != "a" { clone { clones => ["c"] } } '
        'python { code => "return [event, {}, {}]" } split { field => "items" }'
    )
    pipeline = build_pipeline(FRAME % filters)
    table = pipeline.inputs[0].codec.decode(Chunk("in", "o", {}, 0, RECEIVED_NS, 0, b'{"items":[1,2]}\n'))
    [rows] = pipeline.process(table, None, RECEIVED_NS, Tally())
    ids = [table.keys[row] for row in rows]
    assert len(ids) == len(set(ids)) == 5 * 2 + 5 * 2
