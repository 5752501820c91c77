"""What each part of a Logstash installation means here, line by line."""

from __future__ import annotations

import math
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.app.logstash_folder import ECS, SETTINGS_FILE, LogstashFolder, PipelineSource, SettingFinding, read_folder
from ingestd.app.logstash_settings import Verdict
from ingestd.app.migration.configs import KeptReferences, config_findings
from ingestd.app.migration.finding import Finding
from ingestd.app.migration.installation import Installation, environment_of
from ingestd.app.migration.other_files import keystore_finding, other_files
from ingestd.names import MAIN
from ingestd.settings import load_settings

_SAMPLE = "logstash-sample.conf"
"""A config that comes with Logstash."""


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        findings: By file, in the order of the lines.
        settings: What ``ingestd.toml`` has to say: name, value as it is written, where it comes from.
        pipelines: With the paths that their files have on this machine.
    """

    findings: list[Finding] = field(default_factory=list)
    settings: list[tuple[str, Any, str]] = field(default_factory=list)
    pipelines: list[PipelineSource] = field(default_factory=list)
    support_escapes: bool = False

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many findings there are of each verdict."""
        found = Counter(finding.verdict for finding in self.findings)
        return {verdict: found[verdict] for verdict in Verdict}


def report(installation: Installation, environ: Mapping[str, str] = os.environ) -> Report:
    """Return what the installation means here.

    Raises:
        SettingsError: ``logstash.yml`` or ``pipelines.yml`` cannot be read, or a setting has no valid value.
    """
    result, variables = Report(), dict(environ)
    for file in installation.environment_files():
        result.findings += _environment_findings(file, variables)
    references = KeptReferences(variables)
    folder = read_folder(installation.settings, references)
    result.support_escapes = folder.support_escapes
    missing = _take_settings(result, folder, references)
    _take_version(result, installation)
    settings = load_settings(None, {}, defaults=result.settings)
    result.pipelines = _pipelines(result, installation, folder)
    found, names = config_findings(result.pipelines, settings, variables, support_escapes=folder.support_escapes)
    result.findings += found
    result.findings += keystore_finding(installation.settings, [*dict.fromkeys((*missing, *names))])
    result.findings += other_files(installation, result.pipelines, ecs=settings.pipeline.ecs_compatibility)
    files = [*dict.fromkeys(finding.file for finding in result.findings)]
    result.findings.sort(key=lambda finding: (files.index(finding.file), finding.line or math.inf))
    return result


def _of_setting(found: SettingFinding) -> Finding:
    file, _, line = found.place.rpartition(":")
    return Finding(file, int(line), found.verdict, found.text, found.advice)


def _environment_findings(file: Path, variables: dict[str, str]) -> Iterator[Finding]:
    """Yield the variables of a file, and take them over."""
    try:
        found = [*environment_of(file)]
    except OSError as error:
        yield Finding(str(file), 0, Verdict.NEEDS_WORK, f"cannot be read: {error.strerror}", "run the command as root")
        return
    for name, value, line in found:
        if not name.startswith(("LS_", "JAVA_", "JRUBY_")):
            variables.setdefault(name, value)
            yield Finding(str(file), line, Verdict.DIFFERS, f"variable {name}", "copy it into /etc/ingestd/ingestd.env")


def _take_settings(result: Report, folder: LogstashFolder, references: KeptReferences) -> list[str]:
    """Take over the settings, but for those with variables that are not set; return the names of these."""
    missing: dict[str, str] = {}  # by place
    for name, value, place in folder.settings:
        unset = next((variable for variable in references.unset if f"${{{variable}}}" in str(value)), None)
        if unset is None:
            result.settings.append((name, value, place))
        else:
            missing[place] = unset
    result.findings += [
        _of_setting(_unset(found, missing[found.place]) if found.place in missing else found)
        for found in folder.findings
    ]
    return [*missing.values()]


def _unset(found: SettingFinding, variable: str) -> SettingFinding:
    name = found.text.partition(":")[0]
    text = f"{name}: the environment variable {variable!r} is not set"
    return found._replace(verdict=Verdict.NEEDS_WORK, text=text, advice="set it, or the setting in ingestd.toml")


def _take_version(result: Report, installation: Installation) -> None:
    """Set the default of ``pipeline.ecs_compatibility`` that the version has."""
    version, file = installation.version, str(installation.settings / SETTINGS_FILE)
    if any(name == ECS for name, _, _ in result.settings):
        return
    if version.has_ecs is None:
        text = f"the version of Logstash was not found: {ECS} is v8 by default since 8.0, disabled before"
        result.findings.append(Finding(file, 0, Verdict.NEEDS_WORK, text, "give it with --logstash-version"))
    elif version.has_ecs:
        result.settings.append((ECS, "v8", f"the default of Logstash {version.number}"))
        result.findings.append(Finding(file, 0, Verdict.RUNS, f"{ECS}: here v8, the default of {version.number}"))


def _pipelines(result: Report, installation: Installation, folder: LogstashFolder) -> list[PipelineSource]:
    if folder.pipelines:
        advice = (
            "write this path into pipelines.yml, which the start command reads" if _by_folder(folder.pipelines) else ""
        )
        return [_local(result, installation, source, advice) for source in folder.pipelines]
    settings, home = installation.settings, installation.home
    folders = [settings / "conf.d", home / "pipeline", settings]
    found = next((files for place in folders if (files := _configs(place))), None)
    if found is None:
        text, advice = "no pipeline is configured", "`ingestd run` without a config runs the pipeline for Django sites"
        result.findings.append(Finding(str(settings), 0, Verdict.NEEDS_WORK, text, advice))
        return []
    text = f"no setting names a config; used: {', '.join(map(str, found))}"
    result.findings.append(Finding(str(settings), 0, Verdict.DIFFERS, text, "name it with -f, as for Logstash"))
    return [PipelineSource(MAIN, found)]


def _configs(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.glob("*.conf") if file.name != _SAMPLE))


def _local(result: Report, installation: Installation, source: PipelineSource, advice: str) -> PipelineSource:
    """Return a pipeline with the paths that its files have on this machine; ``advice`` is for paths that differ."""
    paths = tuple(map(installation.local, source.paths))
    for named, path in zip(source.paths, paths, strict=True):
        if path != named:
            text = f"pipeline {source.name}: {named} is not on this machine; used: {path}"
            result.findings.append(Finding(str(installation.settings), 0, Verdict.DIFFERS, text, advice))
    return source._replace(paths=paths)


class Start(NamedTuple):
    """A command line."""

    words: list[str]

    def __str__(self) -> str:
        return shlex.join(self.words)


def start_command(found: Report, installation: Installation, settings_file: Path) -> Start:
    """Return how to start ingestd: with the files of the pipelines, or where that is not enough, Logstash's folder."""
    words, sources = ["ingestd", "run", "--settings", str(settings_file)], found.pipelines
    if found.support_escapes:
        words.append("--config.support_escapes")
    if _by_folder(sources):
        return Start([*words, "--path.settings", str(installation.settings)])
    if len(sources) == 1:
        return Start([*words, *(word for path in sources[0].paths for word in ("-f", str(path)))])
    return Start([*words, *(word for name, paths, *_ in sources for word in ("--pipeline", f"{name}={paths[0]}"))])


def _by_folder(sources: Sequence[PipelineSource]) -> bool:
    """Whether flags cannot name the pipelines: a text, a mode of ECS of its own, or several paths of one of several."""
    if any(source.text is not None or source.ecs for source in sources):
        return True
    return len(sources) != 1 and any(len(source.paths) != 1 for source in sources)
