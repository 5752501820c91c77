"""From settings to the daily work on a store."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ingestd.lifecycle.retention import Rules
from ingestd.lifecycle.scheduler import Scheduler, free_bytes
from ingestd.lifecycle.state import State
from ingestd.lifecycle.work import Clock, Lifecycle, now
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, Backups
from ingestd.stores.base import LogStore
from ingestd.stores.open import is_builtin, open_backups, open_store

if TYPE_CHECKING:
    from ingestd.lifecycle.schedule import Schedule

NO_BACKUPS = "none"
"""The ``backup.repository`` of who has repositories and wants no daily backups."""


def rules(settings: Settings, *, own_store: bool) -> Rules:
    """Return the rules of retention. What is not ours, as in a server, is deleted only by rules that somebody set."""
    found = settings.retention
    max_age = found.max_age if own_store or settings.explicit("retention.max_age") else 0
    return Rules(
        index=found.index,
        max_age=max_age or None,
        max_bytes=found.max_bytes or None,
        max_indices=found.max_indices or None,
        keep_free=(found.keep_free or None) if own_store else None,
    )


def repository(settings: Settings, backups: Backups) -> str:
    """Return the name of the repository for daily backups; empty: none.

    Raises:
        BackupError: The one that is set does not exist, or there are several and none is set.
    """
    wanted = settings.backup.repository
    if wanted == NO_BACKUPS:
        return ""
    names = [one.name for one in backups.repositories()]
    if wanted and wanted not in names:
        known = f"there are {', '.join(names)}" if names else "there is none"
        raise BackupError(f"backup.repository: there is no repository {wanted!r}, {known}; see ingestd repository")
    if not wanted and len(names) > 1:
        raise BackupError(f"there are several repositories, {', '.join(names)}: set backup.repository to one, or none")
    return wanted or next(iter(names), "")


def lifecycle(
    settings: Settings, store: LogStore, backups: Backups, *, own_store: bool, clock: Clock = now
) -> Lifecycle:
    """Return the work on a store.

    Raises:
        StoreError: The repositories cannot be asked for, or do not go with the settings.
    """
    return Lifecycle(
        store,
        backups,
        repository(settings, backups),
        State.load(settings.data_dir),
        rules(settings, own_store=own_store),
        zone=index_zone(settings),
        keep_restored=datetime.timedelta(seconds=settings.restore.keep),
        clock=clock,
    )


@contextmanager
def opened_store(settings: Settings) -> Iterator[tuple[LogStore, Backups, bool]]:
    """Open the store that the settings name, and its place of backups; the last tells whether it is the built-in one.

    Raises:
        StoreError: It cannot be opened.
        ValueError: Its URL is wrong.
    """
    url = settings.store or settings.elasticsearch
    store = open_store(url, settings.data_dir)
    try:
        with closing(open_backups(url, settings.data_dir)) as backups:
            yield store, backups, is_builtin(url)
    finally:
        store.close()


@contextmanager
def opened(settings: Settings, clock: Clock = now) -> Iterator[Lifecycle]:
    """Open the store that the settings name, and give the work on it.

    Raises:
        StoreError: It cannot be opened, or does not answer.
    """
    with opened_store(settings) as (store, backups, own):
        yield lifecycle(settings, store, backups, own_store=own, clock=clock)


def scheduler(settings: Settings, clock: Clock = now) -> Scheduler | None:
    """Return what does the work in the daemon; None: nothing is to do it.

    Raises:
        ValueError: The schedule is wrong; the text says how.
    """
    plan = schedule(settings)
    if plan is None:
        return None
    own = is_builtin(settings.store or settings.elasticsearch)
    return Scheduler(
        lambda: opened(settings, clock),
        plan,
        settings.data_dir,
        (lambda: free_bytes(settings.data_dir)) if own else None,
        settings.retention.keep_free,
        clock,
    )


def index_zone(settings: Settings) -> datetime.tzinfo:
    """Return the time zone that indices count their days in."""
    return ZoneInfo(settings.index_timezone) if settings.index_timezone else datetime.UTC


def schedule(settings: Settings) -> Schedule | None:
    """Return when the daemon does the work; None: never.

    Raises:
        ValueError: The setting is wrong; the text says how.
    """
    if settings.schedule.cron == "off":
        return None
    from ingestd.lifecycle.schedule import Schedule  # noqa: PLC0415 -- the dashboard needs the rules alone

    try:
        return Schedule(settings.schedule.cron, settings.schedule.time_zone)
    except ValueError as error:
        raise ValueError(f"schedule.cron: {error}") from None
