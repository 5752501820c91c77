"""Which fields of a record have to be decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingestd.compiler.bound import BoundPipeline, Step, steps
from ingestd.event.fields import FieldRef
from ingestd.plugins.registry import Touch

ALWAYS = frozenset({"@timestamp", "@version", "@metadata", "@fields", "@message", "tags"})
"""Decoded in every record: the timestamp, fields that are added if missing, those that mark version 0 of
python-logstash, and ``tags``, which must be text."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What a pipeline touches. ``fields`` are the top-level names to decode, None: all; ``why`` has the reason."""

    touch: Touch
    fields: frozenset[str] | None
    why: str

    @property
    def reads(self) -> frozenset[str]:
        """The top-level fields that are read, except those with fields inside that are touched: they are hashes.

        A config that sets ``[host][name]``, as the ECS patterns of grok do, wants no text in ``host``.
        """
        touched = self.touch.reads | self.touch.sets | self.touch.removes
        hashes = {ref.top for ref in map(FieldRef.named, touched) if len(ref.path) > 1}
        return frozenset(ref.top for ref in map(FieldRef.named, self.touch.reads)) - hashes


def project(bound: BoundPipeline, conditions: Iterable[str]) -> Projection:
    """Return the projection of ``bound``, whose conditions read the fields ``conditions``."""
    touch = Touch(reads=frozenset(conditions))
    reasons: list[str] = []
    for step in (*bound.inputs, *steps(bound.filters), *steps(bound.outputs)):
        step_touch = _touch(step)
        touch |= step_touch
        if step_touch.unknown:
            reasons.append(f"{step.name}: {step_touch.unknown}")
    tops = touch.tops() | ALWAYS
    foreign = sorted(name for name in tops if not (name.isascii() and name.isprintable()) or {*name} & {'"', "\\"})
    if foreign:  # the decoder finds only keys that stand in JSON as they are
        reasons.append(f"the name of the field {foreign[0]!r} is not plain ASCII")
    if reasons:
        return Projection(touch, None, "; ".join(reasons))
    return Projection(touch, tops, "every plugin states its fields")


def _touch(step: Step) -> Touch:
    touch = step.touch()
    if step.spec.outcome == "any_number":
        touch |= Touch(unknown="it makes whole new events")
    return touch
