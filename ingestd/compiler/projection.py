"""Which fields of a record must be decoded at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingestd.compiler.bound import Program, Step, steps
from ingestd.plugins.registry import Touch

ALWAYS = frozenset({"@timestamp", "@version", "@metadata", "@fields", "@message", "tags"})
"""Decoded in every record: the day, what a record without them gets, the marks of python-logstash's version 0, and
``tags``, which can only be texts."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What a pipeline touches. ``fields`` are the top-level names to decode, None where all must be: see ``why``."""

    touch: Touch
    fields: frozenset[str] | None
    why: str


def project(program: Program, conditions: Iterable[str]) -> Projection:
    """Return the projection of ``program``, whose conditions read the fields ``conditions``."""
    touch = Touch(reads=frozenset(conditions))
    reasons: list[str] = []
    for step in (*program.inputs, *steps(program.filters), *steps(program.outputs)):
        one = _touch(step)
        touch |= one
        if one.unknown:
            reasons.append(f"{step.name}: {one.unknown}")
    tops = touch.tops() | ALWAYS
    foreign = sorted(name for name in tops if not name.isascii())
    if foreign:  # the decoder finds only keys of ASCII letters
        reasons.append(f"the name of the field {foreign[0]!r} is not ASCII")
    if reasons:
        return Projection(touch, None, "; ".join(reasons))
    return Projection(touch, tops, "every plugin states its fields")


def _touch(step: Step) -> Touch:
    touch = step.touch()
    if step.spec.shape == "expand":
        touch |= Touch(unknown="it makes whole new events")
    return touch
