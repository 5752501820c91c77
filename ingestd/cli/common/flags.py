"""Flags of commands, made from the declared list of settings: ``--port``, ``--data-dir`` ..."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ingestd.settings import SETTINGS, Setting, SettingsError, find_settings_file, load_settings
from ingestd.units import Kind

Command = Callable[..., Any]


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Give a command ``--settings`` and the flags of the settings ``names`` (none named: of all).

    The command is called with ``settings=``, the settings in force out of file, environment and flags; wrong
    ones end it with exit code 2 and all mistakes on stderr.
    """
    chosen = [SETTINGS[name] for name in names or SETTINGS]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_settings(settings_file: str | None, **arguments: Any) -> Any:
            flags = {one.name: arguments.pop(_parameter(one)) for one in chosen}
            try:
                settings = load_settings(find_settings_file(settings_file), flags=flags)
            except SettingsError as error:
                click.echo(error, err=True)
                raise SystemExit(2) from None
            return command(settings=settings, **arguments)

        decorated: Command = with_settings
        for one in reversed(chosen):
            decorated = click.option(one.flag, _parameter(one), metavar=_metavar(one), help=_help(one))(decorated)
        return click.option("--settings", "settings_file", metavar="FILE", help="Settings file (TOML).")(decorated)

    return decorate


def _parameter(one: Setting) -> str:
    return "setting_" + one.name.replace(".", "_")


def _metavar(one: Setting) -> str:
    name = one.kind.name
    return f"[{name.replace(' ', '')}]" if "|" in name else name.split(" or ")[0].upper()


def _help(one: Setting) -> str:
    return f"{one.doc} [default: {one.shown_default}]" if one.shown_default else one.doc


class Value(click.ParamType[Any]):
    """A value of a kind that settings have, such as ``30d`` or ``20GB``."""

    def __init__(self, kind: Kind) -> None:
        self.name, self._kind = kind.name, kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value in units of the settings: bytes, seconds."""
        try:
            return self._kind.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
