"""``rubydebug``: events in the notation of Ruby's awesome_print, for people to read.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-rubydebug.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.registry import BuildContext, Touch, option, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``rubydebug``."""

    metadata: bool = option(False, "Also show `[@metadata]`.")


@dataclass(frozen=True, slots=True)
class RubyDebugCodec:
    """Encodes events for people; it cannot decode."""

    metadata: bool
    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Raise ValueError: this format is not meant to be parsed."""
        raise ValueError("the codec rubydebug cannot decode; use json_lines or line for an input")

    def encode(self, batch: Batch) -> bytes:
        """Return every event as a hash on several lines."""
        shown = (
            event if self.metadata else {key: value for key, value in event.items() if key != "@metadata"}
            for event in batch.events()
        )
        return "".join(_hash(event, 0) + "\n" for event in shown).encode("utf-8", "replace")


def _hash(value: dict[str, Any], depth: int) -> str:
    if not value:
        return "{}"
    pad, width = "    " * (depth + 1), max(len(json.dumps(key, ensure_ascii=False)) for key in value)
    rows = []
    for key, item in value.items():
        text = str(item) if key == "@timestamp" and not depth else _value(item, depth + 1)
        rows.append(f"{pad}{json.dumps(key, ensure_ascii=False):>{width}} => {text}")
    return "{\n" + ",\n".join(rows) + "\n" + "    " * depth + "}"


def _value(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        return _hash(value, depth)
    if isinstance(value, list):
        if not value:
            return "[]"
        pad = "    " * (depth + 1)
        rows = [f"{pad}[{index}] {_value(item, depth + 1)}" for index, item in enumerate(value)]
        return "[\n" + ",\n".join(rows) + "\n" + "    " * depth + "]"
    if value is None:
        return "nil"
    return json.dumps(value, ensure_ascii=False)


def _touches(opts: Options) -> Touch:
    return Touch(reads=frozenset({"@metadata"})) if opts.metadata else Touch()


@plugin("codec", "rubydebug", Options, decodes=False, touches=_touches)
def build(opts: Options, context: BuildContext) -> RubyDebugCodec:
    """Events as Ruby prints them, with aligned names; for outputs only."""
    return RubyDebugCodec(opts.metadata)
