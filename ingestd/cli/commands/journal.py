"""``ingestd journal``: inspect, verify and export the queue on disk. Changes nothing, needs no lock."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.errors import check_overwrite, os_errors
from ingestd.cli.common.options import json_option, overwrite_option, settings_options
from ingestd.cli.common.terminal import write_json
from ingestd.cli.common.times import local_time, zone_note
from ingestd.event.timestamp import from_epoch_ns
from ingestd.journal.base import Repair
from ingestd.journal.folders import copy_folder, journal_folders
from ingestd.journal.positions import load_positions, or_copy
from ingestd.journal.survey import Survey, look, survey
from ingestd.settings import Settings
from ingestd.units import counted, round_size

_RETRY_S = 0.2
"""How long a write in progress may take before its record counts as torn."""

_worker_option = click.option("--worker", metavar="NAME", help="Only this worker's journal.  [default: all]")


@click.group()
def journal() -> None:
    """Inspect the journals, the queues on disk between inputs and outputs. The daemon may be running."""


@journal.command("inspect")
@settings_options("data_dir")
@_worker_option
@json_option
def inspect_journal(settings: Settings, worker: str | None, as_json: bool) -> None:
    """Show what each worker's journal holds, and what is still waiting for each output."""
    with os_errors("the journal"):
        found = [survey(folder, _pause_before_retry) for folder in _folders(settings, worker)]
    if as_json:
        write_json([_document(journal) for journal in found])
        return
    for journal in found:
        click.echo("\n".join(_summary(journal, settings.site_zone)))


@journal.command()
@settings_options("data_dir")
@_worker_option
def verify(settings: Settings, worker: str | None) -> None:
    """Read every record and compare its checksum. Prints where records are damaged; exit code 1 if any are."""
    errors = 0
    for folder in _folders(settings, worker):
        with os_errors("the journal"):
            found = survey(folder, _pause_before_retry)
        for fault in found.faults:
            click.echo(f"{found.worker}: {fault}")
        errors += len(found.faults)
        size = round_size(found.bytes)
        records, events = counted(found.records, "good record"), counted(found.events, "event")
        click.echo(f"{found.worker}: {records}, {events}, {size}", err=True)
    if errors:
        raise SystemExit(1)


@journal.command()
@settings_options("data_dir")
@_worker_option
@click.option("--output", "-o", metavar="FILE", default="-", help="Output file; - is stdout.  [default: -]")
@click.option("--waiting", is_flag=True, help="Only lines that are still waiting for an output.")
@overwrite_option
def export(settings: Settings, worker: str | None, output: str, waiting: bool, overwrite: bool) -> None:
    """Write the raw lines as they were received; exit code 1 if some could not be read."""
    if output != "-":
        check_overwrite(Path(output), overwrite=overwrite)
    with os_errors(output), click.open_file(output, "wb") as file:
        errors = _write_lines(settings, worker, file, waiting=waiting)
    if errors:
        raise SystemExit(1)


def _write_lines(settings: Settings, worker: str | None, output: IO[Any], *, waiting: bool) -> int:
    """Write the lines; return how many records could not be read."""
    errors = 0
    for folder in _folders(settings, worker):
        with os_errors("the journal"):
            after = _lowest_position(folder) if waiting else 0
            for item in look(folder, _pause_before_retry):
                if isinstance(item, Repair):
                    click.echo(f"{folder.name}: {item}", err=True)
                    errors += 1
                elif item.entry.end.offset > after and (data := item.entry.chunk.data):
                    output.write(data if data.endswith(b"\n") else data + b"\n")
            output.flush()
    return errors


def _pause_before_retry() -> None:
    time.sleep(_RETRY_S)


def _folders(settings: Settings, worker: str | None) -> list[Path]:
    with os_errors("the journal"):
        folders = journal_folders(settings.data_dir)
    if worker is not None and worker not in [folder.name for folder in folders]:
        known = ", ".join(folder.name for folder in folders) or "none"
        raise click.ClickException(f"worker {worker!r} has no journal; workers with one: {known}")
    if not folders:
        click.echo(f"there is no journal in {settings.data_dir}", err=True)
    return [folder for folder in folders if worker in (None, folder.name)]


def _lowest_position(folder: Path) -> int:
    loaded = or_copy(load_positions(folder), copy_folder(folder))
    return min((commit.position.offset for commit in loaded.commits.values()), default=0) if loaded else 0


def _document(journal: Survey) -> dict[str, object]:
    return {
        "worker": journal.worker,
        "segments": journal.segments,
        "bytes": journal.bytes,
        "records": journal.records,
        "events": journal.events,
        "raw_bytes": journal.raw_bytes,
        "oldest": None if journal.oldest_ns is None else from_epoch_ns(journal.oldest_ns),
        "newest": None if journal.newest_ns is None else from_epoch_ns(journal.newest_ns),
        "connections": journal.connections,
        "outputs": {
            name: {"events": pending.events, "bytes": pending.bytes, "state": journal.states[name]}
            for name, pending in journal.consumers.items()
        },
        "faults": [{**fault._asdict(), "text": str(fault)} for fault in journal.faults],
        "set_aside": journal.set_aside,
    }


def _summary(found: Survey, zone: datetime.tzinfo | None) -> Iterator[str]:
    records, connections = counted(found.records, "record"), counted(found.connections, "connection")
    yield f"{found.worker}: {counted(found.events, 'event')} in {records} of {connections}"
    yield f"  {round_size(found.bytes)} in {counted(found.segments, 'file')}, {round_size(found.raw_bytes)} as received"
    if found.oldest_ns is not None and found.newest_ns is not None:
        oldest, newest = (local_time(from_epoch_ns(ns), "seconds", zone) for ns in (found.oldest_ns, found.newest_ns))
        yield f"  received from {oldest} to {newest}{zone_note(zone)}"
    rows = [(name, f"{events:,}", round_size(size)) for name, (events, size) in found.consumers.items()]
    if rows:
        yield from ("  " + line for line in tables.table(("OUTPUT", "EVENTS WAITING", "SIZE"), rows, None, numbers=2))
    yield from (f"  {fault}" for fault in found.faults)
    if found.set_aside:
        yield f"  set aside by repairs: {', '.join(found.set_aside)}"
