"""The pipeline after ``check``: every plugin found, every option typed, nothing built yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingestd.compiler.common_options import FilterCommonOptions, InputCommonOptions, OutputCommonOptions
from ingestd.config.errors import Span
from ingestd.config.nodes import Condition, PluginSetting
from ingestd.plugins.registry import PluginSpec, Touch


@dataclass(frozen=True, slots=True)
class BoundCodec:
    """A codec with its options, and how the config gives them."""

    spec: PluginSpec
    options: Any
    settings: tuple[PluginSetting, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One plugin of the config. ``name`` is unique in the pipeline and a Python identifier: ``grok_0``.

    In generated code, ``name`` is the function of a filter; ``common_options_name`` and ``failed_name`` are the
    functions that run its common options, and that handle its failures; ``fields_name`` are the fields that it touches.
    """

    name: str
    spec: PluginSpec
    options: Any
    common_options: FilterCommonOptions | InputCommonOptions | OutputCommonOptions
    codec: BoundCodec | None
    span: Span
    settings: tuple[PluginSetting, ...] = ()

    @property
    def plugin_id(self) -> str:
        """Return the ``id`` given in the config, else the name."""
        return self.common_options.id or self.name

    @property
    def common_options_name(self) -> str:
        """The name of ``common_options.build()`` in generated code."""
        return f"{self.name}_common_options"

    @property
    def failed_name(self) -> str:
        """The name of the failure handler in generated code."""
        return f"{self.name}_failed"

    @property
    def fields_name(self) -> str:
        """The name of the top-level fields that the filter touches in generated code."""
        return f"{self.name}_fields"

    def touch(self) -> Touch:
        """Return what the plugin and its common options read, set and remove."""
        touched = self.spec.touches(self.options) | self.common_options.touch()
        if self.codec is not None and self.spec.kind == "output":
            touched |= self.codec.spec.touches(self.codec.options)
        if self.spec.kind == "filter" and self.spec.outcome == "one":
            touched |= Touch(reads=frozenset({"tags"}), sets=frozenset({"tags"}))  # the failure tag
        return touched


@dataclass(frozen=True, slots=True)
class BoundBranch:
    """``if``, ``else if`` ..., ``else`` with bound bodies."""

    tests: tuple[tuple[Condition, tuple[BoundStatement, ...]], ...]
    otherwise: tuple[BoundStatement, ...]
    span: Span


BoundStatement = Step | BoundBranch


@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """All plugins of a pipeline, by section."""

    inputs: tuple[Step, ...]
    filters: tuple[BoundStatement, ...]
    outputs: tuple[BoundStatement, ...]
    sources: dict[str, str]


def steps(statements: tuple[BoundStatement, ...]) -> list[Step]:
    """Return all plugins in ``statements``, including those inside branches, in the order of the text."""
    plugins: list[Step] = []
    for statement in statements:
        if isinstance(statement, Step):
            plugins.append(statement)
        else:
            for _, body in statement.tests:
                plugins += steps(body)
            plugins += steps(statement.otherwise)
    return plugins
