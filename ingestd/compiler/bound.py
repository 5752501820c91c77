"""The pipeline after ``check``: every plugin found, every option typed, nothing built yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingestd.compiler.common import FilterCommon, InputCommon, OutputCommon
from ingestd.config.errors import Span
from ingestd.config.nodes import Condition
from ingestd.plugins.registry import PluginSpec, Touch


@dataclass(frozen=True, slots=True)
class BoundCodec:
    """A codec with its options."""

    spec: PluginSpec
    options: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One plugin of the config. ``name`` is unique in the pipeline and a Python identifier: ``grok_0``."""

    name: str
    spec: PluginSpec
    options: Any
    common: FilterCommon | InputCommon | OutputCommon
    codec: BoundCodec | None
    span: Span

    @property
    def plugin_id(self) -> str:
        """Return the ``id`` given in the config, else the name."""
        return self.common.id or self.name

    def touch(self) -> Touch:
        """Return what the plugin and its common options read, set and remove."""
        touched = self.spec.touches(self.options) | self.common.touch()
        if self.spec.kind == "filter" and self.spec.shape == "match":
            touched |= Touch(reads=frozenset({"tags"}), sets=frozenset({"tags"}))  # the failure tag
        return touched


@dataclass(frozen=True, slots=True)
class Fork:
    """``if``, ``else if`` ..., ``else`` with bound bodies."""

    tests: tuple[tuple[Condition, tuple[Bound, ...]], ...]
    otherwise: tuple[Bound, ...]
    span: Span


Bound = Step | Fork


@dataclass(frozen=True, slots=True)
class Program:
    """A whole bound pipeline."""

    inputs: tuple[Step, ...]
    filters: tuple[Bound, ...]
    outputs: tuple[Bound, ...]
    sources: dict[str, str]


def steps(bounds: tuple[Bound, ...]) -> list[Step]:
    """Return all plugins in ``bounds``, those inside branches included, in the order of the text."""
    found: list[Step] = []
    for bound in bounds:
        if isinstance(bound, Step):
            found.append(bound)
        else:
            for _, body in bound.tests:
                found += steps(body)
            found += steps(bound.otherwise)
    return found
