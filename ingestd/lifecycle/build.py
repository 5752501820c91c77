"""Makes the lifecycle of a store, and its scheduler, from the settings."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ingestd.lifecycle.lifecycle import Clock, Lifecycle, now
from ingestd.lifecycle.retention import Rules
from ingestd.lifecycle.scheduler import Scheduler, free_bytes
from ingestd.lifecycle.state import State
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, Backups
from ingestd.stores.base import LogStore
from ingestd.stores.open import is_builtin, open_backups, open_store

if TYPE_CHECKING:
    from ingestd.lifecycle.schedule import Schedule

NO_BACKUPS = "none"
"""The ``backup.repository`` that turns daily backups off."""


def rules(settings: Settings, *, builtin_store: bool) -> Rules:
    """Return the rules of retention. Indices of a server are deleted only by rules that are set explicitly."""
    found = settings.retention
    max_age = found.max_age if builtin_store or settings.explicit("retention.max_age") else 0
    return Rules(
        index=found.index,
        max_age=max_age or None,
        max_bytes=found.max_bytes or None,
        max_indices=found.max_indices or None,
        keep_free=(found.keep_free or None) if builtin_store else None,
    )


def repository(settings: Settings, backups: Backups) -> str:
    """Return the name of the repository for daily backups; empty: none.

    Raises:
        BackupError: The configured one does not exist, or there are several and none is configured.
    """
    wanted = settings.backup.repository
    if wanted == NO_BACKUPS:
        return ""
    names = [found.name for found in backups.repositories()]
    if wanted and wanted not in names:
        known = f"there are {', '.join(names)}" if names else "there is none"
        raise BackupError(f"backup.repository: there is no repository {wanted!r}, {known}; see ingestd repository")
    if not wanted and len(names) > 1:
        raise BackupError(f"there are several repositories, {', '.join(names)}: set backup.repository to one, or none")
    return wanted or next(iter(names), "")


def lifecycle(
    settings: Settings, store: LogStore, backups: Backups, *, builtin_store: bool, clock: Clock = now
) -> Lifecycle:
    """Return the lifecycle of a store.

    Raises:
        StoreError: The repositories cannot be listed, or do not match the settings.
    """
    return Lifecycle(
        store,
        backups,
        repository(settings, backups),
        State.load(settings.data_dir),
        rules(settings, builtin_store=builtin_store),
        zone=settings.index_zone,
        site_zone=settings.site_zone,
        keep_restored=datetime.timedelta(seconds=settings.restore.keep),
        clock=clock,
    )


@contextmanager
def open_store_and_backups(settings: Settings) -> Iterator[tuple[LogStore, Backups, bool]]:
    """Open the store in the settings and its backups; the last value: whether it is the built-in store.

    Raises:
        StoreError: It cannot be opened.
        ValueError: Its URL is invalid.
    """
    url = settings.store or settings.elasticsearch
    store = open_store(url, settings.data_dir)
    try:
        with closing(open_backups(url, settings.data_dir)) as backups:
            yield store, backups, is_builtin(url)
    finally:
        store.close()


@contextmanager
def open_lifecycle(settings: Settings, clock: Clock = now) -> Iterator[Lifecycle]:
    """Open the store in the settings, and yield its lifecycle.

    Raises:
        StoreError: It cannot be opened, or does not respond.
    """
    with open_store_and_backups(settings) as (store, backups, builtin):
        yield lifecycle(settings, store, backups, builtin_store=builtin, clock=clock)


def scheduler(settings: Settings, clock: Clock = now) -> Scheduler | None:
    """Return the scheduler of the daemon; None: it is off.

    Raises:
        ValueError: The schedule is invalid; the text says how.
    """
    plan = schedule(settings)
    if plan is None:
        return None
    own = is_builtin(settings.store or settings.elasticsearch)
    return Scheduler(
        lambda: open_lifecycle(settings, clock),
        plan,
        settings.data_dir,
        (lambda: free_bytes(settings.data_dir)) if own else None,
        settings.retention.keep_free,
        clock,
    )


def schedule(settings: Settings) -> Schedule | None:
    """Return when the daemon runs backup and retention; None: never.

    Raises:
        ValueError: The setting is invalid; the text says how.
    """
    if settings.schedule.cron == "off":
        return None
    from ingestd.lifecycle.schedule import Schedule  # noqa: PLC0415 -- the dashboard needs only the rules

    try:
        return Schedule(settings.schedule.cron, settings.schedule.time_zone)
    except ValueError as error:
        raise ValueError(f"schedule.cron: {error}") from None
