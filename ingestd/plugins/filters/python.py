"""``python``: change events with Python code, as the filter ``ruby`` does in Logstash.

The code runs in the process that receives events: while it waits, they wait. ``event`` is a dict:

| Ruby in Logstash | here |
| --- | --- |
| ``event.get("[a][b]")`` | ``event["a"]["b"]``, or ``event.get("a", {}).get("b")`` if it may be missing |
| ``event.set("a", 1)`` | ``event["a"] = 1`` |
| ``event.remove("a")`` | ``event.pop("a", None)`` |
| ``event.tag("x")`` | ``event["tags"] = [*event.get("tags", []), "x"]`` |
| ``event.cancel`` | ``cancel()`` |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd.event.fields import Event, legal_tags
from ingestd.event.timestamp import normalise
from ingestd.plugins.filters._python_code import (
    CodeError,
    Origin,
    compile_function,
    compile_module,
    describe,
    json_value,
)
from ingestd.plugins.filters._trees import copied
from ingestd.plugins.registry import BuildContext, ExpandFn, OptionWarning, Touch, filter_plugin, option


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``python``."""

    code: str | None = option(
        None,
        "The body of a function of `event`, a dict. `cancel()` drops the event; `return [event, ...]` puts other events"
        " in its place.",
    )
    init: str | None = option(None, "Code that runs once, at start; `code` sees the names that it defines.")
    path: str | None = option(
        None, "Path of a file that defines `filter(event)`, and may define `register(params)`, instead of `code`."
    )
    script_params: dict[str, Any] = option({}, "Parameters passed to `register` of the file.")


def _touches(options: Options) -> Touch:
    return Touch(unknown="python code may change any field")


_METHODS = {
    "set": 'write event["a"] = ...',
    "remove": 'write event.pop("a", None)',
    "tag": 'write event["tags"] = [*event.get("tags", []), "..."]',
    "cancel": "write cancel()",
    "to_hash": "it is one already",
}
"""Methods of Logstash's event, and what to write instead."""
_METHOD = re.compile(rf"\bevent\.(?P<name>{'|'.join(_METHODS)})\b")
_REFERENCE = re.compile(r"""\bevent(?:\.(?:get|pop|setdefault)\s*\(|\[)\s*["']\[[^"']*["']""")


def _warnings(options: Options) -> Iterator[OptionWarning]:
    """Yield a warning for what would be right in the filter ``ruby``: ``event`` is a dict here."""
    code = options.code or ""
    for found in _METHOD.finditer(code):
        text = f"event is a dict, which has no {found['name']}"
        yield OptionWarning("code", text, _METHODS[found["name"]], found.start(), len(found[0]))
    for found in _REFERENCE.finditer(code):
        text = "event is a dict, whose keys are not field references"
        yield OptionWarning("code", text, 'write event["a"]["b"] for [a][b]', found.start(), len(found[0]))


@filter_plugin(
    "python",
    Options,
    touches=_touches,
    outcome="any_number",
    failure_tag="_pythonexception",
    option_warnings=_warnings,
)
def build(options: Options, context: BuildContext) -> ExpandFn:
    """Change events with Python code.

    The code gets a copy of the event, so that an event for which it fails stays as it was. Times become timestamps,
    tuples and sets arrays; what JSON does not have is a failure. The commands `check`, `trace` and `test` and the
    dashboard's trace run the code too, so it should change nothing but events.
    """
    cancelled: list[bool] = []
    namespace: dict[str, Any] = {"cancel": lambda: cancelled.append(True), "__name__": context.plugin_id}
    function, files = _function(options, context, namespace)

    def run(event: Event) -> Any:
        cancelled.clear()
        try:
            return function(event)
        except (Exception, SystemExit) as error:
            raise CodeError(describe(error, files)) from error

    def python(event: Event) -> list[Event]:
        copy = copied(event)
        made = [new for new in _results(run(copy), copy) if not (cancelled and new is copy)]
        documents = [_checked(new if new is copy else _defaults(event) | new) for new in made]
        for document in documents:
            context.common_options(document)
        for number, new in enumerate(made):
            if new is copy:
                event.clear()
                event.update(documents[number])
                documents[number] = event
                break
        return documents

    return python


def _function(
    options: Options, context: BuildContext, namespace: dict[str, Any]
) -> tuple[Callable[[Event], Any], set[str]]:
    """Return the function of an event, and the files that its code is in.

    Raises:
        ValueError: There is no code, or it cannot be loaded.
    """
    if (options.code is None) is (options.path is None):
        raise ValueError("set either code or path")
    if options.path is not None:
        if options.init is not None:
            raise ValueError("init is for code; a file can define register(params)")
        path = context.folder / Path(options.path)
        return _from_file(path, options.script_params, namespace), {str(path)}
    init = Origin.of_span(context.spans.get("init"), f"init of {context.plugin_id or 'python'}")
    code = Origin.of_span(context.spans.get("code"), f"code of {context.plugin_id or 'python'}")
    if options.init is not None:
        _load(options.init, init, namespace)
    return compile_function(options.code or "", code, namespace), {init.file, code.file}


def _load(text: str, origin: Origin, namespace: dict[str, Any]) -> None:
    compiled = compile_module(text, origin)
    try:
        exec(compiled, namespace)  # noqa: S102 -- code of the config
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- of any kind
        raise ValueError(describe(error, {origin.file})) from None


def _from_file(path: Path, params: dict[str, Any], namespace: dict[str, Any]) -> Callable[[Event], Any]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    namespace["__file__"] = str(path)
    _load(text, Origin(str(path)), namespace)
    function = namespace.get("filter")
    if not callable(function):
        raise ValueError(f"{path} does not define filter(event)")
    if callable(register := namespace.get("register")):
        try:
            register(params)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- of any kind
            raise ValueError(describe(error, {str(path)})) from None
    made: Callable[[Event], Any] = function
    return made


def _results(returned: Any, event: Event) -> list[Event]:
    """Return the events that code returned; None stands for its event."""
    if returned is None:
        return [event]
    if not isinstance(returned, list | tuple) or not all(isinstance(new, dict) for new in returned):
        raise CodeError(f"the code must return None or a list of events, not {returned!r:.100}")
    return [*returned]


def _defaults(event: Event) -> Event:
    """Return the fields that every event has."""
    return {name: event[name] for name in ("@timestamp", "@version") if name in event}


def _checked(new: Event) -> Event:
    """Return an event made by code as one of JSON.

    Raises:
        CodeError: It is none, or a field that accepts only certain values has another one.
    """
    try:
        made: Event = json_value(new)
    except (TypeError, ValueError, OverflowError) as error:
        raise CodeError(str(error)) from None
    if not legal_tags(made.get("tags")):
        raise CodeError("tags must be text or an array of texts")
    if "@timestamp" in made:
        stamp = normalise(made["@timestamp"])
        if stamp is None:
            raise CodeError(f"@timestamp cannot be {made['@timestamp']!r}, which is not a timestamp")
        made["@timestamp"] = stamp
    return made
