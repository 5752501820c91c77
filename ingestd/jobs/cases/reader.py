"""Read case files; every mistake is reported with its place."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.event.fields import FieldError, parse_path
from ingestd.event.timestamp import normalise, to_epoch_ns
from ingestd.jobs.cases.case import RECEIVED, Case, ExpectedEvent, Source
from ingestd.jobs.cases.yaml_nodes import Node, read_yaml
from ingestd.suggest import did_you_mean

_SOURCE_KEYS = ("path", "config")
FILE_KEYS = (*_SOURCE_KEYS, "cases")
CASE_KEYS = (
    *("name", *_SOURCE_KEYS, "events", "lines", "input", "sender", "received", "again"),
    *("expected", "dropped"),
)
EXPECTED_KEYS = ("fields", "absent", "document", "outputs", "index", "id")

T = TypeVar("T")
_MISTAKE: Any = object()


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file.

    Raises:
        ConfigErrors: All mistakes, with their places.
        OSError: The file cannot be read.
    """
    return parse_cases(path.read_text("utf-8", "replace"), path)


def parse_cases(text: str, path: Path) -> list[Case]:
    """Return the cases of the text of a file; raises ConfigErrors."""
    reader = _Reader(path)
    cases = reader.file(read_yaml(text, str(path)))
    if reader.errors:
        raise ConfigErrors(sorted(reader.errors, key=lambda error: error.span.line), {str(path): text})
    return cases


class _Reader:
    """Makes cases of nodes; mistakes are collected in ``errors``."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self.errors: list[ConfigError] = []

    def file(self, node: Node) -> list[Case]:
        """Return the cases of a file."""
        keys = self._mapping(node, FILE_KEYS, "a case file")
        source = self._source(keys) or Source()
        cases = self._items(keys, "cases")
        if not cases and not self.errors:
            self.errors.append(node.error("there are no cases", "cases: [...]"))
        return [case for found in cases if (case := self._case(found, source)) is not None]

    def _case(self, node: Node, of_file: Source) -> Case | None:
        before = len(self.errors)
        keys = self._mapping(node, CASE_KEYS, "a case")
        if not keys and len(self.errors) > before:
            return None
        self._check_case(node, keys)
        events = tuple(self._value(event, dict, "an event must be a mapping of fields") for event in self._events(keys))
        lines = self._lines(keys)
        expected = self._items(keys, "expected")
        case = Case(
            name=self._text(keys, "name"),
            span=node.span,
            source=self._source(keys) or of_file,
            expected=tuple(self._expected(item) for item in expected),
            events=events,
            lines=lines,
            input=self._text(keys, "input"),
            sender=self._value(keys["sender"], dict, "the sender must be a mapping") if "sender" in keys else None,
            received_ns=self._received(keys, events),
            again=self._flag(keys, "again"),
        )
        return case if len(self.errors) == before else None

    def _check_case(self, node: Node, keys: Mapping[str, Node]) -> None:
        """Note what is missing, and what does not go together."""
        if "name" not in keys:
            self.errors.append(node.error("the case has no name", "name: what it shows"))
        if ("events" in keys) == ("lines" in keys):
            self.errors.append(node.error("a case has either events or lines", "events: [{message: ...}]"))
        if "events" in keys and keys["events"].items() == []:
            self.errors.append(keys["events"].error("there are no events", "events: [{message: ...}]"))
        if "lines" in keys and "input" not in keys:
            self.errors.append(keys["lines"].error("lines need an input that decodes them", "input: tcp"))
        for name in ("input", "sender"):
            if name in keys and "lines" not in keys:
                self.errors.append(keys[name].error(f"{name} is for lines: events go straight to the filters"))
        if ("expected" in keys) == self._flag(keys, "dropped"):
            text = "say what is expected" if "expected" not in keys else "a dropped event has no expected events"
            self.errors.append(node.error(text, "expected: [{fields: {...}}], or dropped: true"))

    def _expected(self, node: Node) -> ExpectedEvent:
        keys = self._mapping(node, EXPECTED_KEYS, "an expected event")
        if not keys and not self.errors:
            self.errors.append(node.error("nothing is expected of this event", "fields: {...}"))
        fields = self._value(keys["fields"], dict, "fields must be a mapping") if "fields" in keys else {}
        absent = self._texts(keys, "absent")
        for name, place in [*((name, "fields") for name in fields), *((name, "absent") for name in absent if name)]:
            self._check_reference(name, keys[place])
        document = self._value(keys["document"], dict, "a document must be a mapping") if "document" in keys else None
        outputs = self._texts(keys, "outputs") if "outputs" in keys else None
        index, document_id = (self._text(keys, name) if name in keys else None for name in ("index", "id"))
        return ExpectedEvent(node.span, fields, absent, document, outputs, index, document_id)

    def _check_reference(self, name: str, node: Node) -> None:
        try:
            parse_path(name)
        except FieldError as error:
            self.errors.append(node.error(str(error), "write [outer][inner]"))

    def _source(self, keys: Mapping[str, Node]) -> Source | None:
        if "path" in keys and "config" in keys:
            self.errors.append(keys["config"].error("give either path or config"))
        if "config" in keys:
            return Source(self._text(keys, "config"))
        if "path" not in keys:
            return None
        paths = tuple(self._folder / text for text in self._texts(keys, "path"))
        for path in paths:
            if not glob.glob(str(path)):  # noqa: PTH207 -- a pattern with folders
                self.errors.append(keys["path"].error(f"there is no {path}", "paths are relative to the case file"))
        return Source(paths=paths)

    def _events(self, keys: Mapping[str, Node]) -> list[Node]:
        return self._items(keys, "events")

    def _lines(self, keys: Mapping[str, Node]) -> tuple[str, ...]:
        if "lines" not in keys:
            return ()
        if keys["lines"].items() is None:
            return tuple(self._text(keys, "lines").removesuffix("\n").split("\n"))
        return self._texts(keys, "lines")

    def _received(self, keys: Mapping[str, Node], events: tuple[Any, ...]) -> int:
        """Return the time of receipt: that of the case, else that of its first event."""
        if "received" not in keys:
            of_event = normalise(events[0].get("@timestamp")) if events and type(events[0]) is dict else None
            return to_epoch_ns(of_event or RECEIVED)
        time = normalise(self._value(keys["received"], str, "a time must be a text"))
        if time is None:
            self.errors.append(keys["received"].error("this is not a time", f"received: {RECEIVED}"))
        return to_epoch_ns(time or RECEIVED)

    def _mapping(self, node: Node, known: tuple[str, ...], what: str) -> dict[str, Node]:
        """Return the values of a mapping whose keys are ``known``."""
        empty: dict[str, Node] | None = {}
        keys = self._try(node.mapping, empty)
        if keys is None:
            self.errors.append(node.error(f"{what} must be a mapping of {', '.join(known)}"))
            return {}
        for name in keys.keys() - {*known}:
            near = did_you_mean(name, known)
            hint = f"did you mean {near!r}?" if near else f"{what} has {', '.join(known)}"
            self.errors.append(ConfigError(f"{what} has no key {name!r}", keys[name].key_span, hint))
        return {name: value for name, value in keys.items() if name in known}

    def _items(self, keys: Mapping[str, Node], name: str) -> list[Node]:
        if name not in keys:
            return []
        items = keys[name].items()
        if items is None:
            self.errors.append(keys[name].error(f"{name} must be a list"))
        return items or []

    def _texts(self, keys: Mapping[str, Node], name: str) -> tuple[str, ...]:
        """Return the texts of a list, or a single text."""
        if name not in keys:
            return ()
        nodes = keys[name].items()
        wanted = f"{name} must be a text or a list of texts"
        return tuple(self._value(node, str, wanted) for node in ([keys[name]] if nodes is None else nodes))

    def _text(self, keys: Mapping[str, Node], name: str) -> str:
        return self._value(keys[name], str, f"{name} must be a text") if name in keys else ""

    def _flag(self, keys: Mapping[str, Node], name: str) -> bool:
        return self._value(keys[name], bool, f"{name} must be true or false") if name in keys else False

    def _value(self, node: Node, kind: type[T], wanted: str) -> T:
        """Return a value, that of an empty ``kind`` if it is of another one, which is a mistake."""
        value = self._try(node.value, _MISTAKE)
        if type(value) is kind:
            return value
        if value is not _MISTAKE:
            self.errors.append(node.error(wanted))
        return kind()

    def _try(self, read: Callable[[], T], default: T) -> T:
        try:
            return read()
        except ConfigError as error:
            self.errors.append(error)
            return default
