"""``ingestd audit``: does everything add up? Reads the ledgers that lie beside the journals; changes nothing."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.options import json_option, settings_options
from ingestd.event.jsontext import dumps
from ingestd.pipeline.audit import Account, IndexCount, accounts, delivered_to, of_day, overall
from ingestd.pipeline.ledger import Sheet
from ingestd.settings import Settings
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.errors import ElasticRefused, ElasticUnavailable

_SETTLE_S = 0.2
"""How long a write of the daemon that is under way may take."""

_ALWAYS = ("received", "delivered", "duplicates", "dead", "dropped", "queued")
_SELDOM = ("created", "elsewhere", "difference")

Counted = Callable[[str], int | None]


class Day(click.ParamType[str]):
    """A day in UTC: ``2026-11-22``, ``today`` or ``yesterday``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the day as ``2026-11-22``."""
        today = datetime.datetime.now(datetime.UTC).date()
        if value in {"today", "yesterday"}:
            return (today - datetime.timedelta(days=value == "yesterday")).isoformat()
        try:
            return datetime.date.fromisoformat(value.replace(".", "-")).isoformat()
        except ValueError:
            self.fail(f"{value!r} is no day: write 2026-11-22, today or yesterday", param, ctx)


@click.command()
@settings_options("data_dir")
@click.option("--day", type=Day(), help="Only what was received on this day (UTC): 2026-11-22, today, yesterday.")
@click.option("--store", "url", metavar="URL", help="Count the indices of this Elasticsearch or OpenSearch as well.")
@json_option
def audit(settings: Settings, day: str | None, url: str | None, as_json: bool) -> None:
    """Check that received = delivered + duplicates + dead + dropped + queued; exit code 1 if it does not add up.

    For each input, day and output, over all restarts; what was delivered is compared with what the indices hold.

    It covers what went through a journal: every input of a config that listens on something. A config whose inputs
    all end by themselves or listen on nothing (stdin, file, generator) runs without one, and keeps no accounts.
    """
    try:
        found = accounts(settings.data_dir, lambda: time.sleep(_SETTLE_S))  # before the indices: they only grow
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the journal'}: {error.strerror}") from None
    indices = _index_counts(found, settings, url, day)
    if day is not None:
        found = [of_day(one, day) for one in found]
    balanced = not any(one.total.difference for one in found) and not any(one.missing for one in indices)
    if as_json:
        click.echo(dumps(_document(found, indices, balanced)))
    else:
        for line in _report(found, indices, balanced):
            click.echo(line)
    if not balanced:
        raise SystemExit(1)


def _index_counts(found: list[Account], settings: Settings, url: str | None, day: str | None) -> list[IndexCount]:
    """Return the delivered and the found events of each index, of one day if asked for."""
    from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415 -- other commands need no store
    from ingestd.stores.local.files.layout import day_of  # noqa: PLC0415

    def wanted(index: str) -> bool:
        return day is None or day_of(index) == datetime.date.fromisoformat(day)

    counts: list[IndexCount] = []
    try:
        if own := {name: number for name, number in delivered_to(found, "store").items() if wanted(name)}:
            there = {one.index: one.events for one in LocalStore(store_root(settings.data_dir)).indices()}
            counts += [IndexCount(name, number, there.get(name)) for name, number in sorted(own.items())]
        if url:
            sent = {name: number for name, number in delivered_to(found, "elasticsearch").items() if wanted(name)}
            counts += asyncio.run(_elastic_counts(url, sent))
    except (StoreError, ElasticUnavailable, ElasticRefused, ValueError) as error:
        raise click.ClickException(str(error)) from None
    return counts


async def _elastic_counts(url: str, delivered: dict[str, int]) -> list[IndexCount]:
    from ingestd.stores.elastic.client import ElasticClient  # noqa: PLC0415
    from ingestd.stores.elastic.options import ElasticOptions  # noqa: PLC0415

    counts = []
    async with ElasticClient(ElasticOptions(hosts=(url,))) as client:
        for index, number in sorted(delivered.items()):
            try:
                await client.api.indices.refresh(index=index)  # else the newest are not counted
            except ElasticRefused as error:
                if error.status != 404:
                    raise
                counts.append(IndexCount(index, number, None))
                continue
            answer = await client.api.count(index=index)
            counts.append(IndexCount(index, number, answer["count"]))
    return counts


def _document(found: list[Account], indices: list[IndexCount], balanced: bool) -> dict[str, Any]:
    outputs = [
        {"pipeline": one.pipeline, "output": one.output}
        | one.total.document()
        | {"days": [{"day": key[0], "input": key[1]} | one.sheets[key].document() for key in sorted(one.sheets)]}
        for one in found
    ]
    counts = [
        {"index": one.name, "delivered": one.delivered, "found": one.found, "missing": one.missing} for one in indices
    ]
    return overall(found).document() | {"balanced": balanced, "outputs": outputs, "indices": counts}


def _report(found: list[Account], indices: list[IndexCount], balanced: bool) -> Iterator[str]:
    rows = [(one, key, one.sheets[key]) for one in found for key in sorted(one.sheets)]
    if rows:
        yield from _sheet_table(rows, several=len({one.pipeline for one in found}) > 1)
        yield from _drops(found)
    if indices:
        yield ""
        yield from tables.table(("INDEX", "DELIVERED", "FOUND", "MISSING"), map(_index_row, indices), None, numbers=3)
    if rows or indices:
        yield ""
    yield from _verdict(found, indices, balanced)


def _sheet_table(rows: list[tuple[Account, tuple[str, str], Sheet]], several: bool) -> Iterator[str]:
    documents = [sheet.document() for _, _, sheet in rows]
    columns = [*_ALWAYS, *(name for name in _SELDOM if any(document[name] for document in documents))]
    heads = ("OUTPUT", "DAY", "INPUT", *(name.upper() for name in columns))
    lines = [
        (f"{one.pipeline}/{one.output}" if several else one.output, *key, *(f"{document[name]:,}" for name in columns))
        for (one, key, _), document in zip(rows, documents, strict=True)
    ]
    yield from tables.table(heads, lines, None, numbers=len(columns))


def _drops(found: list[Account]) -> Iterator[str]:
    for one in found:
        if dropped := one.total.dropped:
            parts = ", ".join(f"{name} {number:,}" for name, number in sorted(dropped.items()))
            yield f"dropped on the way to {one.output}: {parts}"


def _index_row(one: IndexCount) -> tuple[str, str, str, str]:
    found = "deleted" if one.found is None else f"{one.found:,}"
    return one.name, f"{one.delivered:,}", found, f"{one.missing:,}"


_NOTHING = "there is nothing to audit: only a config with an input that listens keeps accounts"


def _verdict(found: Sequence[Account], indices: Iterable[IndexCount], balanced: bool) -> Iterator[str]:
    if balanced:
        yield "everything adds up" if found else _NOTHING
        return
    for one in found:
        if (number := one.total.difference) > 0:
            yield f"{one.pipeline}/{one.output}: {number:,} events came in and are accounted for nowhere"
        elif number < 0:
            yield f"{one.pipeline}/{one.output}: {-number:,} events more are accounted for than came in"
    for index in indices:
        if index.missing:
            yield f"index {index.name}: {index.missing:,} of {index.delivered:,} delivered events are missing"
