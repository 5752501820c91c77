"""What the commands on indices and backups have in common: the store, the lock, progress, errors as sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from ingestd.cli.common.disk import told
from ingestd.lifecycle import build
from ingestd.lifecycle.state import BusyError, only_one
from ingestd.lifecycle.work import Lifecycle
from ingestd.settings import Settings
from ingestd.stores.backups import Backups, Progress, Snapshot
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.open import open_backups
from ingestd.units import round_size


@dataclass(frozen=True, slots=True)
class Opened:
    """A store and its place of backups; ``own``: the built-in one."""

    settings: Settings
    store: LogStore
    backups: Backups
    own: bool

    def lifecycle(self) -> Lifecycle:
        """Return the work on this store."""
        return build.lifecycle(self.settings, self.store, self.backups, own_store=self.own)

    def elsewhere(self, url: str) -> Backups:
        """Return the place of backups of another store."""
        return open_backups(url, self.settings.data_dir)

    def repository(self, name: str | None) -> str:
        """Return the repository that a command works with: the one that is named, else the one of the daily backups.

        Raises:
            ClickException: There is none.
        """
        if name:
            return name
        if found := build.repository(self.settings, self.backups):
            return found
        raise click.ClickException("there is no repository for backups; add one: ingestd repository add --help")


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """Open the store that the settings name; what goes wrong inside becomes one sentence and exit code 1."""
    with told("the data folder"):
        try:
            with build.opened_store(settings) as (store, backups, own):
                yield Opened(settings, store, backups, own)
        except (StoreError, ValueError) as error:
            raise click.ClickException(str(error)) from None


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the lock of the daily work, or end the command because somebody else does."""
    try:
        with only_one(settings.data_dir):
            yield
    except BusyError as busy:
        raise click.ClickException(str(busy)) from None


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show a bar on stderr, if that is a terminal."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield tell


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


def snapshot_row(snapshot: Snapshot) -> tuple[str, ...]:
    """Return a snapshot as the cells of a table: name, state, events, size."""
    events = "" if snapshot.events is None else f"{snapshot.events:,}"
    return snapshot.name, snapshot.state, events, "" if snapshot.bytes is None else round_size(snapshot.bytes)
