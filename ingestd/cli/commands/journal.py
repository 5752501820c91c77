"""``ingestd journal``: look at the queue on disk, check it, take the raw lines out. Changes nothing, needs no lock."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ingestd.cli.common import tables
from ingestd.cli.common.disk import told
from ingestd.cli.common.flags import settings_options
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch_ns
from ingestd.journal.base import Repair
from ingestd.journal.folders import journal_folders
from ingestd.journal.positions import load_positions
from ingestd.journal.survey import Survey, look, survey
from ingestd.settings import Settings
from ingestd.units import round_size

_SETTLE_S = 0.2
"""How long a write that is under way may take until its record is called torn."""

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_worker = click.option("--worker", metavar="NAME", help="Only this worker's journal.  [default: all]")


@click.group()
def journal() -> None:
    """Look at the journals, the queues on disk between inputs and outputs. The daemon may go on meanwhile."""


@journal.command("inspect")
@settings_options("data_dir")
@_worker
@_json
def inspect_journal(settings: Settings, worker: str | None, as_json: bool) -> None:
    """Show what each worker's journal holds, and what each output has still before it."""
    with told("the journal"):
        found = [survey(folder, _settle) for folder in _folders(settings, worker)]
    if as_json:
        click.echo(dumps([_document(one) for one in found]))
        return
    for one in found:
        click.echo("\n".join(_summary(one)))


@journal.command()
@settings_options("data_dir")
@_worker
def verify(settings: Settings, worker: str | None) -> None:
    """Read every record and compare its checksum; exit code 1 if something is wrong, and where it is."""
    wrong = 0
    for folder in _folders(settings, worker):
        with told("the journal"):
            found = survey(folder, _settle)
        for fault in found.faults:
            click.echo(f"{found.worker}: {fault}")
        wrong += len(found.faults)
        size = round_size(found.bytes)
        click.echo(f"{found.worker}: {found.records:,} good records, {found.events:,} events, {size}", err=True)
    if wrong:
        raise SystemExit(1)


@journal.command()
@settings_options("data_dir")
@_worker
@click.option("--output", metavar="FILE", type=click.File("wb"), default="-", help="Where to.  [default: stdout]")
@click.option("--waiting", is_flag=True, help="Only what some output has not taken yet, not all that is still there.")
def export(settings: Settings, worker: str | None, output: BinaryIO, waiting: bool) -> None:
    """Write the raw lines as they were received; exit code 1 if a part could not be read."""
    wrong = 0
    for folder in _folders(settings, worker):
        with told("the journal"):
            after = _least_position(folder) if waiting else 0
            for one in look(folder, _settle):
                if isinstance(one, Repair):
                    click.echo(f"{folder.name}: {one}", err=True)
                    wrong += 1
                elif one.entry.end.offset > after and (data := one.entry.record.data):
                    output.write(data if data.endswith(b"\n") else data + b"\n")
            output.flush()
    if wrong:
        raise SystemExit(1)


def _settle() -> None:
    time.sleep(_SETTLE_S)


def _folders(settings: Settings, worker: str | None) -> list[Path]:
    with told("the journal"):
        folders = journal_folders(settings.data_dir)
    if worker is not None and worker not in [folder.name for folder in folders]:
        known = ", ".join(folder.name for folder in folders) or "none"
        raise click.ClickException(f"there is no journal of a worker {worker!r}; there are: {known}")
    if not folders:
        click.echo(f"there is no journal in {settings.data_dir}", err=True)
    return [folder for folder in folders if worker in (None, folder.name)]


def _least_position(folder: Path) -> int:
    loaded = load_positions(folder)
    return min((one.position.offset for one in loaded.commits.values()), default=0) if loaded else 0


def _document(one: Survey) -> dict[str, object]:
    return {
        "worker": one.worker,
        "segments": one.segments,
        "bytes": one.bytes,
        "records": one.records,
        "events": one.events,
        "raw_bytes": one.raw_bytes,
        "oldest": None if one.oldest_ns is None else from_epoch_ns(one.oldest_ns),
        "newest": None if one.newest_ns is None else from_epoch_ns(one.newest_ns),
        "connections": one.connections,
        "outputs": {
            name: {"events": pending.events, "bytes": pending.bytes, "state": one.states[name]}
            for name, pending in one.consumers.items()
        },
        "faults": [{**fault._asdict(), "text": str(fault)} for fault in one.faults],
        "set_aside": one.set_aside,
    }


def _summary(one: Survey) -> Iterator[str]:
    yield f"{one.worker}: {one.events:,} events in {one.records:,} records of {one.connections:,} connections"
    yield f"  {round_size(one.bytes)} in {one.segments:,} files, {round_size(one.raw_bytes)} as received"
    if one.oldest_ns is not None and one.newest_ns is not None:
        yield f"  received from {_local_time(one.oldest_ns)} to {_local_time(one.newest_ns)}"
    rows = [(name, f"{events:,}", round_size(size)) for name, (events, size) in one.consumers.items()]
    if rows:
        yield from ("  " + line for line in tables.table(("OUTPUT", "EVENTS WAITING", "SIZE"), rows, None, numbers=2))
    yield from (f"  {fault}" for fault in one.faults)
    if one.set_aside:
        yield f"  set aside by repairs: {', '.join(one.set_aside)}"


def _local_time(ns: int) -> str:
    return datetime.datetime.fromtimestamp(ns // 10**9).astimezone().isoformat(" ", "seconds")
