"""Names made of an event's time: the same as rendering each, whatever is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.sprintf import Template

TEMPLATES = [
    "static",
    "logstash-%{+YYYY.MM.dd}",
    "%{+YYYY.ww}",
    "%{+HH}",
    "%{+YYYY-MM-dd'T'HH:mm}",
    "%{+ss}-%{+YYYY}",
    "%{+SSS}",
    "%{+%s}",
    "%{{yyyy-MM-dd}}",
    "%{{HH:mm:ss.SSSSSS}}",
    "%{{A}}",
    "%{+ZZ}",
    "%{type}-%{+YYYY}",
    "%{@timestamp}",
]
PREFIX_LENGTHS = {"logstash-%{+YYYY.MM.dd}": 10, "%{+HH}": 13, "%{+ss}-%{+YYYY}": 19, "%{+SSS}": None, "%{+%s}": 19}
stamps = st.sampled_from(
    [
        "2026-11-22T10:00:00.000Z",
        "2026-11-22T10:00:00.999Z",
        "2026-11-22T10:00:01.000Z",
        "2026-11-22T23:59:59.999999Z",
        "2026-11-23T00:00:00.000Z",
        "2027-01-01T00:00:00.000Z",
    ]
)
timed = stamps.map(lambda stamp: {"@timestamp": stamp, "type": "t"})
events: st.SearchStrategy[dict[str, Any]] = st.one_of(timed, st.just({}), st.just({"@timestamp": 5}))


@given(st.sampled_from(TEMPLATES), st.lists(st.lists(events, max_size=4), max_size=4))
def test_a_name_is_the_rendered_text(text: str, batches: list[list[dict[str, Any]]]) -> None:
    template = Template(text)
    names = namer(template)
    for batch in batches:
        assert names(Batch.of_events(batch, range(len(batch)), "o", 0)) == [template.render(event) for event in batch]


@pytest.mark.parametrize(("text", "length"), PREFIX_LENGTHS.items())
def test_prefix_length(text: str, length: int | None) -> None:
    assert Template(text).prefix_length == length
