"""Make a case of a dead letter or a stored event: what comes out of the config today is what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.diagnosis.trace import Result, Trace, Tracing, stored_source
from ingestd.event.changes import same
from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_epoch_ns, to_epoch_ns
from ingestd.files import write_atomic
from ingestd.jobs.cases.case import Case, Source
from ingestd.jobs.cases.reader import parse_cases
from ingestd.jobs.cases.run import traces_of
from ingestd.jobs.cases.yaml_nodes import read_yaml, write_yaml
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings


class RecordError(Exception):
    """The event cannot become a case; the text says why."""


def of_dead_letter(dead_letter: DeadLetter, name: str) -> dict[str, Any]:
    """Return what a case says of a dead letter, without what is expected.

    Raises:
        RecordError: It is not text, or only its start was kept.
    """
    case: dict[str, Any] = {"name": name}
    if not (dead_letter.raw and dead_letter.input):
        return case | {"events": [_event(dead_letter.refused)], "again": True}
    if len(dead_letter.content) < dead_letter.size:
        raise RecordError("only the first bytes of this dead letter were kept")
    try:
        text = dead_letter.content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"the record is not UTF-8 at byte {error.start}; a case file holds only text") from None
    received = dead_letter.received if dead_letter.received is not None else to_epoch_ns(dead_letter.time)
    case |= {"input": dead_letter.input, "lines": [text.removesuffix("\n")], "sender": dead_letter.fields}
    return case | {"received": from_epoch_ns(received)}


def of_stored_event(document: bytes, name: str, config: Config, settings: Settings) -> dict[str, Any]:
    """Return what a case says of a stored event, without what is expected. Raises ConfigErrors."""
    event = _event(document)
    source = stored_source(event, Tracing(config, BuildContext(settings=settings)).pipeline)
    if not source.input:
        return {"name": name, "events": [event], "again": True}
    time = event.get("@timestamp")
    received = {"received": time} if type(time) is str else {}
    return {"name": name, "input": source.input, "lines": [source.line], **received}


def _event(document: bytes) -> Event:
    try:
        event = loads(document)
    except NotJsonError:
        event = None
    if type(event) is not dict:
        raise RecordError("the document is not a JSON object")
    return event


def with_expected(case: dict[str, Any], config: Config, settings: Settings) -> dict[str, Any]:
    """Return a case with what comes out of ``config``: whole documents, or the fields that are the same each time.

    Raises:
        ConfigErrors: The config is wrong.
        UnknownInputError: It does not have the input of the case.
    """
    runs = [traces_of(_parsed(case), config, settings) for _ in range(2)]
    first, second = (_results(traces) for traces in runs)
    expected = [_expected(result, again) for result, again in zip(first, second, strict=True)]
    return case | ({"expected": expected} if expected else {"dropped": True})


def _parsed(case: dict[str, Any]) -> Case:
    """Return a case as it is read from a file."""
    text = write_yaml({"cases": [case | {"dropped": True}]})
    [parsed] = parse_cases(text, Path("case.yaml"))
    return parsed


def _results(traces: Sequence[Trace]) -> list[Result]:
    return [result for trace in traces for result in trace.results]


def _expected(result: Result, again: Result) -> dict[str, Any]:
    document, other = result.document, again.document
    fixed = {name: value for name, value in document.items() if name in other and same(value, other[name])}
    outputs = [destination.step.plugin_id for destination in result.destinations]
    indices = {destination.index for destination in result.destinations if destination.index}
    whole = {"document": document} if len(fixed) == len(document) else {"fields": _references(fixed)}
    index = {"index": indices.pop()} if len(indices) == 1 else {}
    return {**whole, "outputs": outputs, **index}


def _references(fields: Event) -> Event:
    return {f"[{name}]": value for name, value in fields.items()}


def append_case(path: Path, case: dict[str, Any], source: Source) -> None:
    """Add a case at the end of a case file, which is made if it does not exist.

    Args:
        path: The file.
        case: The case.
        source: The config; of a file that exists, only if it is another than that of the file.

    Raises:
        RecordError: The list of cases is not at the end of the file.
        ConfigErrors: The file is wrong.
        OSError: It cannot be read or written.
    """
    text = path.read_text("utf-8") if path.exists() else _head(path, source)
    before = len(parse_cases(text, path)) if path.exists() else 0
    added = _indented(write_yaml([case]), _indent(text, path))
    text = f"{text.rstrip(chr(10))}\n{added}"
    try:
        complete = len(parse_cases(text, path)) == before + 1
    except ConfigErrors:
        complete = False
    if not complete:
        raise RecordError(f"{path}: a case can only be added if the list of cases, each after a -, ends the file")
    write_atomic(path, text.encode())


def _head(path: Path, source: Source) -> str:
    """Return the start of a new file."""
    if source.text is not None:
        return write_yaml({"config": source.text}) + "cases:\n"
    paths = [_relative(file, path.parent) for file in source.paths]
    return (write_yaml({"path": paths[0] if len(paths) == 1 else paths}) if paths else "") + "cases:\n"


def _relative(file: Path, folder: Path) -> str:
    file, folder = file.absolute(), folder.absolute()
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


def _indent(text: str, path: Path) -> int:
    """Return the column of the cases that there are."""
    keys = read_yaml(text, str(path)).mapping() or {}
    items = keys["cases"].items() if "cases" in keys else None
    return 2 if not items else items[0].column - 2


def _indented(text: str, columns: int) -> str:
    return "".join(" " * columns + line if line.strip() else line for line in text.splitlines(keepends=True))
