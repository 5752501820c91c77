"""What the parts of the pipelines may cost: their CPU per event, divided by that of the reference loop."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestd.compiler.pipeline import Pipeline
from tests.bench.access_lines import grokked, user_lines
from tests.bench.cases import filter_config
from tests.bench.events import expected, make_lines
from tests.bench.filter_lines import pairs_lines
from tests.bench.options import Options
from tests.bench.results import Result, Unit
from tests.bench.stages import default_pipeline, least_us, pipeline_of

MARGIN = 1.5
"""Between what a part costs and what it may cost: less than a doubling, more than noise and the versions of Python."""

_LINES, _ROUNDS, _TRIES = 2_000, 5, 8


def _records() -> list[bytes]:
    return make_lines(_LINES)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a pipeline.

    Attributes:
        usual: Its CPU divided by that of the reference loop. If a change makes a part cheaper, write the new figure
            here, which ``make bench ARGS="--only guard"`` prints: else a doubling of the new one is not noticed.
        stages: What is measured of the pipeline.
    """

    usual: float
    build: Callable[[], Pipeline]
    lines: Callable[[], list[bytes]] = _records
    stages: tuple[str, ...] = ("filter",)


def _filter(text: str) -> Callable[[], Pipeline]:
    return functools.partial(pipeline_of, filter_config(text))


def _visits() -> list[bytes]:
    """Return records with a path, but without a search word."""
    records = [expected(line) for line in make_lines(_LINES)]
    for record in records:
        record.pop("search_word", None)
    return [json.dumps(record).encode() + b"\n" for record in records]


def _user() -> list[bytes]:
    return user_lines(_LINES)


def _grokked() -> list[bytes]:
    """Return access lines as they are after grok."""
    return [json.dumps(grokked(line)).encode() + b"\n" for line in user_lines(_LINES)]


def _pairs() -> list[bytes]:
    return pairs_lines(_LINES)


def ratio(pipeline: Pipeline, part: Part, enough: float = 0.0, tries: int = _TRIES) -> float:
    """Return the CPU of a part divided by that of the reference loop, the least of several tries.

    Both are measured in turns, and the least of some rounds counts. A try that gives ``enough`` or less is the last.
    """
    lines, least = part.lines(), float("inf")
    for _ in range(tries):
        spent, reference = least_us(pipeline, lines, _ROUNDS)
        least = min(least, sum(spent[stage] for stage in part.stages) / reference.us)
        if least <= enough:
            break
    return least


def guard(options: Options) -> Iterator[Result]:
    """Measure each guarded part."""
    for name, part in PARTS.items():
        yield Result(
            f"{name}, against the reference loop", ratio(part.build(), part), Unit.TIMES, None, MARGIN * part.usual
        )


PARTS = {
    "decode": Part(0.48, default_pipeline, stages=("decode",)),
    "filters": Part(0.84, default_pipeline, stages=("filter",)),
    "documents": Part(0.15, default_pipeline, stages=("documents",)),  # joining them is mostly page faults: too noisy
    "access_line": Part(0.36, _filter("access_line { }")),
    "client_address": Part(0.26, _filter("client_address { }")),
    "search_word": Part(0.17, _filter("search_word { }"), _visits),
    "grok": Part(2.52, _filter('grok { match => { "message" => "%{HTTPD_COMMONLOG}" } }'), _user),
    "date": Part(0.25, _filter('date { match => ["timestamp", "dd/MMM/yyyy:HH:mm:ss Z"] }'), _grokked),
    "urldecode": Part(0.18, _filter('urldecode { field => "request" }'), _grokked),
    "mutate": Part(0.08, _filter('mutate { rename => { "verb" => "method" } remove_field => ["auth"] }'), _grokked),
    "kv": Part(10.0, _filter("kv { }"), _pairs),
    "whole_documents": Part(2.5, _filter("kv { }"), _pairs, stages=("documents",)),
}
