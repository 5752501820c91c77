"""Logstash's own flags, as far as they mean something here, so that its command line runs unchanged."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ingestd.app.logstash_folder import (
    LogstashFolder,
    PipelineSource,
    SettingFinding,
    notes,
    read_folder,
    without_effect,
)
from ingestd.app.logstash_settings import KNOWN

Command = Callable[..., Any]

_FLAGS = (  # the flag, its other name, Logstash's setting, its value (empty: it has none), help
    (
        "--config.reload.automatic",
        "-r",
        "config.reload.automatic",
        "",
        "Reload the config when one of its files changes.",
    ),
    ("--pipeline.workers", "-w", "pipeline.workers", "COUNT", "Number of worker processes."),
    ("--pipeline.batch.delay", "-u", "pipeline.batch.delay", "MS", "Milliseconds to wait for more events of a batch."),
    ("--pipeline.ecs_compatibility", "", "pipeline.ecs_compatibility", "MODE", "Default of ecs_compatibility."),
    ("--log.level", "", "log.level", "LEVEL", "Minimum level of the log: info, warn, debug ..."),
    ("--log.format", "", "log.format", "FORMAT", "Format of the log: plain or json."),
    ("--api.http.port", "--http.port", "api.http.port", "PORT", "Port of the dashboard and the API on this machine."),
)
_WITHOUT_EFFECT = (  # the flag and its short form, and its value (empty: it has none)
    (("--pipeline.batch.size", "-b"), "COUNT"),
    (("--pipeline.id",), "NAME"),
    (("--pipeline.ordered",), "MODE"),
    (("--pipeline.unsafe_shutdown",), ""),
    (("--node.name", "-n"), "NAME"),
    (("--path.logs", "-l"), "PATH"),
    (("--path.plugins", "-p"), "PATH"),
    (("--config.debug",), ""),
    (("--config.reload.interval",), "SECONDS"),
    (("--field-reference-escape-style",), "STYLE"),
    (("--java-execution/--no-java-execution",), ""),
    (("--api.enabled",), "ENABLED"),
    (("--api.http.host",), "HOST"),
    (("--http.enabled",), "ENABLED"),
    (("--http.host",), "HOST"),
)


@dataclass(slots=True)
class LogstashFlags:
    """What the flags say.

    Attributes:
        flags: Settings of ours with their values.
        path: The folder of ``--path.settings``; None: there is none.
        folder: What it says.
        test_only: ``-t``: check the config and exit.
        without_effect: What the flags without a counterpart mean here.
    """

    flags: dict[str, str] = field(default_factory=dict)
    path: Path | None = None
    folder: LogstashFolder = field(default_factory=LogstashFolder)
    escapes: bool = False
    test_only: bool = False
    without_effect: list[SettingFinding] = field(default_factory=list)

    def read(self) -> None:
        """Read the folder, also again for a reload.

        Raises:
            SettingsError: Its files are wrong.
        """
        if self.path is not None:
            self.folder = read_folder(self.path, os.environ)

    @property
    def pipelines(self) -> list[PipelineSource]:
        """The pipelines of the folder."""
        return self.folder.pipelines

    @property
    def notes(self) -> list[str]:
        """A sentence for each flag and each setting of the folder that has no effect here."""
        return [*notes(self.without_effect), *self.folder.notes]

    @property
    def support_escapes(self) -> bool:
        """Whether backslashes in strings are escapes."""
        return self.escapes or self.folder.support_escapes


def logstash_flags(command: Command) -> Command:
    """Give a command Logstash's flags; see ``take_flags``."""
    path = click.Path(path_type=Path)
    for names, value in reversed(_WITHOUT_EFFECT):
        command = click.option(*names, _parameter(names[0]), **_kind(value), hidden=True)(command)
    command = click.option("--config.support_escapes", _parameter("escapes"), is_flag=True, hidden=True)(command)
    command = click.option("--path.data", _parameter("data"), metavar="PATH", hidden=True)(command)
    for flag, other, _, value, text in reversed(_FLAGS):
        names = (flag, other) if other else (flag,)
        command = click.option(*names, _parameter(flag), help=f"As in Logstash: {text}", **_kind(value))(command)
    text = "As in Logstash: check the config and exit."
    command = click.option("-t", "--config.test_and_exit", _parameter("test"), is_flag=True, help=text)(command)
    text = "As in Logstash: folder with logstash.yml and pipelines.yml."
    return click.option("--path.settings", _parameter("folder"), type=path, metavar="DIR", help=text)(command)


def take_flags(arguments: dict[str, Any]) -> LogstashFlags:
    """Remove the values of Logstash's flags from the arguments of a command, and return what they say."""
    given = LogstashFlags(test_only=arguments.pop(_parameter("test")))
    for names, _ in _WITHOUT_EFFECT:
        written = arguments.pop(_parameter(names[0]))
        if written is not None:
            flag = _long(names[0])
            given.without_effect.append(without_effect(flag.strip("-"), written, flag))
    for flag, _, setting, value, _ in _FLAGS:
        written = arguments.pop(_parameter(flag))
        if written is not None:
            name, convert = KNOWN[setting]
            given.flags[name] = str(convert(written if value else "true"))
    if data := arguments.pop(_parameter("data")):
        given.flags["data_dir"] = data
    given.escapes, given.path = arguments.pop(_parameter("escapes")), arguments.pop(_parameter("folder"))
    return given


def _kind(value: str) -> dict[str, Any]:
    """Return what click needs for a flag with a value of this name; empty: it has none."""
    return {"metavar": value} if value else {"is_flag": True, "default": None}


def _long(names: str) -> str:
    """Return ``--flag`` of ``--flag/--no-flag``."""
    return names.partition("/")[0]


def _parameter(flag: str) -> str:
    return "logstash_" + _long(flag).strip("-").replace(".", "_").replace("-", "_")
