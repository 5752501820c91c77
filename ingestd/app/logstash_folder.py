"""Logstash's settings folder: ``logstash.yml`` and ``pipelines.yml``, as far as they mean something here.

Follows https://www.elastic.co/docs/reference/logstash/logstash-settings-file and
https://www.elastic.co/docs/reference/logstash/multiple-pipelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.app.logstash_settings import KNOWN, READ, Verdict, no_effect
from ingestd.config.variables import UndefinedVariableError, substitute
from ingestd.names import MAIN, check_pipeline_names, valid_name
from ingestd.settings import SettingsError
from ingestd.settings.kinds import ECS_MODES

SETTINGS_FILE, PIPELINES_FILE = "logstash.yml", "pipelines.yml"
ECS = "pipeline.ecs_compatibility"


class PipelineSource(NamedTuple):
    """Where the config of a pipeline is: in files, or in a text; ``ecs``: its ``pipeline.ecs_compatibility``."""

    name: str
    paths: tuple[Path, ...]
    text: str | None = None
    ecs: str = ""


class SettingFinding(NamedTuple):
    """What a line of ``logstash.yml`` or ``pipelines.yml`` means here; ``place`` is ``file:line``."""

    place: str
    verdict: Verdict
    text: str
    advice: str = ""


@dataclass(slots=True)
class LogstashFolder:
    """What was read.

    Attributes:
        settings: Settings of ours with their values, as they are written, and where they come from.
        pipelines: All pipelines of ``pipelines.yml``, or the one that ``logstash.yml`` names.
        support_escapes: ``config.support_escapes``.
        findings: What each setting means here, in the order of the files.
    """

    settings: list[tuple[str, Any, str]] = field(default_factory=list)
    pipelines: list[PipelineSource] = field(default_factory=list)
    support_escapes: bool = False
    findings: list[SettingFinding] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What has no effect here, a sentence each."""
        return notes(self.findings)


def notes(findings: Iterable[SettingFinding]) -> list[str]:
    """Return a sentence for each setting that has no effect here."""
    return [
        f"{found.place}: {found.text}" + (f": {found.advice}" if found.advice else "")
        for found in findings
        if found.verdict is not Verdict.RUNS
    ]


class _Entry(NamedTuple):
    """A key of a YAML file, dotted, its value, and where it is."""

    key: str
    value: Any
    place: str


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
        name = valid_name(str(entries["pipeline.id"].value))
        result.pipelines.append(_source(name, entries, folder / PIPELINES_FILE))
        result.findings += [_of_pipeline(entry, name, result.settings) for entry in pipeline]
    _check_names(result.pipelines, folder / PIPELINES_FILE)
    return result


def _take(entry: _Entry, result: LogstashFolder) -> None:
    if entry.key in KNOWN:
        name, written = KNOWN[entry.key]
        value = written(entry.value)
        result.settings.append((name, value, entry.place))
        shown = str(value).lower() if isinstance(value, bool) else value
        result.findings.append(SettingFinding(entry.place, Verdict.RUNS, f"{entry.key}: here {name} = {shown}"))
    elif entry.key not in READ:
        result.findings.append(without_effect(*entry))
    else:
        result.findings.append(_read_as_it_is(entry))
        if entry.key == "config.support_escapes":
            result.support_escapes = entry.value in (True, "true")


def _read_as_it_is(entry: _Entry) -> SettingFinding:
    shown = "" if entry.key == "config.string" else f": {entry.value}"
    return SettingFinding(entry.place, Verdict.RUNS, f"{entry.key}{shown}")


def without_effect(key: str, value: Any, place: str) -> SettingFinding:
    """Return what a setting without a counterpart means here; ``place`` is where it is set."""
    known = no_effect(key)
    if str(value).lower() in known.unless:
        return SettingFinding(place, Verdict.RUNS, f"{key}: nothing to do")
    return SettingFinding(place, known.verdict, f"{key} has no effect", known.advice)


def _of_pipeline(entry: _Entry, pipeline: str, settings: list[tuple[str, Any, str]]) -> SettingFinding:
    """Return what a setting of a single pipeline means: those of ours are for all pipelines, but for ECS."""
    if entry.key == "pipeline.id" and entry.value != pipeline:
        text = f"pipeline.id: {entry.value}: here {pipeline}, which can be part of a file name"
        return SettingFinding(entry.place, Verdict.DIFFERS, text)
    if entry.key == ECS:
        return SettingFinding(entry.place, Verdict.RUNS, f"{ECS}: {entry.value}, of this pipeline")
    if entry.key not in KNOWN:
        return _read_as_it_is(entry) if entry.key in READ else without_effect(*entry)
    name, written = KNOWN[entry.key]
    if (name, written(entry.value)) in [(setting, value) for setting, value, _ in settings]:
        return SettingFinding(entry.place, Verdict.RUNS, f"{entry.key}: as in {SETTINGS_FILE}")
    text = f"{entry.key} of a single pipeline has no effect"
    return SettingFinding(entry.place, Verdict.DIFFERS, text, f"put it into {SETTINGS_FILE}")


def _source(name: str, entries: Mapping[str, _Entry], file: Path) -> PipelineSource:
    text, path, ecs = entries.get("config.string"), entries.get("path.config"), _ecs(entries)
    if text is not None:
        return PipelineSource(name, (), str(text.value), ecs)
    if path is None:
        raise SettingsError([f"{file}: error: pipeline {name!r} has neither path.config nor config.string"])
    paths = path.value if isinstance(path.value, list) else [path.value]
    return PipelineSource(name, tuple(Path(str(part)) for part in paths), None, ecs)


def _ecs(entries: Mapping[str, _Entry]) -> str:
    """Return the mode of a pipeline; empty: that of all pipelines."""
    entry = entries.get(ECS)
    mode = "" if entry is None else str(entry.value)
    if "${" in mode:  # ``ingestd migrate`` leaves variables that are not set
        return ""
    if entry is not None and mode not in ECS_MODES:
        raise SettingsError([f"{entry.place}: error: {ECS} is one of {', '.join(ECS_MODES)}, not {mode!r}"])
    return mode


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
    """Yield the settings in a mapping, those in nested mappings with dotted keys; those without a value are not set."""
    if node.id != "mapping":
        raise SettingsError([f"{file}:{_line(node)}: error: expected settings: name: value"])
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if value.id == "mapping":
            yield from _flat(value, f"{name}.", file, environ)
        elif not value.tag.endswith(":null"):
            yield _Entry(name, _value(value, file, environ), f"{file}:{_line(key)}")


def _value(node: Any, file: Path, environ: Mapping[str, str]) -> Any:
    if node.id == "sequence":
        return [_value(item, file, environ) for item in node.value]
    if node.id == "mapping":
        return {str(key.value): _value(value, file, environ) for key, value in node.value}
    try:
        text = substitute(str(node.value), environ)
    except UndefinedVariableError as error:
        problem = f"the environment variable {error.names[0]!r} is not set"
        raise SettingsError([f"{file}:{_line(node)}: error: {problem}"]) from None
    return {"true": True, "false": False}.get(text, text) if node.style is None else text


def _line(node: Any) -> int:
    line: int = node.start_mark.line
    return line + 1
