"""``kv``: turn ``key=value`` pairs in a text into fields.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-kv and the plugin's version 4.7.
More lenient than that: a key that is not a field reference becomes the field of that name, besides the failure tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.sprintf import Template
from ingestd.grok.errors import GrokTimeoutError
from ingestd.plugins.filters import _mutations as do
from ingestd.plugins.filters._key_values import (
    Pairs,
    Scan,
    char_class,
    char_scanner,
    compiled,
    linear_pattern,
    pattern_scanner,
)
from ingestd.plugins.filters._targets import set_named, target
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option, replaced

_MAX_DEPTH = 32  # of pairs in values of pairs; a text of separators must not nest without end

_UNUSUAL = {"", "@timestamp", "tags"}  # as names of fields

Change = Callable[[str], str]
_TRANSFORMS: dict[str, Change] = {"lowercase": do.lower, "uppercase": str.upper, "capitalize": do.capitalize}
_CASES = ("", *_TRANSFORMS)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``kv``."""

    source: FieldRef = option(FieldRef("message"), "Field with the text, or an array of texts.")
    target: FieldRef | None = option(None, "Parent field of the pairs; default: the event itself.")
    prefix: Template = option(Template(""), "Text before each key; may contain `%{field}`.")
    field_split: str = option(" ", "Characters between pairs, as between the brackets of a regular expression.")
    field_split_pattern: str | None = option(None, "Regular expression for what is between pairs.")
    value_split: str = option("=", "Characters between key and value, as between the brackets of an expression.")
    value_split_pattern: str | None = option(None, "Regular expression for what is between key and value.")
    whitespace: str = option(
        "lenient",
        "With `lenient`, blanks around `value_split` belong to it; with `strict` they do not.",
        choices=("lenient", "strict"),
    )
    include_brackets: bool = option(True, "Leave out brackets, `(x)`, `[x]` and `<x>`, around a value, as quotes are.")
    include_keys: list[Template] = option([], "Keys to keep; default: all. They may contain `%{field}`.")
    exclude_keys: list[Template] = option([], "Keys to leave out; may contain `%{field}`.")
    default_keys: dict[str, Any] = option({}, "Values for keys that the text does not have.")
    allow_duplicate_values: bool = option(True, "Keep a pair that was there before; otherwise only different values.")
    allow_empty_values: bool = option(False, "Keep pairs without a value, as empty text.")
    trim_key: str | None = option(None, "Characters to strip from both ends of keys, as between brackets.")
    trim_value: str | None = option(None, "Characters to strip from both ends of values, as between brackets.")
    remove_char_key: str | None = option(None, "Characters to remove from keys, as between brackets.")
    remove_char_value: str | None = option(None, "Characters to remove from values, as between brackets.")
    transform_key: str = option(
        "", "Change the letters of keys: `lowercase`, `uppercase`, `capitalize`.", choices=_CASES
    )
    transform_value: str = option("", "Change the letters of values, as `transform_key`.", choices=_CASES)
    recursive: bool = option(False, "Look for pairs in values as well; they become a hash.")
    timeout_millis: float = option(
        -1.0,
        "Time limit for a text with `field_split_pattern` or `value_split_pattern`, in milliseconds; 0: no limit. "
        "Default: 1000. Without these options no limit is needed.",
    )
    tag_on_timeout: str = option("_kv_filter_timeout", "Tag for an event whose text exceeds the limit.")
    tag_on_failure: list[str] = option(
        ["_kv_filter_error"], "Tags for an event whose pairs cannot be stored as fields."
    )


def _touches(options: Options) -> Touch:
    reads = frozenset([options.source.text]).union(
        options.prefix.reads, *(key.reads for key in (*options.include_keys, *options.exclude_keys))
    )
    if options.target is not None:
        return Touch(reads=reads | {options.target.text}, sets=frozenset([options.target.text, "tags"]))
    included = [key.static for key in options.include_keys]
    if not included or None in included or options.prefix.static is None:
        return Touch(unknown="kv sets the fields that the text names")
    keys = {*options.default_keys, *(f"{options.prefix.static}{key}" for key in included)}
    names = frozenset(FieldRef.named(key).text for key in keys)
    return Touch(reads=reads | names, sets=names | {"tags"})


_LEGACY = {"trim": replaced("trim_value"), "trimkey": replaced("trim_key")}


@filter_plugin("kv", Options, touches=_touches, failure_tag="_kv_filter_error", legacy=_LEGACY)
def build(options: Options, context: BuildContext) -> FilterFn:
    """Turn `key=value` pairs in a text into fields.

    Values may be in quotes or brackets. A key that is there several times gets an array. The common options run if
    there was a pair.
    """
    source, parser = options.source, _Parser(options)
    store = _store if options.target is None else target(options.target).set
    defaults, tags, tag_on_timeout = options.default_keys, options.tag_on_failure, options.tag_on_timeout

    def kv(event: Event) -> bool:
        value = source.get(event)
        try:
            pairs = parser.pairs(value if type(value) is list else [value], event)
        except GrokTimeoutError:
            add_tag(event, tag_on_timeout)
            return False
        if defaults:
            pairs = {**defaults, **pairs}
        if not pairs:
            return False
        try:
            store(event, pairs)
        except FieldError:
            for tag in tags:
                add_tag(event, tag)
            return False
        return True

    return kv


def _store(event: Event, pairs: Mapping[str, Any]) -> None:
    """Set a field for each pair.

    Raises:
        FieldError: A key is not a field reference, or the field does not accept the value; all others are set.
    """
    names = "".join(pairs)
    if "[" not in names and "]" not in names and _UNUSUAL.isdisjoint(pairs):
        event.update(pairs)
        return
    failure: FieldError | None = None
    for key, value in pairs.items():
        try:
            set_named(event, key, value)
        except FieldError as error:
            failure = error
            if key and key not in event:
                event[key] = value
    if failure is not None:
        raise failure


class _Rules(NamedTuple):
    """Which keys to keep (all if ``include`` is empty), and what to write before each."""

    include: set[str]
    exclude: set[str]
    prefix: str


class _Parser:
    """Finds pairs, and changes their keys and values as the options say."""

    def __init__(self, options: Options) -> None:
        self._scan = _scanner(options)
        self._prefix = options.prefix
        self._include, self._exclude = options.include_keys, options.exclude_keys
        self._allow_empty, self._allow_duplicates = options.allow_empty_values, options.allow_duplicate_values
        self._depth = _MAX_DEPTH if options.recursive else 1
        self._change_key = _changes(options.trim_key, options.remove_char_key, options.transform_key, "key")
        self._change_value = _changes(options.trim_value, options.remove_char_value, options.transform_value, "value")
        changes = self._change_key or self._change_value or self._include or self._exclude
        simple = not (changes or self._allow_empty or options.recursive)
        self._keeps_pairs = simple and options.prefix.static == ""

    def pairs(self, texts: list[Any], event: Event) -> dict[str, Any]:
        """Return the pairs of all texts; what is not text has none. Raises GrokTimeoutError."""
        if self._keeps_pairs and len(texts) == 1 and type(texts[0]) is str:
            found = [*self._scan(texts[0])]
            pairs = dict[str, Any](found)  # type: ignore[arg-type]
            if len(pairs) == len(found):
                return {key: value for key, value in pairs.items() if value} if "" in pairs.values() else pairs
        include = {key.render(event) for key in self._include}
        exclude = {key.render(event) for key in self._exclude}
        rules = _Rules(include, exclude, self._prefix.render(event))
        return self._collect([text for text in texts if type(text) is str], rules, self._depth)

    def _collect(self, texts: list[str], rules: _Rules, depth: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        seen: set[tuple[str, str]] = set()
        for key, value in self._changed(texts, rules):
            if not self._allow_duplicates:
                if (key, value) in seen:
                    continue
                seen.add((key, value))
            added = (self._collect([value], rules, depth - 1) if depth > 1 else None) or value
            if key not in pairs:
                pairs[key] = added
            elif type(pairs[key]) is list:
                pairs[key].append(added)  # made here, so in no event yet
            else:
                pairs[key] = [pairs[key], added]
        return pairs

    def _changed(self, texts: list[str], rules: _Rules) -> Pairs:
        """Yield the pairs of texts that are to be kept, with the changes of the options."""
        for text in texts:
            for key, value in self._scan(text):
                if not value and not self._allow_empty:
                    continue
                for change in self._change_key:
                    key = change(key)  # noqa: PLW2901 -- each change starts from the one before
                if (rules.include and key not in rules.include) or key in rules.exclude:
                    continue
                for change in self._change_value:
                    value = change(value)  # noqa: PLW2901
                yield f"{rules.prefix}{key}", value


def _scanner(options: Options) -> Scan:
    """Return what finds the pairs. Raises ValueError if a separator is wrong."""
    lenient, brackets = options.whitespace == "lenient", options.include_brackets
    for name in ("value_split", "field_split", "field_split_pattern", "value_split_pattern"):
        if getattr(options, name) == "":
            raise ValueError(f"{name} must not be empty")
    fields, values = options.field_split_pattern, options.value_split_pattern
    if fields is None and values is None:
        return char_scanner(options.field_split, options.value_split, lenient=lenient, brackets=brackets)
    for name in ("field_split_pattern", "value_split_pattern"):
        compiled(getattr(options, name) or "", name)
    limit_s = options.timeout_millis / 1000 if options.timeout_millis >= 0 else 1.0
    return pattern_scanner(
        options.field_split if fields is None else fields,
        f"[{options.value_split}]" if values is None else values,
        lenient=lenient,
        brackets=brackets,
        field_pattern=fields is not None,
        timeout_s=limit_s or None,
    )


def _changes(trim: str | None, remove: str | None, transform: str, what: str) -> list[Change]:
    """Return the changes of a key or value, in the order of Logstash. Raises ValueError if characters are wrong."""
    changes: list[Change] = []
    if trim is not None:
        changes.append(_trimmer(char_class(trim, f"trim_{what}")))
    if remove is not None:
        pattern = linear_pattern(char_class(remove, f"remove_char_{what}"))
        changes.append(lambda text: str(pattern.sub("", text)))
    if transform:
        changes.append(_TRANSFORMS[transform])
    return changes


def _trimmer(chars: str) -> Change:
    """Return a function that strips characters from both ends of each line."""
    start = linear_pattern(f"{chars}*+").match

    def trim_line(line: str) -> str:
        rest = line[start(line).end() :]
        return rest[: len(rest) - start(rest[::-1]).end()]

    return lambda text: "\n".join(map(trim_line, text.split("\n"))) if "\n" in text else trim_line(text)
