"""``ingestd deadletters``: list, show, replay and purge the events that could not be parsed or delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.dead_letters import (
    dead_letter_document,
    dead_letter_lines,
    group_document,
    group_heads,
    group_row,
)
from ingestd.cli.common.errors import config_errors, os_errors
from ingestd.cli.common.old_days import announce_old_days
from ingestd.cli.common.options import json_option, limit_option, pipeline_options, settings_options
from ingestd.cli.common.owner import recorded
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.dead_letters.dead_letter import STAGES, DeadLetter
from ingestd.dead_letters.groups import Selection, summarize
from ingestd.dead_letters.reader import DeadLetterLine, DeadLetterReader, DeadLettersBusyError, dead_letters_folder
from ingestd.event.timestamp import from_epoch
from ingestd.settings import Settings
from ingestd.units import counted, parse_duration

_NONE = "there are no dead letters"


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--group``, ``--stage`` and ``--reason``; it is called with ``groups``, ``stage``, ``reason``."""
    for decorate in (
        click.option("--reason", metavar="TEXT", help="Only those whose reason contains this, in any case."),
        click.option("--stage", type=click.Choice(STAGES), help="Only those that failed at this stage."),
        click.option("--group", "groups", multiple=True, metavar="GROUP", help="Only this group; repeatable."),
    ):
        command = decorate(command)
    return command


@click.group()
def deadletters() -> None:
    """Manage dead letters: events that could not be parsed or were rejected for good. The daemon may be running."""


@deadletters.command("list")
@settings_options("data_dir")
@json_option
def list_groups(settings: Settings, as_json: bool) -> None:
    """List the dead letters grouped by cause, most recent last."""
    unreadable = 0

    def readable() -> Iterator[DeadLetter]:
        nonlocal unreadable
        for found in _reader(settings).read():
            if found.dead_letter is None:
                unreadable += 1
            else:
                yield found.dead_letter

    with _disk_errors():
        groups = summarize(readable())
    if as_json:
        write_json([group_document(group) for group in groups])
    elif not groups:
        click.echo(_NONE, err=True)
    else:
        zone = settings.site_zone
        write_table(group_heads(zone), [group_row(group, zone) for group in groups], numbers=2, fit=True)
    if unreadable:
        lines = counted(unreadable, "line")
        click.echo(f"{lines} cannot be read as a dead letter; purge --all deletes them too", err=True)


@deadletters.command()
@click.argument("group", required=False)
@selection_options
@settings_options("data_dir")
@limit_option(20, "Show at most this many, newest first.")
@json_option
def show(  # noqa: PLR0913, PLR0917 -- click passes one argument for each option
    group: str | None,
    groups: tuple[str, ...],
    stage: str | None,
    reason: str | None,
    settings: Settings,
    limit: int,
    as_json: bool,
) -> None:
    """Show dead letters with their content, newest first: those of GROUP, as `list` names it, or all."""
    reader = _reader(settings)
    with _disk_errors():
        selection = _selection(reader, (*groups, group) if group else groups, stage, reason)
        selected = sorted(filter(selection, _dead_letters(reader)), key=lambda found: found.time, reverse=True)
    if as_json:
        for dead_letter in selected[:limit]:
            write_json(dead_letter_document(dead_letter))
        return
    if not selected:
        click.echo(_NONE if selection.everything else "no dead letters match", err=True)
    for dead_letter in selected[:limit]:
        click.echo("\n".join(dead_letter_lines(dead_letter, settings.site_zone)) + "\n")
    if len(selected) > limit:
        click.echo(f"{len(selected) - limit:,} more; see --limit", err=True)


@deadletters.command()
@selection_options
@settings_options("data_dir")
@click.option("--older-than", metavar="AGE", help="Only those older than this: 12h, 7d, 4w.")
@click.option("--all", "everything", is_flag=True, help="All of them, including lines that cannot be read.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def purge(  # noqa: PLR0913, PLR0917 -- click passes one argument for each option
    groups: tuple[str, ...],
    stage: str | None,
    reason: str | None,
    settings: Settings,
    older_than: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Delete dead letters for good.

    Dead letters that a running daemon adds in the meantime stay.
    """
    reader = _reader(settings)
    until = _time_before(older_than)
    with _disk_errors():
        selection = _selection(reader, groups, stage, reason)
        if everything == (not selection.everything or older_than is not None):
            raise click.UsageError("say which: --older-than, --group, --stage, --reason, or --all alone")

        def selected(found: DeadLetterLine) -> bool:
            dead_letter = found.dead_letter
            return everything if dead_letter is None else dead_letter.time <= until and selection(dead_letter)

        number = sum(map(selected, reader.read()))
        if not number:
            click.echo("no dead letters match; nothing was deleted", err=True)
            return
        if not yes:
            click.confirm(f"Delete {_count(number)} for good?", abort=True)
        target = selection.text + (f", older than {older_than}" if older_than else "")
        with reader.locked(), recorded(settings, "deadletters.purge", target) as record:
            record.text = f"{_count(reader.remove(selected))} deleted"
        click.echo(record.text)


@deadletters.command()
@selection_options
@pipeline_options
@settings_options()
def replay(  # noqa: PLR0913, PLR0917 -- click passes one argument for each option
    groups: tuple[str, ...],
    stage: str | None,
    reason: str | None,
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
    settings: Settings,
) -> None:
    """Send dead letters again, after the config or a mapping was fixed.

    Events go through the whole pipeline under their old ids, so nothing is stored twice; an event that an output had
    rejected goes to that output only. Delivered dead letters are deleted, those that fail again become new ones. Use
    the config of the daemon, with the same options as for `ingestd run`. Days older than retention.max_age stay for
    restore.keep, as after an import.

    Exit codes: 0 all were delivered; 1 some failed again or could not be sent; 2 wrong usage.
    """
    from ingestd.app.jobs.dead_letter_replay import replay_dead_letters  # noqa: PLC0415 -- the other commands need no pipeline
    from ingestd.supervisor.logs import set_up_logging  # noqa: PLC0415

    set_up_logging(settings.log_format, settings.log_level)
    reader = _reader(settings)
    if not reader.files():
        click.echo(_NONE, err=True)
        return
    with config_errors():
        configs = pipeline_configs(config_paths, config_string, named, settings)
        with _disk_errors():
            selection = _selection(reader, groups, stage, reason)
            with reader.locked(), recorded(settings, "deadletters.replay", selection.text) as record:
                announce = announce_old_days("replayed", settings)
                result = replay_dead_letters(settings, configs, reader, selection, announce)
                record.text, record.failed = result.text, not result.complete
    click.echo(result.text)
    if result.stopped:
        click.echo("stopped before the end; what was not sent is still there", err=True)
    if not result.complete:
        raise SystemExit(1)


def _reader(settings: Settings) -> DeadLetterReader:
    return DeadLetterReader(dead_letters_folder(settings.data_dir))


def _dead_letters(reader: DeadLetterReader) -> Iterator[DeadLetter]:
    return (found.dead_letter for found in reader.read() if found.dead_letter is not None)


def _selection(reader: DeadLetterReader, groups: tuple[str, ...], stage: str | None, reason: str | None) -> Selection:
    """Return the selection; raises ClickException if one of the groups does not exist."""
    if groups:
        known = {summary.group.id for summary in summarize(_dead_letters(reader))}
        if missing := next((group for group in groups if group not in known), None):
            raise click.ClickException(f"there is no group {missing!r}; see ingestd deadletters list")
    return Selection(groups, stage, reason)


def _time_before(age: str | None) -> str:
    """Return the time ``age`` ago, now if it is None."""
    try:
        return from_epoch(time.time() - (parse_duration(age) if age is not None else 0))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None


def _count(number: int) -> str:
    return counted(number, "dead letter")


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn errors of the disk, or a lock that another command holds, into a one-line message and exit code 1."""
    try:
        with os_errors("the dead letters"):
            yield
    except DeadLettersBusyError as error:
        raise click.ClickException(str(error)) from None
