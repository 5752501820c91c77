"""``ingestd audit``: is every event accounted for? Reads the ledgers of the journals; changes nothing."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.options import json_option, settings_options
from ingestd.cli.common.times import Day
from ingestd.event.jsontext import dumps
from ingestd.pipeline.audit import Account, IndexCount, accounts, of_day, overall
from ingestd.settings import Settings
from ingestd.stores.base import StoreError

_SETTLE_S = 0.2
"""How long a write of the daemon may take before what it writes counts as missing."""

_COLUMNS = ("received", "delivered", "duplicates", "dead", "dropped", "queued")
_RARE_COLUMNS = ("created", "elsewhere", "difference")
"""Shown only if one of them is not 0."""

_EXPLAINED = (
    "found but not delivered by the daemon: {:,} (imports, restored days, other programs: they have no account)"
)

_TO_PIPELINES = "pipeline"
"""The output that hands events over; its ledger counts them by address."""

_NOTHING = "there is nothing to audit: only a config with an input that listens, or with the input file, keeps accounts"


@click.command()
@settings_options("data_dir")
@click.option("--day", type=Day(), help="Only events received on this day: 2026-11-22, today, yesterday.")
@click.option("--store", "url", metavar="URL", help="Also count the indices of this Elasticsearch or OpenSearch.")
@click.option(
    "--deep", is_flag=True, help="Also compare stored files with their checksums, and look for events stored twice."
)
@json_option
def audit(settings: Settings, day: datetime.date | None, url: str | None, deep: bool, as_json: bool) -> None:
    """Check that every event is accounted for; exit code 1 if not.

    Received must equal delivered + duplicates + dead + dropped + queued, for each input, day and output, over all
    restarts. Days are those of the setting index_timezone, which the data folder remembers. Delivered events are
    compared with what the indices hold: with the files, not with what a manifest says. Damaged files are named. An
    output that was taken out of the config keeps its account, marked as removed; it goes on when an output with the
    same id comes back, without what was received meanwhile.

    An event that one pipeline sends to another is in the accounts of both: delivered by the first, received by the
    second.

    It covers everything that went through a journal: all inputs of a config that listens on something or reads files.
    A config with only the inputs stdin and generator runs without a journal, and is not accounted for.
    """
    try:
        # before the indices, which only grow
        found = accounts(settings.data_dir, lambda: time.sleep(_SETTLE_S), settings.index_zone)
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the journal'}: {error.strerror}") from None
    indices = _index_counts(found, settings, url, day, deep=deep)
    if day is not None:
        found = [of_day(account, day.isoformat()) for account in found]
    balanced = not any(account.total.difference for account in found) and all(index.balanced for index in indices)
    if as_json:
        click.echo(dumps(_document(found, indices, balanced)))
    else:
        for line in _report(found, indices, balanced):
            click.echo(line)
    if not balanced:
        raise SystemExit(1)


def _index_counts(
    found: list[Account], settings: Settings, url: str | None, day: datetime.date | None, *, deep: bool
) -> list[IndexCount]:
    from ingestd.app.index_counts import index_counts  # noqa: PLC0415 -- imports the stores, which takes long

    try:
        return index_counts(found, settings.data_dir, url, day, deep=deep)
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _document(found: list[Account], indices: list[IndexCount], balanced: bool) -> dict[str, Any]:
    counts = [
        {
            "index": index.name,
            "delivered": index.delivered,
            "found": index.found,
            "missing": index.missing,
            **({"deleted": index.deleted} if index.deleted else {}),
            **({"repeated": index.repeated} if index.repeated else {}),
            **({"faults": list(index.faults)} if index.faults else {}),
        }
        for index in indices
    ]
    outputs = [_account_document(account) for account in found]
    return overall(found).document() | {"balanced": balanced, "outputs": outputs, "indices": counts}


def _account_document(account: Account) -> dict[str, Any]:
    days = [
        {"day": day, "input": input_} | tally.document() for (day, input_), tally in sorted(account.tallies.items())
    ]
    return (
        {"pipeline": account.pipeline, "output": account.output, "lost": account.lost}
        | ({"removed": True} if account.removed else {})
        | account.total.document()
        | ({"addresses": addresses} if (addresses := _addresses(account)) else {})
        | {"days": days}
    )


def _report(found: list[Account], indices: list[IndexCount], balanced: bool) -> Iterator[str]:
    if any(account.tallies for account in found):
        yield from _account_table(found)
        yield from _drops(found)
        yield from _handed_over(found)
        yield ""
    if indices:
        yield from _index_table(indices)
        if more := [index for index in indices if index.more]:
            yield _EXPLAINED.format(sum(index.more for index in more))
        yield ""
    yield from _verdict(found, indices, balanced)


def _account_table(found: list[Account]) -> Iterator[str]:
    several = len({account.pipeline for account in found if account.tallies}) > 1
    rows = [
        (_name(account, with_pipeline=several), *key, tally.document())
        for account in found
        for key, tally in sorted(account.tallies.items())
    ]
    columns = [*_COLUMNS, *(name for name in _RARE_COLUMNS if any(counts[name] for *_, counts in rows))]
    lines = [(*cells, *(f"{counts[name]:,}" for name in columns)) for *cells, counts in rows]
    heads = ("OUTPUT", "DAY", "INPUT", *(name.upper() for name in columns))
    yield from tables.table(heads, lines, None, numbers=len(columns))


def _name(account: Account, *, with_pipeline: bool) -> str:
    name = f"{account.pipeline}/{account.output}" if with_pipeline else account.output
    return f"{name} (removed)" if account.removed else name


def _drops(found: list[Account]) -> Iterator[str]:
    for account in found:
        if dropped := account.total.dropped:
            parts = ", ".join(f"{name} {number:,}" for name, number in sorted(dropped.items()))
            yield f"dropped on the way to {account.output}: {parts}"


def _handed_over(found: list[Account]) -> Iterator[str]:
    for account in found:
        if addresses := _addresses(account):
            parts = ", ".join(f"{name} {number:,}" for name, number in sorted(addresses.items()))
            yield f"{account.pipeline}/{account.output} handed over to other pipelines, by address: {parts}"


def _addresses(account: Account) -> dict[str, int]:
    """Return how many events the output ``pipeline`` has handed over to each address."""
    return dict(account.indices) if account.plugin == _TO_PIPELINES else {}


def _index_table(indices: Sequence[IndexCount]) -> Iterator[str]:
    deleted = any(index.deleted for index in indices)
    heads = ("INDEX", "DELIVERED", "FOUND", *(["DELETED"] if deleted else []), "MISSING")
    rows = [_index_row(index, deleted=deleted) for index in indices]
    yield from tables.table(heads, rows, None, numbers=len(heads) - 1)


def _index_row(index: IndexCount, *, deleted: bool) -> tuple[str, ...]:
    gone = "closed" if index.closed else "deleted"
    found = gone if index.found is None else f"{index.found:,}"
    before = [f"{index.deleted:,}"] if deleted else []
    return (index.name, f"{index.delivered:,}", found, *before, f"{index.missing:,}")


def _verdict(found: Sequence[Account], indices: Iterable[IndexCount], balanced: bool) -> Iterator[str]:
    if balanced:
        yield "everything adds up" if found else _NOTHING
        return
    for account in found:
        name, lost = f"{account.pipeline}/{account.output}", account.lost
        difference = account.total.difference - lost
        if lost:
            yield f"{name}: {lost:,} received events were lost with a damaged or missing part of the journal"
        if difference > 0:
            yield f"{name}: {difference:,} received events are not accounted for"
        elif difference < 0:
            yield f"{name}: {-difference:,} more events are accounted for than were received"
    for index in indices:
        if index.missing:
            yield f"index {index.name}: {index.missing:,} of {index.delivered:,} delivered events are missing"
        if index.repeated:
            yield f"index {index.name}: {index.repeated:,} events are there more than once"
        yield from (f"index {index.name}: {fault}" for fault in index.faults)
