"""``ingestd audit``: is every event accounted for? Reads the ledgers of the journals; changes nothing."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.options import json_option, settings_options
from ingestd.cli.common.terminal import write_json
from ingestd.cli.common.times import Day
from ingestd.cli.daemons.fleet_report import audit_fleet, index_table
from ingestd.pipeline.audit import TO_PIPELINES, Account, IndexCount, accounts, accounts_document, of_day
from ingestd.settings import Settings
from ingestd.stores.base import StoreError

_RETRY_S = 0.2
"""How long a write of the daemon may take before what it writes counts as missing."""

_COLUMNS = ("received", "delivered", "duplicates", "dead", "dropped", "queued")
_RARE_COLUMNS = ("created", "elsewhere", "difference")
"""Shown only if one of them is not 0."""

_EXPLAINED = (
    "found but not delivered by the daemon: {:,} (imports, restored days, other programs: they have no account)"
)

_NOTHING = (
    "there is nothing to audit: accounts are kept for each output of a config that has an input that listens, or the "
    "input file"
)


@click.command()
@settings_options("data_dir", "http_token_file")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--fleet", is_flag=True, help="Add up the accounts of the daemons at these hosts, over HTTP.")
@click.option("--day", type=Day(), help="Only events received on this day: 2026-11-22, today, yesterday.")
@click.option("--store", "url", metavar="URL", help="Also count the indices of this Elasticsearch or OpenSearch.")
@click.option(
    "--deep", is_flag=True, help="Also compare stored files with their checksums, and look for events stored twice."
)
@json_option
def audit(  # noqa: PLR0913 -- an argument for each option
    settings: Settings,
    hosts: tuple[str, ...],
    *,
    fleet: bool,
    day: datetime.date | None,
    url: str | None,
    deep: bool,
    as_json: bool,
) -> None:
    """Check that every event is accounted for; exit code 1 if not.

    Received must equal delivered + duplicates + dead + dropped + queued, for each input, day and output, over all
    restarts. Days are those of the setting index_timezone, which the data folder remembers. Delivered events are
    compared with what the indices hold: with the files, not with what a manifest says. Damaged files are named. An
    output that was removed from the config keeps its account, marked as removed; it continues when an output with the
    same id is added again, without what was received in between.

    An event that one pipeline sends to another is in the accounts of both: delivered by the first, received by the
    second.

    It covers everything that went through a journal: all inputs of a config that listens on something or reads files.
    A config with only the inputs stdin and generator runs without a journal, and is not accounted for.

    With --fleet, each HOST (HOST, HOST:PORT or a URL) is the dashboard of a daemon, such as those of edges that write
    to Kafka and of workers that read from it: what the edges delivered must be in Kafka, and must be received by the
    workers or still to be read. Name all daemons. A daemon that does not answer is an error.
    """
    if fleet or hosts:
        _check_fleet(fleet=fleet, hosts=hosts, local=deep or day is not None)
        audit_fleet(hosts, settings, url, as_json=as_json)
        return
    try:
        # before the indices, which only grow
        found = accounts(settings.data_dir, lambda: time.sleep(_RETRY_S), settings.index_zone)
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the journal'}: {error.strerror}") from None
    indices = _index_counts(found, settings, url, day, deep=deep)
    if day is not None:
        found = [of_day(account, day.isoformat()) for account in found]
    balanced = not any(account.total.difference for account in found) and all(index.balanced for index in indices)
    if as_json:
        write_json(_document(found, indices, balanced))
    else:
        for line in _report(found, indices, balanced):
            click.echo(line)
    if not balanced:
        raise SystemExit(1)


def _check_fleet(*, fleet: bool, hosts: Sequence[str], local: bool) -> None:
    if not fleet:
        raise click.UsageError("hosts are for --fleet; without it, the data folder of this machine is checked")
    if not hosts:
        raise click.UsageError("--fleet needs the hosts of the daemons: ingestd audit --fleet edge1 edge2 worker1")
    if local:
        raise click.UsageError("--day and --deep apply to one data folder: run them on each machine")


def _index_counts(
    found: list[Account], settings: Settings, url: str | None, day: datetime.date | None, *, deep: bool
) -> list[IndexCount]:
    from ingestd.app.index_counts import index_counts  # noqa: PLC0415 -- imports the stores, which takes long

    try:
        return index_counts(found, settings.data_dir, url, day, deep=deep)
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _document(found: list[Account], indices: list[IndexCount], balanced: bool) -> dict[str, Any]:
    return accounts_document(found) | {"balanced": balanced, "indices": [index.document() for index in indices]}


def _report(found: list[Account], indices: list[IndexCount], balanced: bool) -> Iterator[str]:
    if any(account.tallies for account in found):
        yield from _account_table(found)
        yield from _drops(found)
        yield from _handed_over(found)
        yield ""
    if indices:
        yield from index_table(indices)
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
    return dict(account.indices) if account.plugin == TO_PIPELINES else {}


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
            yield f"index {index.name}: {index.repeated:,} events are stored more than once"
        yield from (f"index {index.name}: {fault}" for fault in index.faults)
