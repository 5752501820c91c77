"""Logstash's settings folder: ``logstash.yml`` and ``pipelines.yml``, as far as they mean something here.

Follows https://www.elastic.co/docs/reference/logstash/logstash-settings-file and
https://www.elastic.co/docs/reference/logstash/multiple-pipelines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.config.variables import UndefinedVariableError, substitute
from ingestd.names import MAIN, check_pipeline_names
from ingestd.settings import SettingsError

SETTINGS_FILE, PIPELINES_FILE = "logstash.yml", "pipelines.yml"


class PipelineSource(NamedTuple):
    """Where the config of a pipeline is: in files, or in a text."""

    name: str
    paths: tuple[Path, ...]
    text: str | None = None


@dataclass(slots=True)
class LogstashFolder:
    """What was read.

    Attributes:
        settings: Settings of ours with their values, as they are written, and where they come from.
        pipelines: All pipelines of ``pipelines.yml``, or the one that ``logstash.yml`` names.
        support_escapes: ``config.support_escapes``.
        notes: What has no effect here, a sentence each.
    """

    settings: list[tuple[str, Any, str]] = field(default_factory=list)
    pipelines: list[PipelineSource] = field(default_factory=list)
    support_escapes: bool = False
    notes: list[str] = field(default_factory=list)


class _Entry(NamedTuple):
    """A key of a YAML file, dotted, its value, and where it is."""

    key: str
    value: Any
    place: str


def _milliseconds(value: Any) -> str:
    return f"{value}ms"


def _level(value: Any) -> str:
    return {"trace": "debug", "warn": "warning", "fatal": "error"}.get(str(value).lower(), str(value).lower())


def _format(value: Any) -> str:
    return "json" if str(value).lower() in {"json", "json_lines"} else "text"


def _port(value: Any) -> str:
    """Return an address of this machine; Logstash's range ``9600-9700`` counts from its start."""
    return f"127.0.0.1:{str(value).partition('-')[0]}"


def _size(value: Any) -> str:
    """Return a size as ours are written: ``1gb`` has 1024 megabytes in Logstash."""
    found = re.fullmatch(r"\s*(\d+)\s*([kmgt]?)i?b?\s*", str(value).lower())
    return f"{found[1]}{found[2].upper()}{'iB' if found[2] else ''}" if found else str(value)


def _same(value: Any) -> Any:
    return value


KNOWN: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "pipeline.workers": ("workers", _same),
    "pipeline.batch.delay": ("batch.max_delay", _milliseconds),
    "pipeline.ecs_compatibility": ("pipeline.ecs_compatibility", _same),
    "config.reload.automatic": ("watch", _same),
    "log.level": ("log_level", _level),
    "log.format": ("log_format", _format),
    "queue.max_bytes": ("journal.max_bytes", _size),
    "dead_letter_queue.max_bytes": ("dead_letters.max_bytes", _size),
    "api.http.port": ("http", _port),
    "http.port": ("http", _port),
}
"""Logstash's settings that have a counterpart: its name, and how the value is written there."""

_NOT_NEEDED = {
    "path.data": "ingestd has its own data folder: data_dir",
    "path.logs": "the log goes to stderr",
    "queue.type": "events are always kept on disk until they are delivered",
    "dead_letter_queue.enable": "dead letters are always kept",
    "pipeline.batch.size": "the setting batch.max_bytes bounds a batch",
    "pipeline.ordered": "events of a connection stay in order",
    "config.reload.interval": "changes are noticed at once",
    "api.http.host": "set http, with a password unless it is a loopback address",
    "http.host": "set http, with a password unless it is a loopback address",
}


def read_folder(folder: Path, environ: Mapping[str, str]) -> LogstashFolder:
    """Read the files of a folder; each may be missing.

    Raises:
        SettingsError: The folder does not exist, a file cannot be read, or a pipeline has no name or no config.
    """
    if not folder.is_dir():
        raise SettingsError([f"--path.settings: error: there is no folder {folder}"])
    result = LogstashFolder()
    main = {entry.key: entry for entry in _read(folder / SETTINGS_FILE, environ)}
    for entry in main.values():
        _take(entry, result)
    if "path.config" in main or "config.string" in main:  # then Logstash does not look at pipelines.yml
        result.pipelines.append(_source(MAIN, main, folder / SETTINGS_FILE))
        return result
    for number, pipeline in enumerate(_read_pipelines(folder / PIPELINES_FILE, environ)):
        entries = {entry.key: entry for entry in pipeline}
        if "pipeline.id" not in entries:
            raise SettingsError([f"{folder / PIPELINES_FILE}: error: pipeline {number + 1} has no pipeline.id"])
        name = str(entries["pipeline.id"].value)
        result.pipelines.append(_source(name, entries, folder / PIPELINES_FILE))
        result.notes += [
            f"{entry.place}: {entry.key} of a single pipeline has no effect; put it into {SETTINGS_FILE}"
            for entry in entries.values()
            if entry.key in KNOWN
        ]
    _check_names(result.pipelines, folder / PIPELINES_FILE)
    return result


def _take(entry: _Entry, result: LogstashFolder) -> None:
    if entry.key in KNOWN:
        name, written = KNOWN[entry.key]
        result.settings.append((name, written(entry.value), entry.place))
    elif entry.key == "config.support_escapes":
        result.support_escapes = entry.value in (True, "true")
    elif entry.key not in {"path.config", "config.string"}:
        why = _NOT_NEEDED.get(entry.key, "")
        result.notes.append(f"{entry.place}: {entry.key} has no effect" + (f": {why}" if why else ""))


def _source(name: str, entries: Mapping[str, _Entry], file: Path) -> PipelineSource:
    text, path = entries.get("config.string"), entries.get("path.config")
    if text is not None:
        return PipelineSource(name, (), str(text.value))
    if path is None:
        raise SettingsError([f"{file}: error: pipeline {name!r} has neither path.config nor config.string"])
    paths = path.value if isinstance(path.value, list) else [path.value]
    return PipelineSource(name, tuple(Path(str(part)) for part in paths))


def _check_names(pipelines: list[PipelineSource], file: Path) -> None:
    names = [source.name for source in pipelines]
    try:
        check_pipeline_names(names)
    except ValueError as error:
        raise SettingsError([f"{file}: error: {error}"]) from None
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError([f"{file}: error: pipeline.id {twice!r} is used twice"])


def _read(file: Path, environ: Mapping[str, str]) -> list[_Entry]:
    """Return the settings of ``logstash.yml``; keys may be dotted or nested."""
    node = _compose(file)
    return [*_flat(node, "", file, environ)] if node is not None else []


def _read_pipelines(file: Path, environ: Mapping[str, str]) -> Iterator[list[_Entry]]:
    node = _compose(file)
    if node is None:
        return
    if node.id != "sequence":
        raise SettingsError([f"{file}:{_line(node)}: error: expected a list of pipelines: - pipeline.id: ..."])
    for item in node.value:
        yield [*_flat(item, "", file, environ)]


def _compose(file: Path) -> Any:
    """Return the root of a YAML file; None: it does not exist or is empty."""
    import yaml  # noqa: PLC0415 -- only for Logstash's files

    try:
        return yaml.compose(file.read_text("utf-8"), yaml.SafeLoader)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file}: error: the file cannot be read: {error}"]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError([f"{file}:{line}: error: not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise SettingsError([f"{file}: error: not YAML: {error}"]) from None


def _flat(node: Any, prefix: str, file: Path, environ: Mapping[str, str]) -> Iterator[_Entry]:
    """Yield the settings in a mapping, those in nested mappings with dotted keys."""
    if node.id != "mapping":
        raise SettingsError([f"{file}:{_line(node)}: error: expected settings: name: value"])
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if value.id == "mapping":
            yield from _flat(value, f"{name}.", file, environ)
        else:
            yield _Entry(name, _value(value, file, environ), f"{file}:{_line(key)}")


def _value(node: Any, file: Path, environ: Mapping[str, str]) -> Any:
    if node.id == "sequence":
        return [_value(item, file, environ) for item in node.value]
    try:
        text = substitute(str(node.value), environ)
    except UndefinedVariableError as error:
        problem = f"the environment variable {error.names[0]!r} is not set"
        raise SettingsError([f"{file}:{_line(node)}: error: {problem}"]) from None
    return {"true": True, "false": False}.get(text, text) if node.style is None else text


def _line(node: Any) -> int:
    line: int = node.start_mark.line
    return line + 1
