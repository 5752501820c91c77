"""``ingestd deadletters``: look at the events that nothing could be done with, send them again, delete them."""

from __future__ import annotations

import datetime
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingestd.app.pipelines import pipeline_configs, pipeline_options
from ingestd.cli.common import tables
from ingestd.cli.common.errors import os_errors
from ingestd.cli.common.options import json_option, settings_options
from ingestd.config.errors import ConfigErrors
from ingestd.dead_letters.dead_letter import STAGES, DeadLetter, Group
from ingestd.dead_letters.reader import BusyError, DeadLetterReader, Found, letters_folder
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch
from ingestd.settings import Settings
from ingestd.units import parse_duration, round_size

_NONE = "there are no dead letters"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters a command is about; what is empty does not restrict."""

    groups: tuple[str, ...]
    stage: str | None
    reason: str | None

    def __call__(self, letter: DeadLetter) -> bool:
        """Return whether a letter is meant."""
        return (
            (not self.groups or letter.group.id in self.groups)
            and self.stage in (None, letter.stage)
            and (self.reason is None or self.reason.lower() in f"{letter.reason}\n{letter.detail}".lower())
        )

    @property
    def everything(self) -> bool:
        """Whether it restricts nothing."""
        return not self.groups and self.stage is None and self.reason is None


@dataclass(slots=True)
class _Line:
    """A line of the list: what a group adds up to."""

    group: Group
    letters: int
    bytes: int
    first: str
    last: str
    sample: str


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--group``, ``--stage`` and ``--reason``; it is called with ``groups``, ``stage``, ``reason``."""
    for decorate in (
        click.option("--reason", metavar="TEXT", help="Only those with this in their reason, in any case."),
        click.option("--stage", type=click.Choice(STAGES), help="Only those given up there."),
        click.option("--group", "groups", multiple=True, metavar="GROUP", help="Only this group; may be repeated."),
    ):
        command = decorate(command)
    return command


@click.group()
def deadletters() -> None:
    """Look at dead letters: events that could not be read or were refused for good. The daemon may go on meanwhile."""


@deadletters.command("list")
@settings_options("data_dir")
@json_option
def list_letters(settings: Settings, as_json: bool) -> None:
    """List the dead letters, those with the same cause together, the most recent last."""
    with _disk():
        lines, unreadable = _groups(_box(settings))
    if as_json:
        click.echo(dumps([_document(one) for one in lines]))
    elif not lines:
        click.echo(_NONE, err=True)
    else:
        heads = ("REASON", "GROUP", "STAGE", "PLUGIN", "FIRST", "LAST", "LETTERS", "SIZE")
        for line in tables.table(heads, map(_cells, lines), _screen_cells(), numbers=2):
            click.echo(line)
    _tell_unreadable(unreadable)


@deadletters.command()
@click.argument("group", required=False)
@choice_options
@settings_options("data_dir")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest.")
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
    """Show dead letters with their text, the newest first; of GROUP as `list` names it, or of all."""
    box = _box(settings)
    with _disk():
        choice = _choice(box, (*groups, group) if group else groups, stage, reason)
        chosen = [one for one in _letters(box) if choice(one)]
        chosen.sort(key=lambda one: one.time, reverse=True)
    if as_json:
        for letter in chosen[:limit]:
            click.echo(dumps(_whole(letter)))
        return
    if not chosen:
        click.echo(_NONE if choice.everything else "no dead letters match", err=True)
    for letter in chosen[:limit]:
        click.echo("\n".join(_told(letter)) + "\n")
    if len(chosen) > limit:
        click.echo(f"{len(chosen) - limit:,} more; see --limit", err=True)


@deadletters.command()
@choice_options
@settings_options("data_dir")
@click.option("--older-than", metavar="AGE", help="Only those that are older than this: 12h, 7d, 4w.")
@click.option("--all", "everything", is_flag=True, help="All of them, also what cannot be read.")
@click.option("--yes", is_flag=True, help="Do not ask.")
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

    A daemon may add letters meanwhile: those stay.
    """
    box = _box(settings)
    until = _moment(older_than)
    with _disk():
        choice = _choice(box, groups, stage, reason)
        if everything == (not choice.everything or older_than is not None):
            raise click.UsageError("say which: --older-than, --group, --stage, --reason, or --all alone")

        def gone(found: Found) -> bool:
            letter = found.letter
            return everything if letter is None else letter.time <= until and choice(letter)

        number = sum(map(gone, box.read()))
        if not number:
            click.echo("no dead letters match; nothing was deleted", err=True)
            return
        if not yes:
            click.confirm(f"Delete {_many(number)} for good?", abort=True)
        with box.taken():
            click.echo(f"{_many(box.remove(gone))} deleted")


@deadletters.command()
@choice_options
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
    """Send dead letters again, after the config or a mapping was mended.

    What was received goes through the whole pipeline under its old id, so that nothing is stored twice. An event that
    an output had refused goes to that output only. Letters that are delivered are deleted; those that are refused
    again become new ones. Give the config that the daemon runs with, as for `ingestd run`.

    Exit codes: 0 all that was chosen was sent; 1 some are dead again, or could not be sent; 2 wrong usage.
    """
    from ingestd.app.dead_letter_replay import replay_letters  # noqa: PLC0415 -- the others need no pipeline
    from ingestd.supervisor.logs import set_up_logging  # noqa: PLC0415

    set_up_logging(settings.log_format, settings.log_level)
    box = _box(settings)
    try:
        configs = pipeline_configs(config_paths, config_string, named, settings)
        with _disk():
            choice = _choice(box, groups, stage, reason)
            with box.taken():
                code = replay_letters(settings, configs, box, choice)
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        code = 1
    raise SystemExit(code)


def _box(settings: Settings) -> DeadLetterReader:
    return DeadLetterReader(letters_folder(settings.data_dir))


def _choice(box: DeadLetterReader, groups: tuple[str, ...], stage: str | None, reason: str | None) -> Choice:
    """Return the choice; raises ClickException if there is no such group."""
    if groups:
        known = {line.group.id for line in _groups(box)[0]}
        for group in groups:
            if group not in known:
                raise click.ClickException(f"there is no group {group!r}; see ingestd deadletters list")
    return Choice(groups, stage, reason)


def _moment(older_than: str | None) -> str:
    try:
        return from_epoch(time.time() - (parse_duration(older_than) if older_than is not None else 0))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None


def _letters(box: DeadLetterReader) -> Iterator[DeadLetter]:
    return (found.letter for found in box.read() if found.letter is not None)


def _groups(box: DeadLetterReader) -> tuple[list[_Line], int]:
    """Return the groups by the time of their newest letter, and how many lines are no letters."""
    lines: dict[Group, _Line] = {}
    unreadable = 0
    for _, letter in box.read():
        if letter is None:
            unreadable += 1
            continue
        line = lines.get(letter.group)
        if line is None:
            sample = letter.detail or letter.reason
            line = lines[letter.group] = _Line(letter.group, 0, 0, letter.time, letter.time, sample)
        line.letters += 1
        line.bytes += letter.size
        line.first, line.last = min(line.first, letter.time), max(line.last, letter.time)
    return sorted(lines.values(), key=lambda line: line.last), unreadable


def _document(line: _Line) -> dict[str, Any]:
    return {
        "group": line.group.id,
        **line.group._asdict(),
        "letters": line.letters,
        "bytes": line.bytes,
        "first": line.first,
        "last": line.last,
        "sample": line.sample,
    }


def _cells(line: _Line) -> tuple[str, ...]:
    stage, plugin, reason = line.group
    times = (_local_time(line.first), _local_time(line.last))
    return reason, line.group.id, stage, plugin, *times, f"{line.letters:,}", round_size(line.bytes)


def _whole(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as JSON for people: bytes as text beside the base64 that is exact."""
    import msgspec  # noqa: PLC0415

    parts: dict[str, Any] = msgspec.to_builtins(letter)
    return {"group": letter.group.id, **parts, "text": letter.refused.decode("utf-8", "replace")}


def _told(letter: DeadLetter) -> Iterator[str]:
    """Return a letter as lines of text that cannot steer a terminal."""
    yield tables.printable(f"{_local_time(letter.time)}  {letter.stage}  {letter.plugin}  {letter.group.id}")
    yield tables.printable(f"  reason    {letter.detail or letter.reason}")
    where = f"{letter.origin} at byte {letter.offset}" if letter.offset is not None else letter.origin
    sender = ":".join(str(value) for value in letter.fields.values())
    names = {
        "from": ", ".join(part for part in (letter.pipeline, letter.input, where, sender) if part),
        "id": letter.document_id or letter.id,
        "index": letter.index,
        "config": letter.config,
    }
    for name, value in names.items():
        if value:
            yield tables.printable(f"  {name:<9} {value}")
    if letter.raw:
        yield from _text("received", letter.content, letter.size)
    if letter.document:
        yield from _text("document", letter.refused, len(letter.refused))


def _text(name: str, data: bytes, size: int) -> Iterator[str]:
    cut = f" (the first {len(data):,} of {size:,} bytes)" if size > len(data) else ""
    lines = data.decode("utf-8", "replace").rstrip("\r\n").split("\n")
    yield f"  {name:<9}{cut} " + tables.printable(lines[0])
    yield from ("    " + tables.printable(line) for line in lines[1:])


def _tell_unreadable(number: int) -> None:
    if number:
        lines = "1 line" if number == 1 else f"{number:,} lines"
        click.echo(f"{lines} cannot be read as a letter; purge --all deletes that too", err=True)


def _many(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number:,} dead letters"


def _local_time(time_text: str) -> str:
    try:
        moment = datetime.datetime.fromisoformat(time_text).astimezone()
    except ValueError:
        return tables.printable(time_text)
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def _screen_cells() -> int | None:
    """Return the width of the terminal, None if stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def _disk() -> Iterator[None]:
    """Make one sentence and exit code 1 of what the disk, or another command, refuses."""
    try:
        with os_errors("the dead letters"):
            yield
    except BusyError as error:
        raise click.ClickException(str(error)) from None
