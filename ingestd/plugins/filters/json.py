"""``json``: parse a field that holds JSON text, into the event or into one field of it.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-json.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag, legal_tags
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_epoch_ns, normalise
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, TimedFilterFn, Touch, filter_plugin, option, required

_TIMESTAMP_TAG = "_timestampparsefailure"
_TIMESTAMP_FIELD = "_@timestamp"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``json``."""

    source: FieldRef = required("Field that holds the JSON text.")
    target: FieldRef | None = option(None, "Field for the result; without it, the keys of an object become fields.")
    skip_on_invalid_json: bool = option(False, "Leave an event whose source is no JSON as it is, without a tag.")
    tag_on_failure: list[str] = option(["_jsonparsefailure"], "Tags for an event whose source cannot be parsed.")
    ecs_compatibility: str = option(
        "disabled", "Accepted for Logstash; it changes nothing here.", choices=("disabled", "v1", "v8")
    )


def _touches(options: Options) -> Touch:
    if options.target is None:
        return Touch(unknown="json without a target sets the fields that the text names")
    return Touch(
        reads=frozenset([options.source.text, options.target.text]), sets=frozenset([options.target.text, "tags"])
    )


@filter_plugin("json", Options, touches=_touches, failure_tag="_jsonparsefailure", timed=True)
def build(options: Options, context: BuildContext) -> TimedFilterFn:
    """Parse JSON text. A missing source is passed over; a source that is no JSON is a failure.

    An `@timestamp` in the text becomes the event's; one that is no timestamp is kept in `_@timestamp`, the event
    gets the current time and the tag `_timestampparsefailure`.
    """
    source, failed, skip = options.source, _tagger(options.tag_on_failure), options.skip_on_invalid_json
    place = _placed_into(options.target)

    def parse(event: Event, received_ns: int) -> bool:
        text = source.get(event)
        if text is None or text is False:
            return False
        try:
            value = _parse(text)
        except NotJsonError:
            return False if skip else failed(event)
        try:
            place(event, value, received_ns)
        except FieldError:
            return failed(event)
        return True

    return parse


def _tagger(tags: list[str]) -> Callable[[Event], bool]:
    def failed(event: Event) -> bool:
        for tag in tags:
            add_tag(event, tag)
        return False

    return failed


def _parse(text: Any) -> Any:
    """Return the value of a JSON text; blank text is null, as in Logstash."""
    if type(text) is not str:
        raise NotJsonError("the source is no text")
    return loads(text.encode("utf-8", "replace")) if text.strip() else None


def _placed_into(field: FieldRef | None) -> Callable[[Event, Any, int], None]:
    """Return what sets a value, parsed from an event with a given time of receipt, as one field, or as fields."""
    if field is None:
        return _into_event
    set_field = target(field).set
    return lambda event, value, received_ns: set_field(event, value)


def _into_event(event: Event, value: Any, received_ns: int) -> None:
    """Set the keys of an object, which are field references, as fields.

    Raises:
        FieldError: The value is no object, or a key names no field that can be set.
    """
    if type(value) is not dict:
        raise FieldError("only an object can be placed without a target")
    if not legal_tags(value.get("tags")):
        raise FieldError("tags must be text or an array of texts")
    stamp = value.pop("@timestamp", None)
    names = "".join(value)
    if "[" in names or "]" in names:
        _set_references(event, value)
    else:
        event.update(value)
    if stamp is not None and stamp is not False:
        _set_timestamp(event, stamp, received_ns)


def _set_references(event: Event, fields: dict[str, Any]) -> None:
    """Set each field; all names are read first, so that a bad one leaves the event as it is."""
    for ref, item in [(target(key) if "[" in key or "]" in key else key, item) for key, item in fields.items()]:
        if isinstance(ref, FieldRef):
            ref.set(event, item)
        else:
            event[ref] = item


def _set_timestamp(event: Event, stamp: Any, received_ns: int) -> None:
    canonical = normalise(stamp)
    if canonical is not None:
        event["@timestamp"] = canonical
        return
    event["@timestamp"] = from_epoch_ns(received_ns - received_ns % 1_000_000)
    add_tag(event, _TIMESTAMP_TAG)
    event[_TIMESTAMP_FIELD] = to_s(stamp)
