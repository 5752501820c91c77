"""``ingestd prune``: delete the indices that may go, and say of each why it stays or goes."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.flags import Value, settings_options
from ingestd.cli.common.lifecycle import Opened, alone, opened
from ingestd.event.jsontext import dumps
from ingestd.lifecycle.retention import Decision
from ingestd.lifecycle.scheduler import free_bytes
from ingestd.lifecycle.work import Lifecycle, Pruned
from ingestd.settings import Settings
from ingestd.units import COUNT, DURATION, SIZE, round_size


@click.command()
@click.option("--max-age", type=Value(DURATION), help="Delete indices of days that began so long ago, such as 30d.")
@click.option("--max-size", type=Value(SIZE), help="Delete the oldest until all take no more than this, such as 20GB.")
@click.option("--max-indices", type=Value(COUNT), help="Delete the oldest until so many are left.")
@click.option("--keep-free", type=Value(SIZE), help="Delete the oldest until so much of the disk is free.")
@click.option("--index", "pattern", help="Pattern of the indices to look at.  [default: setting retention.index]")
@click.option("--dry-run", is_flag=True, help="Delete nothing, say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("data_dir", "store", "elasticsearch")
def prune(settings: Settings, dry_run: bool, as_json: bool, pattern: str | None, **limits: Any) -> None:
    """Delete the indices that retention lets go, and say of each why.

    The rules are those of the settings `retention`, or those that are given here instead. Where a repository for
    backups is set up, nothing goes that is not in a backup which was read again and found whole.
    """
    with opened(settings) as where:
        work = _work(where, pattern, limits)
        free = free_bytes(settings.data_dir) if where.own else None
        if dry_run:
            done = [Pruned(one) for one in work.plan(free)]
        else:
            with alone(settings):
                done = work.prune(free)
    if as_json:
        click.echo(dumps([_document(one, dry_run) for one in done]))
    elif not done:
        click.echo(f"no index matches {work.rules.index}", err=True)
    else:
        rows = [
            (one.decision.info.index, round_size(one.decision.info.bytes), _fate(one, dry_run), _why(one))
            for one in done
        ]
        for line in tables.table(("INDEX", "SIZE", "", "WHY"), rows, None, numbers=0):
            click.echo(line.rstrip())
    if any(one.error for one in done):
        raise SystemExit(1)


def _work(where: Opened, pattern: str | None, limits: dict[str, Any]) -> Lifecycle:
    """Return the work with the rules of the command line: if one is given, those of the settings do not count."""
    work = where.lifecycle()
    if any(value is not None for value in limits.values()):
        names = {"max_age": "max_age", "max_size": "max_bytes", "max_indices": "max_indices", "keep_free": "keep_free"}
        given = {names[option]: value for option, value in limits.items()}
        if given["keep_free"] is not None and not where.own:
            raise click.UsageError("--keep-free: how much of a server's disk is free is not known; use --max-size")
        work.rules = dataclasses.replace(work.rules, **given)
    if pattern:
        work.rules = dataclasses.replace(work.rules, index=pattern)
    return work


def _fate(one: Pruned, dry_run: bool) -> str:
    if one.error:
        return "FAILED"
    if one.decision.delete:
        return "would go" if dry_run else "deleted"
    return "held" if one.decision.held else "kept"


def _why(one: Pruned) -> str:
    return one.error or one.decision.why


def _document(one: Pruned, dry_run: bool) -> dict[str, Any]:
    decision: Decision = one.decision
    return {
        "index": decision.info.index,
        "bytes": decision.info.bytes,
        "events": decision.info.events,
        "result": _fate(one, dry_run).lower().replace(" ", "_"),
        "why": _why(one),
    }
