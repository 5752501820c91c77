"""``json``: parse JSON text in a field, into the event or into another field.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag, legal_tags
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_epoch_ns, normalise
from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, TimedFilterFn, Touch, filter_plugin, option, required

_TIMESTAMP_TAG = "_timestampparsefailure"
_TIMESTAMP_FIELD = "_@timestamp"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``json``."""

    source: FieldRef = required("Field with the JSON text.")
    target: FieldRef | None = option(
        None, "Field for the result; default: the keys of the object become fields of the event."
    )
    skip_on_invalid_json: bool = option(False, "Do not tag an event whose source is not JSON.")
    tag_on_failure: list[str] = option(["_jsonparsefailure"], "Tags for an event whose source cannot be parsed.")
    ecs_compatibility: str = ecs_option("For compatibility with Logstash; no effect.")


def _touches(options: Options) -> Touch:
    if options.target is None:
        return Touch(unknown="json without a target sets the fields that the text names")
    return Touch(
        reads=frozenset([options.source.text, options.target.text]), sets=frozenset([options.target.text, "tags"])
    )


def _trace_details(options: Options) -> Callable[[Event], Iterator[str]]:
    """Return a function that says why a text is not JSON."""

    def details(event: Event) -> Iterator[str]:
        text = options.source.get(event)
        if text is None or text is False:
            yield f"{options.source.text} is missing"
            return
        try:
            _parse(text)
        except NotJsonError as error:
            yield f"{options.source.text} is not JSON: {error}"

    return details


@filter_plugin(
    "json",
    Options,
    touches=_touches,
    failure_tag="_jsonparsefailure",
    timed=True,
    trace_details=_trace_details,
)
def build(options: Options, context: BuildContext) -> TimedFilterFn:
    """Parse JSON text. A missing source is skipped; a source that is not JSON is a failure.

    An `@timestamp` in the text replaces that of the event; an invalid one is kept in `_@timestamp`, and the event
    gets the current time and the tag `_timestampparsefailure`.
    """
    source, failed, skip = options.source, _tagger(options.tag_on_failure), options.skip_on_invalid_json
    store = _storer(options.target)

    def parse(event: Event, received_ns: int) -> bool:
        text = source.get(event)
        if text is None or text is False:
            return False
        try:
            value = _parse(text)
        except NotJsonError:
            return False if skip else failed(event)
        try:
            store(event, value, received_ns)
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
        raise NotJsonError("the source is not text")
    return loads(text.encode("utf-8", "replace")) if text.strip() else None


def _storer(field: FieldRef | None) -> Callable[[Event, Any, int], None]:
    """Return a function of (event, parsed value, time of receipt) that stores the value in ``field`` or as fields."""
    if field is None:
        return _into_event
    set_field = target(field).set
    return lambda event, value, received_ns: set_field(event, value)


def _into_event(event: Event, value: Any, received_ns: int) -> None:
    """Store the keys of an object, which are field references, as fields.

    As in a record that a codec decodes, one bad key or value does not cost the others: a key that is not a reference,
    or names a field inside a text, is the name of a field as it is; ``tags`` that are not texts are kept in ``_tags``.

    Raises:
        FieldError: The value is not an object.
    """
    if type(value) is not dict:
        raise FieldError("without a target, the text must be an object")
    names = "".join(value)
    if "[" in names or "]" in names:
        value = _set_references(event, value)
    stamp = value.pop("@timestamp", None)
    tags = value.get("tags")
    if not legal_tags(tags):
        value["_tags"] = [tags]
        value["tags"] = ["_tagsparsefailure"]
    event.update(value)
    if stamp is not None and stamp is not False:
        _set_timestamp(event, stamp, received_ns)


def _set_references(event: Event, fields: dict[str, Any]) -> dict[str, Any]:
    """Set the fields inside other fields; return those at the top by their names."""
    top: dict[str, Any] = {}
    for key, item in fields.items():
        ref = _reference(key)
        if ref is None or len(ref.path) == 1:
            top[key if ref is None else ref.top] = item
            continue
        try:
            ref.set(event, item)
        except FieldError:
            top[key] = item
    return top


def _reference(key: str) -> FieldRef | None:
    try:
        return FieldRef(key) if "[" in key or "]" in key else None
    except FieldError:
        return None


def _set_timestamp(event: Event, stamp: Any, received_ns: int) -> None:
    canonical = normalise(stamp)
    if canonical is not None:
        event["@timestamp"] = canonical
        return
    event["@timestamp"] = from_epoch_ns(received_ns - received_ns % 1_000_000)
    add_tag(event, _TIMESTAMP_TAG)
    event[_TIMESTAMP_FIELD] = to_s(stamp)
