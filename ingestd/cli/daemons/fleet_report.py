"""``ingestd audit --fleet``: the accounts of several daemons, added up, as a table or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.terminal import write_json
from ingestd.pipeline.audit import IndexCount
from ingestd.pipeline.fleet import Fleet, node_document, total_document
from ingestd.settings import Settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import SERVER_OUTPUTS

_LAST = ("duplicates", "dead", "dropped", "queued")


def audit_fleet(hosts: Sequence[str], settings: Settings, url: str | None, *, as_json: bool) -> None:
    """Print the accounts of the daemons at these hosts; with ``url``, also what the server there holds.

    Raises:
        click.ClickException: A daemon, Kafka or the server does not answer.
        SystemExit: Something is missing.
    """
    from ingestd.cli.daemons.fleet import ask_fleet  # noqa: PLC0415 -- imports the HTTP client
    from ingestd.web.auth.access import AccessError, load_access  # noqa: PLC0415

    try:
        token = load_access(settings).token
    except AccessError as error:
        raise click.ClickException(str(error)) from None
    fleet = ask_fleet(hosts, token)
    indices = _index_counts(fleet, url) if url else []
    balanced = fleet.balanced and all(index.balanced for index in indices)
    if as_json:
        found = fleet.document() | {"balanced": balanced, "indices": [index.document() for index in indices]}
        write_json(found)
    else:
        for line in _report(fleet, indices):
            click.echo(line)
    if not balanced:
        raise SystemExit(1)


def _index_counts(fleet: Fleet, url: str) -> list[IndexCount]:
    from ingestd.app.index_counts import server_counts  # noqa: PLC0415 -- imports the stores

    try:
        return server_counts(Counter(dict(sorted(fleet.delivered_to(SERVER_OUTPUTS).items()))), url)
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _report(fleet: Fleet, indices: Sequence[IndexCount]) -> Iterator[str]:
    yield from _node_table(fleet)
    yield ""
    if fleet.groups:
        yield from _group_table(fleet)
        yield ""
    if indices:
        yield from index_table(indices)
        yield ""
    yield from _verdict(fleet, indices)


def _node_table(fleet: Fleet) -> Iterator[str]:
    rows: list[dict[str, Any]] = [*map(node_document, fleet.nodes), {"node": "all"} | total_document(fleet)]
    plugins = sorted({plugin for row in rows for plugin in row["delivered"]})
    heads = ("NODE", "RECEIVED", "FROM KAFKA", *(f"TO {plugin.upper()}" for plugin in plugins), *map(str.upper, _LAST))
    yield from tables.table(heads, [_cells(row, plugins) for row in rows], None, numbers=len(heads) - 1)


def _cells(row: Mapping[str, Any], plugins: Sequence[str]) -> tuple[str, ...]:
    numbers = [row["received"], row["from_kafka"], *(row["delivered"].get(plugin, 0) for plugin in plugins)]
    return (row["node"], *(f"{number:,}" for number in (*numbers, *(row[name] for name in _LAST))))


def _group_table(fleet: Fleet) -> Iterator[str]:
    heads = ("GROUP", "TOPICS", "DELIVERED", "RECEIVED", "LAG", "REPEATED", "MISSING")
    rows = [
        (
            group.name,
            " ".join(sorted(group.topics)),
            *(f"{n:,}" for n in (group.delivered, group.received, group.lag, group.surplus, group.missing)),
        )
        for group in fleet.groups
    ]
    yield from tables.table(heads, rows, None, numbers=5)


def index_table(indices: Sequence[IndexCount]) -> Iterator[str]:
    """Yield the lines of a table of indices."""
    deleted = any(index.deleted for index in indices)
    heads = ("INDEX", "DELIVERED", "FOUND", *(["DELETED"] if deleted else []), "MISSING")
    rows = [_index_row(index, deleted=deleted) for index in indices]
    yield from tables.table(heads, rows, None, numbers=len(heads) - 1)


def _index_row(index: IndexCount, *, deleted: bool) -> tuple[str, ...]:
    gone = "closed" if index.closed else "deleted"
    found = gone if index.found is None else f"{index.found:,}"
    before = [f"{index.deleted:,}"] if deleted else []
    return (index.name, f"{index.delivered:,}", found, *before, f"{index.missing:,}")


def _verdict(fleet: Fleet, indices: Sequence[IndexCount]) -> Iterator[str]:
    for group in fleet.groups:
        if group.surplus:
            yield (
                f"group {group.name}: {group.surplus:,} more records than the nodes delivered: sent or read again "
                "after a kill or a rebalance, or from other senders"
            )
    if fleet.balanced and all(index.balanced for index in indices):
        yield "everything adds up"
        return
    for node in fleet.nodes:
        if not node.after.balanced:
            yield f"{node.name} does not add up: run ingestd audit there"
    for topic in fleet.topics:
        if topic.missing:
            yield (
                f"topic {topic.name}: {topic.missing:,} of {topic.delivered:,} delivered events are not in Kafka: "
                "brokers have lost them, or the topic was created again"
            )
    for group in fleet.groups:
        if group.missing:
            yield (
                f"group {group.name}: {group.missing:,} of {group.delivered:,} delivered events were not received: "
                "the group did not read them, or a daemon is not named or has lost its data folder"
            )
    for index in indices:
        if index.missing:
            yield f"index {index.name}: {index.missing:,} of {index.delivered:,} delivered events are missing"
