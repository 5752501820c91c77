"""Check a parsed config: find every plugin, type every option, report every mistake at its place."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from ingestd.compiler.bound import Bound, BoundCodec, Fork, Program, Step
from ingestd.compiler.common import FilterCommon, InputCommon, OutputCommon
from ingestd.config.errors import ConfigError
from ingestd.config.nodes import Branch, Config, PluginBlock, PluginSetting, Statement, StringLiteral, Value
from ingestd.plugins.options import read_options
from ingestd.plugins.registry import Kind, PluginSpec, find, names, option_name
from ingestd.suggest import did_you_mean

_COMMON: dict[Kind, type[Any]] = {
    "input": InputCommon,
    "filter": FilterCommon,
    "output": OutputCommon,
}


def check(config: Config) -> tuple[Program, list[ConfigError]]:
    """Return the bound program and all errors, in the order of the text.

    The program lacks what is wrong, so it may only be run if no error has severity ``error``.
    """
    errors: list[ConfigError] = []
    binder = _Binder(errors)
    program = Program(
        inputs=tuple(step for step in binder.bind("input", config.inputs) if isinstance(step, Step)),
        filters=binder.bind("filter", config.filters),
        outputs=binder.bind("output", config.outputs),
        sources=config.sources,
    )
    return program, errors


class _Binder:
    def __init__(self, errors: list[ConfigError]) -> None:
        self._errors = errors
        self._count: Counter[str] = Counter()
        self._ids: dict[str, PluginSetting] = {}

    def bind(self, kind: Kind, statements: tuple[Statement, ...]) -> tuple[Bound, ...]:
        bounds = [self._branch(kind, one) if isinstance(one, Branch) else self._step(kind, one) for one in statements]
        return tuple(bound for bound in bounds if bound is not None)

    def _branch(self, kind: Kind, branch: Branch) -> Fork | None:
        if kind == "input":
            text = "conditions are not possible in the input section"
            hint = "an input has no event yet; put the condition into the filter section"
            self._errors.append(ConfigError(text, branch.span, hint))
            return None
        tests = tuple((test, self.bind(kind, body)) for test, body in branch.tests)
        return Fork(tests, self.bind(kind, branch.otherwise), branch.span)

    def _step(self, kind: Kind, node: PluginBlock) -> Step | None:
        spec = self._find(kind, node)
        if spec is None:
            return None
        common_type = _COMMON[kind]
        shared = {option_name(item) for item in dataclasses.fields(common_type)} - _own_names(spec)
        common_settings = tuple(one for one in node.settings if one.name in shared)
        takes_codec = bool(spec.codec)
        elsewhere = shared | {"codec"} if takes_codec else shared
        own = tuple(one for one in node.settings if one.name not in elsewhere)
        owner = f"{kind} {node.name!r}"
        common = read_options(common_type, common_settings, owner, node.span, self._errors)
        options = read_options(spec.options, own, owner, node.span, self._errors, known=elsewhere)
        codec = self._codec(spec, node) if takes_codec else None
        number = self._count[spec.name]
        self._count[spec.name] += 1
        self._check_id(common_settings)
        if common is None or options is None or (takes_codec and codec is None):
            return None
        step = Step(f"{spec.name}_{number}", spec, options, common, codec, node.span)
        return step if self._states_fields(step, node) else None

    def _states_fields(self, step: Step, node: PluginBlock) -> bool:
        """Ask what the plugin touches now, so that a bad field name is reported with its place."""
        try:
            step.touch()
        except ValueError as error:
            self._errors.append(ConfigError(f"{step.spec.kind} {node.name!r}: {error}", node.span))
            return False
        return True

    def _check_id(self, settings: tuple[PluginSetting, ...]) -> None:
        for setting in settings:
            if setting.name != "id" or not isinstance(setting.value, StringLiteral):
                continue
            if setting.value.value in self._ids:
                text = f"the id {setting.value.value!r} is used twice"
                self._errors.append(ConfigError(text, setting.value.span, "every id must be unique in a pipeline"))
            self._ids[setting.value.value] = setting

    def _find(self, kind: Kind, node: PluginBlock) -> PluginSpec | None:
        spec = find(kind, node.name)
        if spec is None:
            near = did_you_mean(node.name, names(kind))
            hint = f"did you mean {near!r}?" if near else f"known {kind}s: " + ", ".join(names(kind))
            self._errors.append(ConfigError(f"unknown {kind} plugin {node.name!r}", node.span, hint))
        return spec

    def _codec(self, spec: PluginSpec, node: PluginBlock) -> BoundCodec | None:
        given = next((one for one in reversed(node.settings) if one.name == "codec"), None)
        value: Value = given.value if given else StringLiteral(spec.codec, node.span, bare=True)
        if isinstance(value, StringLiteral):
            value = PluginBlock(value.value, (), value.span)
        if not isinstance(value, PluginBlock):
            self._errors.append(ConfigError("a codec is a name or name { options }", value.span, "codec => json_lines"))
            return None
        if spec.stream:
            value = PluginBlock(STREAM_CODECS.get(value.name, value.name), value.settings, value.span)
        found = self._find("codec", value)
        if found is None:
            return None
        if spec.kind == "input" and not found.decodes:
            text = f"the codec {value.name!r} only writes"
            self._errors.append(ConfigError(text, value.span, "an input takes json_lines, json, line or plain"))
            return None
        options = read_options(found.options, value.settings, f"codec {value.name!r}", value.span, self._errors)
        return None if options is None else BoundCodec(found, options)


STREAM_CODECS = {"json": "json_lines", "plain": "line"}
"""What an input that reads a stream takes instead of a codec for whole messages, as in Logstash."""


def _own_names(spec: PluginSpec) -> set[str]:
    return {option_name(item) for item in dataclasses.fields(spec.options)}
