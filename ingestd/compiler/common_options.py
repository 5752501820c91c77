"""Options that every input, filter or output has.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-grok#plugins-filters-grok-common-options
After a filter succeeds, they run in this order: add_field, remove_field, add_tag, remove_tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.redaction import KINDS, masker
from ingestd.event.sprintf import Template, to_text
from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import Legacy, Touch, ignored, option, refused


def _ecs() -> Any:
    return ecs_option("For compatibility with Logstash; the fields of this plugin are the same with and without ECS.")


_CONDITION = "put the plugin into a condition"
_CONDITIONS: Legacy = {
    "type": refused(f'{_CONDITION}: if [type] == "..." {{ }}'),
    "tags": refused(f'{_CONDITION}: if "..." in [tags] {{ }}'),
    "exclude_tags": refused(f'{_CONDITION}: if "..." not in [tags] {{ }}'),
}
_ID: Legacy = {
    "id": ignored("the plugin that the codec belongs to has an id"),
    "enable_metric": ignored("metrics are always on"),
    "ecs_compatibility": ignored("this codec names no fields"),
}
COMMON_LEGACY: Mapping[str, Legacy] = {
    "input": {
        "debug": ignored("it has none in Logstash either"),
        "format": refused("choose the codec: codec => json"),
        "message_format": refused("use the filter mutate"),
        "charset": refused('give it to the codec: codec => plain { charset => "..." }'),
    },
    "filter": _CONDITIONS,
    "output": {
        **_CONDITIONS,
        "workers": ignored("an output chooses its own concurrency; remove the option"),
        "codec": ignored("an output without codecs writes whole events in a format of its own; leave it out"),
    },
    "codec": _ID,
}
"""Options of every plugin of a kind in some version of Logstash."""


@dataclass(frozen=True, slots=True)
class FilterCommonOptions:
    """Common options of a filter."""

    add_field: dict[str, Any] = option({}, "Fields to add on success; names and values may contain `%{field}`.")
    add_tag: list[Template] = option([], "Tags to add on success; may contain `%{field}`.")
    remove_field: list[Template] = option([], "Fields to remove on success; may contain `%{field}`.")
    remove_tag: list[Template] = option([], "Tags to remove on success; may contain `%{field}`.")
    id: str = option("", "Name of this plugin in metrics, logs and dead letters.")
    enable_metric: bool = option(True, "For compatibility with Logstash; metrics are always on.")
    ecs_compatibility: str = _ecs()
    periodic_flush: bool = option(False, "For compatibility with Logstash; no filter here needs it.")

    def touch(self) -> Touch:
        """Return what these options read, set and remove."""
        names = [Template(name) for name in self.add_field]
        values = [Template(text) for value in self.add_field.values() for text in texts(value)]
        templates = [*names, *values, *self.add_tag, *self.remove_field, *self.remove_tag]
        dynamic = [template.text for template in (*names, *self.remove_field) if template.static is None]
        tags = frozenset({"tags"}) if self.add_tag or self.remove_tag else frozenset()
        sets = frozenset(name.static for name in names if name.static is not None)
        return Touch(
            reads=frozenset().union(tags, sets, *(template.reads for template in templates)),
            sets=tags | sets,
            removes=frozenset(name.static for name in self.remove_field if name.static is not None),
            unknown=f"the field name {dynamic[0]!r} depends on the event" if dynamic else "",
        )

    @property
    def change_events(self) -> bool:
        """Whether ``build`` returns a function."""
        return bool(self.add_field or self.remove_field or self.add_tag or self.remove_tag)

    def build(self) -> Callable[[Event], None] | None:
        """Return the function to run after a success, None if there is nothing to do."""
        actions = [_adder(Template(name), value) for name, value in self.add_field.items()]
        if self.remove_field:
            actions.append(_remover(self.remove_field))
        if self.add_tag:
            actions.append(_tagger(self.add_tag))
        if self.remove_tag:
            actions.append(_untagger(self.remove_tag))
        if len(actions) < 2:
            return actions[0] if actions else None

        def run(event: Event) -> None:
            for action in actions:
                action(event)

        return run


@dataclass(frozen=True, slots=True)
class InputCommonOptions:
    """Common options of an input."""

    type: str = option("", "Value of `[type]` for events without one.")
    tags: list[str] = option([], "Tags to add to every event.")
    add_field: dict[str, Any] = option({}, "Fields to add to every event.")
    id: str = option("", "Name of this plugin in metrics, logs and dead letters.")
    enable_metric: bool = option(True, "For compatibility with Logstash; metrics are always on.")
    ecs_compatibility: str = _ecs()
    redact: list[str] = option(
        [],
        "What to mask before anything is written to disk, in the bytes as they come: see the filter `redact`. All"
        " lengths stay: digits become 9, the last number of an IPv4 address 0, 10 or 100, digits of an IPv6 address"
        " after its first 48 bits 0, other characters `*`.",
        choices=KINDS,
    )

    def touch(self) -> Touch:
        """Return what these options read and set."""
        touched = FilterCommonOptions(add_field=self.add_field, add_tag=[Template(tag) for tag in self.tags]).touch()
        return touched | (Touch(frozenset({"type"}), frozenset({"type"})) if self.type else Touch())

    def mask(self) -> Callable[[bytes], bytes] | None:
        """Return the function that masks received bytes, None if nothing is to be masked."""
        return masker(self.redact) if self.redact else None

    @property
    def change_events(self) -> bool:
        """Whether ``build`` returns a function."""
        return bool(self.type or self.tags or self.add_field)

    def build(self) -> Callable[[Event], None] | None:
        """Return the function to run on every event of the input, None if there is nothing to do."""
        adds = FilterCommonOptions(add_field=self.add_field, add_tag=[Template(tag) for tag in self.tags]).build()
        if not self.type:
            return adds

        def run(event: Event) -> None:
            if event.get("type") is None:
                event["type"] = self.type
            if adds is not None:
                adds(event)

        return run


@dataclass(frozen=True, slots=True)
class OutputCommonOptions:
    """Common options of an output."""

    id: str = option("", "Name of this plugin in metrics, logs and dead letters.")
    enable_metric: bool = option(True, "For compatibility with Logstash; metrics are always on.")
    ecs_compatibility: str = _ecs()

    def touch(self) -> Touch:
        """Return an empty ``Touch``: these options affect no field."""
        return Touch()

    @property
    def change_events(self) -> bool:
        """Always false."""
        return False

    def build(self) -> None:
        """Return None: these options do not change events."""


def texts(value: Any) -> list[str]:
    """Return a value of ``add_field``, or the items of an array, as texts."""
    return [to_text(item) for item in value] if isinstance(value, list) else [to_text(value)]


def _adder(name: Template, value: Any) -> Callable[[Event], None]:
    """Return a function that adds one field; an existing value becomes an array, as in Logstash.

    It raises FieldError for ``@timestamp``, which exists and cannot be an array.
    """
    values = [Template(text) for text in texts(value)]
    fixed = FieldRef(name.static) if name.static is not None else None

    def add(event: Event) -> None:
        ref = fixed or _ref(name.render(event))
        if ref.path == ("@timestamp",):
            raise FieldError("add_field cannot set @timestamp; use the filter date, or mutate with replace")
        for template in values:
            text = template.render(event)
            ref.set(event, [*array(ref.get(event)), text] if ref.exists(event) else text)

    return add


_ref = lru_cache(maxsize=1024)(FieldRef)


def array(value: Any) -> list[Any]:
    """Return ``Array(value)`` as in Ruby: null is empty, a hash its pairs, a scalar becomes an array of one."""
    if value is None:
        return []
    if type(value) is dict:
        return [[key, item] for key, item in value.items()]
    return value if type(value) is list else [value]


def _remover(names: list[Template]) -> Callable[[Event], None]:
    if all(name.static is not None for name in names):
        refs = [FieldRef(name.text) for name in names]
        if all(len(ref.path) == 1 for ref in refs):
            tops = [ref.top for ref in refs]

            def remove_tops(event: Event) -> None:
                for top in tops:
                    event.pop(top, None)

            return remove_tops

        def remove(event: Event) -> None:
            for ref in refs:
                ref.remove(event)

        return remove

    def remove_rendered(event: Event) -> None:
        for name in names:
            try:
                ref = FieldRef(name.render(event))
            except FieldError:
                continue  # the rendered text is not a field name, so there is nothing to remove
            ref.remove(event)

    return remove_rendered


def _tagger(tags: list[Template]) -> Callable[[Event], None]:
    """Return a function that appends tags, even if they exist already, as in Logstash."""

    def tag_all(event: Event) -> None:
        event["tags"] = [*array(event.get("tags")), *[tag.render(event) for tag in tags]]

    return tag_all


def _untagger(tags: list[Template]) -> Callable[[Event], None]:
    """Return a function that removes tags; a single tag becomes an array, as in Logstash."""

    def untag(event: Event) -> None:
        old = event.get("tags")
        if old is not None:
            removed = {tag.render(event) for tag in tags}
            kept = [tag for tag in array(old) if type(tag) is not str or tag not in removed]
            if kept != old:
                event["tags"] = kept

    return untag
