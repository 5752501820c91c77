"""``ingestd prune``: delete the indices that retention allows to delete, and say why."""

from __future__ import annotations

import dataclasses
import datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from ingestd.cli.common.backups import BackedUpStore, acting, opened_with_backups
from ingestd.cli.common.options import Value, json_option, store_options
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.lifecycle.lifecycle import Lifecycle, PruneResult
from ingestd.lifecycle.scheduler import free_bytes
from ingestd.settings import Settings
from ingestd.units import AGE, COUNT, SPACE, round_size

_RULES = {"max_age": "max_age", "max_size": "max_bytes", "max_indices": "max_indices", "keep_free": "keep_free"}
"""The rule of each option."""


@click.command()
@click.option("--max-age", type=Value(AGE), help="Delete indices whose day ended longer ago than this, such as 30d.")
@click.option("--max-size", type=Value(SPACE), help="Delete the oldest until the total is at most this, such as 20GB.")
@click.option("--max-indices", type=Value(COUNT), help="Delete the oldest until at most this many are left.")
@click.option("--keep-free", type=Value(SPACE), help="Delete the oldest until this much disk space is free.")
@click.option("--index", "pattern", help="Pattern of the indices to consider.  [default: setting retention.index]")
@click.option("--dry-run", is_flag=True, help="Delete nothing; say what would be deleted.")
@json_option
@store_options
def prune(settings: Settings, dry_run: bool, as_json: bool, pattern: str | None, **limits: Any) -> None:
    """Delete indices that are due, and say why each one goes or stays.

    The rules are the settings `retention`, or the options given here instead. Once there is a repository, nothing is
    deleted that is not in a verified backup. Restored and imported indices are kept for `restore.keep`, unless
    `--index` is more specific than `retention.index`.
    """
    with opened_with_backups(settings) as opened:
        work = _lifecycle(opened, pattern, limits)
        free = free_bytes(settings.data_dir) if opened.own else None
        if dry_run:
            results = [PruneResult(decision) for decision in work.plan(free)]
        else:
            with acting(settings, "prune", work.rules.index) as record:
                results = work.prune(free)
                record.text = "deleted: " + (
                    ", ".join(r.decision.info.index for r in results if r.deleted) or "nothing"
                )
                if errors := [f"{result.decision.info.index}: {result.error}" for result in results if result.error]:
                    record.fail("; ".join(errors))
    if as_json:
        write_json([_document(result, dry_run) for result in results])
    elif not results:
        click.echo(f"no index matches {work.rules.index}", err=True)
    else:
        write_table(("INDEX", "SIZE", "", "WHY"), [_row(result, dry_run) for result in results])
    if any(result.error for result in results):
        raise SystemExit(1)


def _lifecycle(opened: BackedUpStore, pattern: str | None, limits: dict[str, Any]) -> Lifecycle:
    """Return the lifecycle with the rules of the command line; if one is given, those of the settings do not count."""
    work = opened.lifecycle()
    if any(value is not None for value in limits.values()):
        given = {_RULES[option]: value for option, value in limits.items()}
        if given["keep_free"] is not None and not opened.own:
            raise click.UsageError(
                "--keep-free needs the built-in store: a server's free disk is unknown; use --max-size"
            )
        work.rules = dataclasses.replace(work.rules, **given)
    if pattern:
        if not fnmatchcase(work.rules.index, pattern):  # a pattern that is as wide as the usual one names no index
            work.keep_restored = datetime.timedelta()
        work.rules = dataclasses.replace(work.rules, index=pattern)
    return work


def _outcome(result: PruneResult, dry_run: bool) -> str:
    if result.error:
        return "FAILED"
    if result.decision.delete:
        return "would go" if dry_run else "deleted"
    return "held" if result.decision.held else "kept"


def _why(result: PruneResult) -> str:
    return result.error or result.decision.reason


def _row(result: PruneResult, dry_run: bool) -> tuple[str, str, str, str]:
    index = result.decision.info
    return index.index, round_size(index.bytes), _outcome(result, dry_run), _why(result)


def _document(result: PruneResult, dry_run: bool) -> dict[str, Any]:
    index = result.decision.info
    return {
        "index": index.index,
        "bytes": index.bytes,
        "events": index.events,
        "result": _outcome(result, dry_run).lower().replace(" ", "_"),
        "why": _why(result),
    }
