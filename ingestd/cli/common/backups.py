"""What the commands on indices and backups share: the store with its backups, the lock, snapshots on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from ingestd.cli.common.owner import ActionOutcome, recorded
from ingestd.cli.common.stores import store_errors
from ingestd.cli.common.terminal import write_table
from ingestd.lifecycle import build, state
from ingestd.lifecycle.lifecycle import Lifecycle
from ingestd.settings import Settings
from ingestd.stores.backups import Backups, Snapshot
from ingestd.stores.base import LogStore
from ingestd.stores.open import open_backups
from ingestd.units import round_size


@dataclass(frozen=True, slots=True)
class BackedUpStore:
    """A store and its backups; ``own``: whether it is the built-in store."""

    settings: Settings
    store: LogStore
    backups: Backups
    own: bool

    def lifecycle(self, repository: str | None = None) -> Lifecycle:
        """Return the retention and backups of this store, with another repository if one is named."""
        work = build.lifecycle(self.settings, self.store, self.backups, builtin_store=self.own)
        if repository:
            work.repository = repository
        return work

    def backups_of(self, url: str) -> Backups:
        """Return the backups of another store."""
        return open_backups(url, self.settings.data_dir)

    def repository(self, name: str | None) -> str:
        """Return the repository to use: ``name``, else the one of the daily backups.

        Raises:
            ClickException: There is none.
        """
        if name:
            return name
        if found := build.repository(self.settings, self.backups):
            return found
        raise click.ClickException("there is no repository for backups; add one: ingestd repository add --help")


@contextmanager
def opened_with_backups(settings: Settings) -> Iterator[BackedUpStore]:
    """Open the store that the settings name, and its backups."""
    with store_errors(), build.open_store_and_backups(settings) as (store, backups, own):
        yield BackedUpStore(settings, store, backups, own)


@contextmanager
def lifecycle_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock of retention and backups; end the command if another process holds it."""
    try:
        with state.lifecycle_lock(settings.data_dir):
            yield
    except state.LifecycleLockedError as busy:
        raise click.ClickException(str(busy)) from None


@contextmanager
def acting(settings: Settings, action: str, target: str = "") -> Iterator[ActionOutcome]:
    """Hold the lock of retention and backups, and put the action into the action log."""
    with lifecycle_lock(settings), recorded(settings, action, target) as record:
        yield record


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON types."""
    return {
        "snapshot": snapshot.name,
        "index": snapshot.index,
        "state": snapshot.state,
        "events": snapshot.events,
        "bytes": snapshot.bytes,
        "time": snapshot.started.isoformat(),
        "reason": snapshot.reason,
    }


def write_snapshots(snapshots: Sequence[Snapshot]) -> None:
    """Write snapshots as a table: name, state, events, size; then on stderr why some are not good."""
    if snapshots:
        write_table(("SNAPSHOT", "STATE", "EVENTS", "SIZE"), map(_snapshot_row, snapshots), numbers=2)
    for snapshot in snapshots:
        if snapshot.reason:
            click.echo(f"{snapshot.name}: {snapshot.reason}", err=True)


def _snapshot_row(snapshot: Snapshot) -> tuple[str, ...]:
    events = "" if snapshot.events is None else f"{snapshot.events:,}"
    return snapshot.name, snapshot.state, events, "" if snapshot.bytes is None else round_size(snapshot.bytes)
