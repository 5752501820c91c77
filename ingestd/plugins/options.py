"""Convert the settings of a plugin in the config to its typed options, with an error at the span of each mistake.

The coercions are Logstash's: a scalar becomes an array of one element, a flat array of pairs becomes a hash, a
number is accepted as text and the reverse, ``"true"`` is a boolean. If a setting is given twice, hashes are merged,
arrays joined, and of other values the last one counts.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ingestd.config.errors import ConfigError, Span
from ingestd.config.nodes import (
    ArrayLiteral,
    HashLiteral,
    NumberLiteral,
    PluginBlock,
    PluginSetting,
    StringLiteral,
    Value,
    texts,
)
from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.sprintf import Template, misread, to_text
from ingestd.plugins.registry import NO_LEGACY, Legacy, LegacyOption, option_name
from ingestd.suggest import did_you_mean, option_meant

T = TypeVar("T")


_INDEXED = re.compile(r"%\{([^\[\]{}]+)((?:\[[^\[\]]+\])+)\}")
"""``%{a[b]}``, which other languages would read as ``%{[a][b]}``."""


class _MismatchError(Exception):
    """The value at ``span`` has the wrong type; the message names the expected one."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


def plain(node: Value) -> Any:
    """Return the Python value of a config value: str, int, float, list or dict."""
    if isinstance(node, StringLiteral | NumberLiteral):
        return node.value
    if isinstance(node, ArrayLiteral):
        return [plain(item) for item in node.items]
    if isinstance(node, HashLiteral):
        return {to_text(key.value): plain(value) for key, value in node.items}
    raise ConfigError(f"a plugin ({node.name!r}) is not allowed here", node.span, "only 'codec' accepts a plugin")


def read_options(  # noqa: PLR0913 -- the last two by name
    options: type[T],
    settings: tuple[PluginSetting, ...],
    owner: str,
    span: Span,
    errors: list[ConfigError],
    *,
    known: Collection[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    legacy: Legacy = NO_LEGACY,
) -> T | None:
    """Return ``options`` filled from ``settings``; append every error to ``errors``, then return None.

    Options with a variable that is not set are not looked at: that is an error already.

    ``owner`` names the plugin in messages (``filter 'grok'``); ``span`` is where a missing option is reported;
    ``known`` are more option names for suggestions; ``defaults`` go before those that ``options`` declares; ``legacy``
    are options that are accepted besides.
    """
    before = sum(error.severity == "error" for error in errors)
    declared, hints = _declared(options)  # type: ignore[arg-type]
    settings = _without_legacy(settings, legacy, declared, owner, errors)
    unset = {setting.name for setting in settings if any(text.unset for text in texts(setting))}
    values = {field.name: defaults[name] for name, field in declared.items() if name in defaults}
    misspelt: set[str] = set()
    for setting in settings:
        field = declared.get(setting.name)
        if field is not None and setting.name in unset:
            continue
        if field is None:
            names = sorted({*declared, *known})
            near = option_meant(setting.name, names)
            misspelt |= {near} if near else set()
            hint = f"did you mean {near!r}?" if near else "known options: " + ", ".join(names)
            errors.append(ConfigError(f"unknown option {setting.name!r} for {owner}", setting.span, hint))
            continue
        try:
            value = coerce(hints[field.name], setting.value)
        except _MismatchError as error:
            message = f"option {setting.name!r} of {owner}: {error}"
            errors.append(ConfigError(message, error.span, field.metadata["doc"]))
            continue
        except ConfigError as error:
            errors.append(error)
            continue
        choices = field.metadata["choices"]
        wrong = [item for item in (value if isinstance(value, list) else [value]) if choices and item not in choices]
        if wrong:
            message = f"option {setting.name!r} of {owner}: {wrong[0]!r} is not one of {', '.join(choices)}"
            near = did_you_mean(str(wrong[0]), choices)
            errors.append(ConfigError(message, setting.value.span, f"did you mean {near!r}?" if near else ""))
            continue
        values[field.name] = _merge(hints[field.name], values.get(field.name), value)
        if _has_templates(hints[field.name]):
            errors += _misread(setting)
    given = {setting.name for setting in settings} | misspelt
    for name, field in declared.items():
        missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if missing and name not in given:
            hint = f"add {name} => ...  ({field.metadata['doc']})"
            errors.append(ConfigError(f"{owner} needs the option {name!r}", span, hint))
    if unset or sum(error.severity == "error" for error in errors) > before:
        return None
    return options(**values)


def _has_templates(kind: Any) -> bool:
    return kind in (Template, Any) or any(_has_templates(inner) for inner in typing.get_args(kind))


def _misread(setting: PluginSetting) -> Iterator[ConfigError]:
    for literal in texts(setting):
        for placeholder in misread(literal.value):
            hint = (
                f"write %{{[{match[1]}]{match[2]}}}"
                if (match := _INDEXED.fullmatch(placeholder))
                else "write %{[a][b]}"
            )
            text = f"{placeholder} refers to no field, so it stays as it is"
            yield ConfigError(text, literal.span, hint, "warning")


def _without_legacy(
    settings: tuple[PluginSetting, ...],
    legacy: Legacy,
    declared: Collection[str],
    owner: str,
    errors: list[ConfigError],
) -> tuple[PluginSetting, ...]:
    """Return the settings with legacy options under the names of their successors; report each."""
    given = {setting.name for setting in settings}
    current: list[PluginSetting] = []
    for setting in settings:
        old = None if setting.name in declared else legacy.get(setting.name)
        if old is None:
            current.append(setting)
            continue
        if old.successor and old.successor not in given:
            current.append(PluginSetting(old.successor, _translated(setting.value, old), setting.span))
        if not old.silent:
            errors.append(_legacy_error(setting, old, owner))
    return tuple(current)


def _translated(value: Value, old: LegacyOption) -> Value:
    if isinstance(value, StringLiteral) and value.value in old.values:
        return StringLiteral(old.values[value.value], value.span, value.bare)
    return value


def _legacy_error(setting: PluginSetting, old: LegacyOption, owner: str) -> ConfigError:
    severity = "error" if old.refused else "warning"
    if old.successor:
        message = f"the option {setting.name!r} of {owner} is called {old.successor!r} now"
    elif old.refused:
        why = "is not supported" if old.current else "no longer exists, as in Logstash"
        message = f"the option {setting.name!r} of {owner} {why}"
    else:
        message = f"the option {setting.name!r} of {owner} has no effect"
    given = setting.value.value if isinstance(setting.value, StringLiteral) else ""
    advice = old.note or f"write {old.successor} => {old.values.get(given, '...')}"
    return ConfigError(message, setting.span, advice, severity)


@functools.cache
def _declared(options: Any) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """Return the options that a class declares, by their names in configs, and its types by field."""
    return {option_name(field): field for field in dataclasses.fields(options)}, typing.get_type_hints(options)


def _merge(kind: Any, old: Any, new: Any) -> Any:
    """Return the value of a setting given twice; the values of a key are joined if it may have several."""
    if isinstance(old, list) and isinstance(new, list):
        return old + new
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    inner = typing.get_args(kind)[1]
    if inner is not Any and typing.get_origin(inner) is not list:
        return {**old, **new}
    joined = {key: [*_as_list(old[key]), *_as_list(new[key])] for key in old.keys() & new.keys()}
    return {**old, **new, **joined}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def coerce(kind: Any, node: Value) -> Any:
    """Return the value of ``node`` as ``kind``: a scalar type, ``list[...]``, ``dict[str, ...]`` or ``X | None``.

    Raises:
        ConfigError: It has the wrong type; the span is inside ``node``.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if type(None) in arguments:
        return coerce(next(argument for argument in arguments if argument is not type(None)), node)
    if origin is list:
        items = node.items if isinstance(node, ArrayLiteral) else (node,)
        return [coerce(arguments[0], item) for item in items]
    if origin is dict:
        return _hash(arguments[1], node)
    if kind is Any:
        return plain(node)
    if isinstance(node, ArrayLiteral) and len(node.items) == 1:
        node = node.items[0]
    if not isinstance(node, StringLiteral | NumberLiteral):
        raise _MismatchError(f"expected {_NAMES[kind]}, found {_shape(node)}", node.span)
    return _scalar(kind, node)


def _hash(kind: Any, node: Value) -> dict[str, Any]:
    if isinstance(node, ArrayLiteral) and len(node.items) % 2 == 0:
        flat = node.items
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
    elif isinstance(node, HashLiteral):
        pairs = list(node.items)
    else:
        raise _MismatchError(f"expected a hash {{ key => value }}, found {_shape(node)}", node.span)
    result: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, StringLiteral | NumberLiteral):
            raise _MismatchError(f"expected text as key, found {_shape(key)}", key.span)
        name = to_text(key.value)
        if name in result and isinstance(node, HashLiteral):
            raise ConfigError(f"the key {name!r} appears twice in the hash", key.span, "put both values into one array")
        result = _merge(dict[str, kind], result, {name: coerce(kind, value)})
    return result


def _scalar(kind: Any, node: StringLiteral | NumberLiteral) -> Any:
    value = node.value
    try:
        if kind is bool:
            if value not in ("true", "false"):
                raise _MismatchError(f"expected true or false, found {value!r}", node.span)
            return value == "true"
        if kind is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(number)
        if kind is float:
            return float(value)
        return kind(to_text(value))
    except FieldError as error:
        hint = "write [outer][inner]" if value else "leave the option out"
        raise ConfigError(str(error), node.span, hint) from None
    except (ValueError, OverflowError) as error:
        if kind is Template:
            raise ConfigError(str(error), node.span) from None
        raise _MismatchError(f"expected {_NAMES.get(kind, 'a value')}, found {value!r}", node.span) from None


_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    FieldRef: "a field reference",
    Template: "text",
}


def _shape(node: Value) -> str:
    if isinstance(node, ArrayLiteral):
        return "an array"
    if isinstance(node, HashLiteral):
        return "a hash"
    if isinstance(node, PluginBlock):
        return "a plugin"
    return repr(node.value)
