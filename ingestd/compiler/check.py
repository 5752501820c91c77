"""Check a parsed config: find every plugin, type every option, report every error with its span."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ingestd.compiler.bound import BoundBranch, BoundCodec, BoundPipeline, BoundStatement, Step
from ingestd.compiler.common_options import COMMON_LEGACY, FilterCommonOptions, InputCommonOptions, OutputCommonOptions
from ingestd.compiler.places import place_of_error
from ingestd.config.errors import ConfigError, Span
from ingestd.config.nodes import Branch, Config, PluginBlock, PluginSetting, Statement, StringLiteral, Value, texts
from ingestd.plugins.ecs import OPTION as ECS_OPTION
from ingestd.plugins.known import advice, is_known
from ingestd.plugins.options import read_options
from ingestd.plugins.registry import NO_LEGACY, Kind, Legacy, PluginSpec, find, names, option_name
from ingestd.plugins.ruby_advice import ruby_advice
from ingestd.settings import Settings
from ingestd.suggest import did_you_mean

T = TypeVar("T")

_COMMON: dict[Kind, type[Any]] = {
    "input": InputCommonOptions,
    "filter": FilterCommonOptions,
    "output": OutputCommonOptions,
}


def check(config: Config, settings: Settings | None = None) -> tuple[BoundPipeline, list[ConfigError]]:
    """Return the bound pipeline and all errors, in the order of the text.

    The pipeline lacks everything that is wrong, so it may run only if no error has severity ``error``. ``settings``
    has the defaults of options that plugins share.
    """
    errors = [*config.errors]
    settings = settings or Settings()
    binder = _Binder(errors, config.ecs_compatibility or settings.pipeline.ecs_compatibility, config.sources)
    pipeline = BoundPipeline(
        inputs=tuple(step for step in binder.bind("input", config.inputs) if isinstance(step, Step)),
        filters=binder.bind("filter", config.filters),
        outputs=binder.bind("output", config.outputs),
        sources=config.sources,
    )
    return pipeline, errors


class _Binder:
    def __init__(self, errors: list[ConfigError], ecs: str, sources: Mapping[str, str]) -> None:
        self._errors, self._sources = errors, sources
        self._defaults = {ECS_OPTION: ecs}
        self._count: Counter[str] = Counter()
        self._ids: dict[str, PluginSetting] = {}

    def bind(self, kind: Kind, statements: tuple[Statement, ...]) -> tuple[BoundStatement, ...]:
        bound = [
            self._branch(kind, statement) if isinstance(statement, Branch) else self._step(kind, statement)
            for statement in statements
        ]
        return tuple(statement for statement in bound if statement is not None)

    def _branch(self, kind: Kind, branch: Branch) -> BoundBranch | None:
        if kind == "input":
            text = "the input section cannot have conditions"
            hint = "an input has no event yet; put the condition into the filter section"
            self._errors.append(ConfigError(text, branch.span, hint))
            return None
        tests = tuple((test, self.bind(kind, body)) for test, body in branch.tests)
        return BoundBranch(tests, self.bind(kind, branch.otherwise), branch.span)

    def _step(self, kind: Kind, node: PluginBlock) -> Step | None:
        spec = self._find(kind, node)
        if spec is None:
            self._given_codec(kind, node)
            return None
        common_type = _COMMON[kind]
        shared = {option_name(item) for item in dataclasses.fields(common_type)} - _own_names(spec)
        common_settings = tuple(setting for setting in node.settings if setting.name in shared)
        takes_codec = bool(spec.codec)
        elsewhere = shared | {"codec"} if takes_codec else shared
        own = tuple(setting for setting in node.settings if setting.name not in elsewhere)
        owner = f"{kind} {node.name!r}"
        common_options = self._read(common_type, common_settings, owner, node.span)
        legacy = {**COMMON_LEGACY[kind], **spec.legacy}
        options = self._read(spec.options, own, owner, node.span, known=elsewhere, legacy=legacy)
        codec = self._codec(spec, node) if takes_codec else None
        number = self._count[spec.name]
        self._count[spec.name] += 1
        self._check_id(common_settings)
        if common_options is None or options is None or (takes_codec and codec is None):
            return None
        step = Step(f"{spec.name}_{number}", spec, options, common_options, codec, node.span, own)
        return step if self._states_fields(step, node) else None

    def _states_fields(self, step: Step, node: PluginBlock) -> bool:
        """Compute now what the plugin touches, so that an invalid field name is reported with its span."""
        try:
            step.touch().tops()
            step.common_options.build()
        except ValueError as error:
            span = place_of_error(error, node.settings, self._sources) or node.span
            text = f"{step.spec.kind} {node.name!r}: {error}"
            self._errors.append(ConfigError(text, span, getattr(error, "hint", "")))
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
            self._errors.append(_unknown(kind, node))
        return spec

    def _codec(self, spec: PluginSpec, node: PluginBlock) -> BoundCodec | None:
        default = PluginBlock(spec.codec, (), node.span)
        others = (STREAM_CODECS if spec.stream else {}) | (_INFLATED_CODECS if spec.inflates else {})
        return self._given_codec(spec.kind, node, default, others)

    def _given_codec(
        self,
        kind: Kind,
        node: PluginBlock,
        default: PluginBlock | None = None,
        others: Mapping[str, str] = MappingProxyType({}),
    ) -> BoundCodec | None:
        """Return the codec of a plugin, which may be an unknown one; ``others``: what it has instead of some codecs."""
        given = next((setting.value for setting in reversed(node.settings) if setting.name == "codec"), None)
        value: Value | None = default if given is None else given
        if value is None:
            return None
        if isinstance(value, StringLiteral):
            value = PluginBlock(value.value, (), value.span)
        if not isinstance(value, PluginBlock):
            self._errors.append(ConfigError("a codec is a name or name { options }", value.span, "codec => json_lines"))
            return None
        value = PluginBlock(others.get(value.name, value.name), value.settings, value.span)
        codec = self._find("codec", value)
        if codec is None:
            return None
        if kind == "input" and not codec.decodes:
            text = f"the codec {value.name!r} cannot decode"
            self._errors.append(ConfigError(text, value.span, "use json_lines, json, line or plain for an input"))
            return None
        if kind == "output" and not codec.encodes:
            text = f"the codec {value.name!r} cannot encode"
            self._errors.append(ConfigError(text, value.span, "use json_lines, json, line or plain for an output"))
            return None
        legacy = {**COMMON_LEGACY["codec"], **codec.legacy}
        options = self._read(codec.options, value.settings, f"codec {value.name!r}", value.span, legacy=legacy)
        return None if options is None else BoundCodec(codec, options, value.settings, value.span)

    def _read(
        self,
        options: type[T],
        settings: tuple[PluginSetting, ...],
        owner: str,
        span: Span,
        known: Collection[str] = (),
        legacy: Legacy = NO_LEGACY,
    ) -> T | None:
        return read_options(
            options, settings, owner, span, self._errors, known=known, defaults=self._defaults, legacy=legacy
        )


def _unknown(kind: Kind, node: PluginBlock) -> ConfigError:
    """Return the error for a plugin that does not exist here, with what to do."""
    if is_known(kind, node.name):
        text = f"the {kind} {node.name!r} is known from Logstash, and not supported"
        if (kind, node.name) == ("filter", "ruby"):
            code = [literal.value for setting in node.settings if setting.name in _CODE for literal in texts(setting)]
            return ConfigError(text, node.span, ruby_advice("\n".join(code)))
        return ConfigError(text, node.span, advice(kind, node.name))
    near = did_you_mean(node.name, names(kind))
    hint = f"did you mean {near!r}?" if near else f"known {kind}s: " + ", ".join(names(kind))
    return ConfigError(f"unknown {kind} plugin {node.name!r}", node.span, hint)


_CODE = ("code", "init")
"""Options of the filter ``ruby`` that hold code."""

STREAM_CODECS = {"json": "json_lines", "plain": "line"}
"""The codecs that replace message codecs on inputs that read a stream, as in Logstash."""

_INFLATED_CODECS = {"gzip_lines": "line"}
"""The codecs that replace others on inputs that decompress what they read."""


def _own_names(spec: PluginSpec) -> set[str]:
    return {option_name(item) for item in dataclasses.fields(spec.options)}
