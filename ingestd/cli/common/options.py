"""Options that several commands have: the flags of the settings, configs, ``--json``, ``--repository``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ingestd.cli.common.errors import show_error
from ingestd.cli.common.owner import act_as_owner
from ingestd.cli.common.times import ZONE_SETTINGS
from ingestd.settings import SETTINGS, Setting, Settings, SettingsError, find_settings_file, load_settings
from ingestd.units import Kind

Command = Callable[..., Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
files_argument = click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
bom_option = click.option(
    "--bom", is_flag=True, help="Start CSV with a byte order mark, without which Korean Excel garbles Hangul."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
repository_option = click.option(
    "--repository", "repository", help="The repository to use.  [default: setting backup.repository]"
)


_LOAD = "ingestd.load_settings"
_GIVEN = "ingestd.given_settings"
"""Where a context has the settings file and the flags that a command, or its group, was given."""


def load_settings_again() -> Settings:
    """Return the settings as they are now, from the same flags as those of the command that runs.

    Raises:
        SettingsError: The settings are wrong.
    """
    settings: Settings = click.get_current_context().meta[_LOAD]()
    return settings


def settings_options(*names: str, logstash: bool = False) -> Callable[[Command], Command]:
    """Give a command ``--settings`` and the flags of the settings ``names``, or of all settings.

    ``logstash``: and Logstash's own flags; the command is called with ``logstash=``, what they say besides settings.

    The command is called with ``settings=``, the effective settings from file, environment and flags. Wrong settings
    end it with exit code 2 and every mistake on stderr. With ``data_dir``, root runs it as the owner of that folder.
    """
    chosen = [SETTINGS[name] for name in names or SETTINGS]
    if logstash:
        from ingestd.cli.common.logstash import logstash_flags, take_flags  # noqa: PLC0415 -- few commands have them

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_settings(settings_file: str | None, **arguments: Any) -> Any:
            own = {setting.name: arguments.pop(_parameter(setting)) for setting in chosen}
            flags = {name: value for name, value in own.items() if value is not None}
            meta = click.get_current_context().meta  # shared with the group that this is a command of
            file_of_group, flags_of_group = meta.get(_GIVEN, (None, {}))
            settings_file, flags = settings_file or file_of_group, flags_of_group | flags
            meta[_GIVEN] = settings_file, flags
            given = take_flags(arguments) if logstash else None

            def load() -> Settings:
                if given is None:
                    return load_settings(find_settings_file(settings_file), flags=flags)
                given.read()
                found, others = find_settings_file(settings_file), given.folder.settings
                return load_settings(found, flags=given.flags | flags, defaults=others)

            try:
                settings = load()
            except SettingsError as error:
                show_error(str(error))
                raise SystemExit(2) from None
            if given is not None:
                arguments["logstash"] = given
            if SETTINGS["data_dir"] in chosen:
                act_as_owner(settings.data_dir)
            meta[_LOAD] = load
            return command(settings=settings, **arguments)

        decorated: Command = logstash_flags(with_settings) if logstash else with_settings
        for setting in reversed(chosen):
            decorated = _flag(setting)(decorated)
        return click.option("--settings", "settings_file", metavar="FILE", is_eager=True, help="Settings file (TOML).")(
            decorated
        )

    return decorate


def _flag(setting: Setting) -> Callable[[Command], Command]:
    eager = setting.name in ZONE_SETTINGS  # times in other options are read in their zone
    return click.option(
        setting.flag, _parameter(setting), metavar=_metavar(setting), help=_help(setting), is_eager=eager
    )


def _parameter(setting: Setting) -> str:
    return "setting_" + setting.name.replace(".", "_")


def _metavar(setting: Setting) -> str:
    name = setting.kind.name
    return f"[{name.replace(' ', '')}]" if "|" in name else name.split(" or ")[0].upper()


def _help(setting: Setting) -> str:
    return f"{setting.doc} [default: {setting.shown_default}]" if setting.shown_default else setting.doc


store_options = settings_options("data_dir", "store", "elasticsearch")
"""The flags of commands that work on a store: which one."""


def config_option(*flags: str, text: str) -> Callable[[Command], Command]:
    """Give a command an option for config files, repeatable; it is called with ``config_paths=``."""
    path = click.Path(path_type=Path)
    return click.option(*flags, "config_paths", multiple=True, type=path, metavar="PATH", help=text)


def pipeline_options(command: Command) -> Command:
    """Give a command ``-f``, ``-e`` and ``--pipeline``; it is called with config_paths, config_string, named."""
    for decorate in (
        click.option(
            "--pipeline",
            "named",
            multiple=True,
            metavar="NAME=PATH",
            help="A separate pipeline with this name; repeatable.",
        ),
        click.option("-e", "--config-string", "--config.string", metavar="CONFIG", help="The config itself, as text."),
        config_option(
            "-f",
            "--path-config",
            "--path.config",
            text="Config file, or folder of *.conf files; several are joined into one pipeline.",
        ),
    ):
        command = decorate(command)
    return command


def csv_options(command: Command) -> Command:
    """Give a command that has ``--json`` also ``--csv`` and ``--bom``; it is called with ``as_csv=`` and ``bom=``."""

    @functools.wraps(command)
    def checked(*, as_json: bool, as_csv: bool, bom: bool, **arguments: Any) -> Any:
        if as_csv and as_json:
            raise click.UsageError("choose one of --csv and --json")
        if bom and not as_csv:
            raise click.UsageError("only CSV has a byte order mark; use --csv")
        return command(as_json=as_json, as_csv=as_csv, bom=bom, **arguments)

    decorated: Command = checked
    return click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")(bom_option(decorated))


def limit_option(default: int, text: str, minimum: int = 1) -> Callable[[Command], Command]:
    """Give a command ``-n``, in full ``--limit``; it is called with ``limit=``. ``text``: what is limited."""
    kind = click.IntRange(min=minimum)
    return click.option("-n", "--limit", "limit", type=kind, default=default, show_default=True, help=text)


class Value(click.ParamType[Any]):
    """A value of one of the kinds that settings have, such as ``30d`` or ``20GB``."""

    def __init__(self, kind: Kind) -> None:
        self.name, self._kind = kind.name, kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value in the units of settings: bytes, seconds."""
        try:
            return self._kind.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
