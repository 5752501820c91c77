"""``prune``: keep or remove fields by their names or values.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-prune and the plugin's version 3.0. Only
top-level fields are looked at, `@timestamp` and `@version` among them, but not `@metadata`. Unlike there, a value that
is not text is matched as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

from ingestd.event.fields import Event
from ingestd.event.sprintf import Template
from ingestd.grok.compile import compile_regex
from ingestd.grok.errors import PatternError
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option

_CACHED_NAMES = 4096
_CACHED_PATTERNS = 256  # patterns that depend on fields

Matches = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``prune``."""

    whitelist_names: list[Template] = option(
        [], "Expressions for the names of the fields to keep; default: all. Others are removed, `@timestamp` as well."
    )
    blacklist_names: list[Template] = option(
        [Template(r"%\{[^}]+\}")], "Expressions for the names of fields to remove; default: unresolved `%{field}`."
    )
    whitelist_values: dict[str, Template] = option(
        {}, "Fields to keep only if their value matches an expression; of an array, the items that match."
    )
    blacklist_values: dict[str, Template] = option(
        {}, "Fields to remove if their value matches an expression; of an array, the items that match."
    )
    interpolate: bool = option(False, "Replace `%{field}` in expressions and in names of fields.")


def _touches(options: Options) -> Touch:
    return Touch(unknown="prune looks at the names of all fields")


@filter_plugin("prune", Options, touches=_touches)
def build(options: Options, context: BuildContext) -> FilterFn:
    """Keep or remove fields by their names or values, with regular expressions.

    Only top-level fields are looked at. An expression matches anywhere in a name or value unless it has `^` and `$`.
    """
    rules = _Rules(options, {}, _matcher) if not options.interpolate else None
    dynamic = lru_cache(maxsize=_CACHED_PATTERNS)(_matcher)

    def prune(event: Event) -> bool:
        (rules or _Rules(options, event, dynamic)).apply(event)
        return True

    return prune


def _matcher(pattern: str) -> Matches:
    """Return what searches a text for a pattern. Raises ValueError if that is wrong."""
    try:
        return compile_regex(pattern).matcher().search
    except PatternError as error:
        raise ValueError(f"{pattern!r}: {error}") from None


class _Rules:
    """What to remove; with ``interpolate``, for one event."""

    def __init__(self, options: Options, event: Event, matcher: Callable[[str], Matches]) -> None:
        def text(template: Template) -> str:
            return template.render(event) if options.interpolate else template.text

        def names(templates: Sequence[Template]) -> list[Matches]:
            return [matcher(text(template)) for template in templates]

        def values(templates: Mapping[str, Template]) -> list[tuple[str, Matches]]:
            return [(text(Template(name)), matcher(text(template))) for name, template in templates.items()]

        kept = [_ValueRule(name, matches, keeps=True) for name, matches in values(options.whitelist_values)]
        removed = [_ValueRule(name, matches, keeps=False) for name, matches in values(options.blacklist_values)]
        self._values = kept + removed
        self._kept_names, self._removed_names = names(options.whitelist_names), names(options.blacklist_names)
        self._removes = self._removes_name if options.interpolate else lru_cache(_CACHED_NAMES)(self._removes_name)

    def apply(self, event: Event) -> None:
        """Remove fields of an event, and items of arrays. What to remove is decided first, by the whole event."""
        removed = [name for name in event if name != "@metadata" and self._removes(name)]
        removed += [rule.name for rule in self._values if rule.removes(event)]
        for rule in self._values:
            rule.remove_items(event)
        for name in removed:
            event.pop(name, None)

    def _removes_name(self, name: str) -> bool:
        if self._kept_names and not any(matches(name) for matches in self._kept_names):
            return True
        return any(matches(name) for matches in self._removed_names)


class _ValueRule(NamedTuple):
    """Keeps values that match, or removes them."""

    name: str
    matches: Matches
    keeps: bool

    def removes(self, event: Event) -> bool:
        """Return whether the field is to be removed: its value, or all items of an array."""
        value = event.get(self.name)
        if value is None or value is False:
            return False
        if type(value) is list:
            return bool(value) and not any(map(self._keeps_value, value))
        return not self._keeps_value(value)

    def remove_items(self, event: Event) -> None:
        """Remove items of an array."""
        value = event.get(self.name)
        if type(value) is list and not all(kept := [*map(self._keeps_value, value)]):
            event[self.name] = [*compress(value, kept)]

    def _keeps_value(self, value: Any) -> bool:
        return (self.matches(to_s(value)) is not None) is self.keeps
