"""YAML with the place of each value, and with the types of YAML 1.2.

PyYAML's own loader makes a boolean of ``no``, a date of ``2026-11-22``, a number of ``12:30:45``; here all are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from ingestd.config.errors import ConfigError, ConfigErrors, Span

_TAG = "tag:yaml.org,2002:"
_PLAIN = [  # (kind, pattern, first characters)
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), [*"tTfF"]),
    ("int", re.compile(r"[-+]?[0-9]+"), [*"-+0123456789"]),
    ("float", re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), [*"-+.0123456789"]),
]
_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _kind, _pattern, _firsts in _PLAIN:
    for _first in _firsts:
        _RESOLVERS.setdefault(_first, []).append((_TAG + _kind, re.compile(rf"(?:{_pattern.pattern})\Z")))
_MAX_DEPTH = 200
"""Levels of lists and mappings in a file: far below Python's limit of recursion."""

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_VALUES: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": _finite,
    "null": lambda text: _WORDS[text.lower()],
    "bool": lambda text: _WORDS[text.lower()],
}


class _DepthError(Exception):
    """A file is nested too deeply; it has the place."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the package has no types
    yaml_implicit_resolvers = _RESOLVERS
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node, with those in it."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _DepthError(self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    yaml_implicit_resolvers = _RESOLVERS

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        """Indent the items of lists, as people do."""
        return super().increase_indent(flow, indentless=False)


def _text(dumper: Any, value: str) -> Any:
    lines = value.split("\n")
    style = "|" if len(lines) > 2 else None
    if not all(map(str.isprintable, lines)):
        style = '"'  # with escapes
    return dumper.represent_scalar(f"{_TAG}str", value, style=style)


_Dumper.add_representer(str, _text)


class Node:
    """A value of a file. ``span`` is its place, of a list or mapping that of its key, which is ``key_span``."""

    def __init__(self, node: Any, file: str, key: Any = None) -> None:
        self._node, self._file = node, file
        self.key_span = _span(node if key is None else key, file)
        self.span = _span(node, file) if isinstance(node, yaml.ScalarNode) else self.key_span

    @property
    def column(self) -> int:
        """Where it starts in its line, from 0."""
        column: int = self._node.start_mark.column
        return column

    def error(self, message: str, hint: str = "") -> ConfigError:
        """Return an error at this place."""
        return ConfigError(message, self.span, hint)

    def mapping(self) -> dict[str, Node] | None:
        """Return the values by their keys, None if it is not a mapping.

        Raises:
            ConfigError: A key comes twice, or is not text.
        """
        if not isinstance(self._node, yaml.MappingNode):
            return None
        found: dict[str, Node] = {}
        for key, value in self._node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None or name in found:
                text = "a key must be a text" if name is None else f"the key {name!r} comes twice"
                raise Node(key, self._file).error(text)
            found[name] = Node(value, self._file, key)
        return found

    def items(self) -> list[Node] | None:
        """Return the items, None if it is not a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            return None
        return [Node(item, self._file) for item in self._node.value]

    def value(self, depth: int = 0) -> Any:
        """Return it as JSON types.

        Raises:
            ConfigError: It has a value of another kind, a key twice, or is nested more than 100 levels deep.
        """
        if depth > 100:
            raise self.error("nested too deeply")
        if (items := self.items()) is not None:
            return [item.value(depth + 1) for item in items]
        if (mapping := self.mapping()) is not None:
            return {name: node.value(depth + 1) for name, node in mapping.items()}
        kind, text = self._node.tag.removeprefix(_TAG), self._node.value
        if kind == "str":
            return text
        if kind in _VALUES:
            try:
                return _VALUES[kind](text)
            except (ValueError, KeyError):  # by an explicit tag, or too large
                raise self.error(f"{text[:80]!r} is not a valid {kind}") from None
        raise self.error(f"values with the tag {self._node.tag!r} are not possible", "use JSON's types")


def _span(node: Any, file: str) -> Span:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Span(file, start.line + 1, start.column + 1, max(length, 1))


def _place(mark: Any, file: str) -> Span:
    return Span(file, mark.line + 1, mark.column + 1)


def read_yaml(text: str, file: str) -> Node:
    """Return the only document of a file.

    Raises:
        ConfigErrors: It is not YAML, empty, or nested too deeply.
    """
    try:
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        span = Span(file, 1, 1) if mark is None else _place(mark, file)
        what = getattr(error, "problem", None) or str(error)
        raise ConfigErrors([ConfigError(f"not YAML: {what}", span)], {file: text}) from None
    except _DepthError as error:
        raise ConfigErrors([ConfigError("nested too deeply", _place(error.args[0], file))], {file: text}) from None
    if node is None:
        raise ConfigErrors([ConfigError("the file is empty", Span(file, 1, 1))], {file: text})
    return Node(node, file)


def write_yaml(value: Any) -> str:
    """Return a value of JSON types as YAML that `read_yaml` reads back."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    return text
