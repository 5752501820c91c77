"""``split``: make an event of each line of a text, or of each item of an array.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-split and the plugin's version 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldRef, add_tag
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, ExpandFn, Touch, filter_plugin, option

_WORD, _ENDS_BLANK = re.compile("[^\t\n\v\f\r ]+"), re.compile(r"[\t\n\v\f\r ]\Z")
_TYPE_TAG = "_split_type_failure"
_MAY_BE_EMPTY = (str, list, dict)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``split``."""

    field: FieldRef = option(FieldRef("message"), "Field with a text or an array.")
    terminator: str = option("\n", "What to split a text at; default: the end of a line. Not used for arrays.")
    target: FieldRef | None = option(None, "Field for the part; default: `field`.")


def _touches(options: Options) -> Touch:
    fields = frozenset({options.field.text, (options.target or options.field).text})
    return Touch(reads=fields, sets=fields | {"tags"})


@filter_plugin("split", Options, touches=_touches, outcome="any_number")
def build(options: Options, context: BuildContext) -> ExpandFn:
    """Make an event of each line of a text, or of each item of an array.

    The new events are copies that differ in one field, and the common options run for them; the original is dropped.
    Empty parts, also hashes and arrays, and nulls make no event. A text without a terminator is left as it is. A
    missing field, or one of another type, gets the tag `_split_type_failure`.
    """
    source, common_options = options.field, context.common_options
    destination, cut = target(options.target or source), _cutter(options.terminator)

    def split(event: Event) -> list[Event]:
        value = source.get(event)
        if type(value) is str:
            parts = cut(value)
            if len(parts) == 1:
                return [event]
        elif type(value) is list:
            parts = value
        else:
            add_tag(event, _TYPE_TAG)
            return [event]
        events = []
        for part in parts:
            if part is None or (type(part) in _MAY_BE_EMPTY and not part):
                continue
            copy = event.copy()  # values are never changed in place, so a shallow copy is enough
            destination.set(copy, part)
            common_options(copy)
            events.append(copy)
        return events

    return split


def _cutter(terminator: str) -> Callable[[str], list[Any]]:
    """Return what splits a text as Ruby: a blank stands for any white space, and empty text has no parts."""
    if terminator == " ":
        return lambda text: _WORD.findall(text) + ([""] if _ENDS_BLANK.search(text) else [])
    if not terminator:
        return list
    return lambda text: text.split(terminator) if text else []
