"""``split``: make an event of each line of a text, or of each item of an array.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-split and the plugin's version 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.jsontext import dumps
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, ExpandFn, Touch, filter_plugin, option

_WORD, _ENDS_BLANK = re.compile("[^\t\n\v\f\r ]+"), re.compile(r"[\t\n\v\f\r ]\Z")
_TYPE_TAG = "_split_type_failure"
_MAY_BE_EMPTY = (str, list, dict)

_MAX_BYTES = 128 << 20
"""Of what the events of one have besides their parts: a text of 300 kB that stays beside its 20,000 parts is 6 GB."""

_FEW_PARTS = 8
"""So many are not counted: an input bounds the event."""


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
    missing field, or one of another type, gets the tag `_split_type_failure`. An event stays whole, with the tag
    `_split_error`, if all the copies of its other fields would be larger than 128 MiB: remove large fields before.
    """
    source, common_options = options.field, context.common_options
    written = options.target or source
    destination, cut = target(written), _cutter(options.terminator)

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
        if len(parts) > _FEW_PARTS:
            _check_size(event, written, len(parts))
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


def _check_size(event: Event, destination: FieldRef, count: int) -> None:
    """Raise FieldError if ``count`` copies of an event, without what ``destination`` holds, are too large."""
    rest = event.copy()
    destination.set(rest, None)
    if len(dumps(rest)) * count > _MAX_BYTES:
        raise FieldError(f"{count} copies of the fields beside {destination} have more than {_MAX_BYTES} bytes")


def _cutter(terminator: str) -> Callable[[str], list[Any]]:
    """Return what splits a text as Ruby: a blank stands for any white space, and empty text has no parts."""
    if terminator == " ":
        return lambda text: _WORD.findall(text) + ([""] if _ENDS_BLANK.search(text) else [])
    if not terminator:
        return list
    return lambda text: text.split(terminator) if text else []
