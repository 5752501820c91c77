"""What somebody orders by hand: back up an index, delete it, bring a day back. One at a time, as the daily work."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from ingestd.lifecycle import build
from ingestd.lifecycle.state import BusyError, only_one
from ingestd.lifecycle.work import Lifecycle
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, Progress, to_restore
from ingestd.stores.base import StoreError


class Order(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        kind: What.
        index: The index to back up or delete.
        day: The day to restore, ``2019-05-15``.
        rename: What to put before the names of restored indices.
        force: Delete although there is no good backup; restore over an index that is there.
    """

    kind: Literal["backup", "delete", "restore"]
    index: str = ""
    day: str = ""
    rename: str = ""
    force: bool = False


def carry_out(order: Order, settings: Settings, tell: Progress) -> str:
    """Do what is ordered; returns a sentence about it.

    Raises:
        StoreError: It did not succeed; the text is one sentence.
    """
    try:
        with only_one(settings.data_dir), build.opened(settings) as work:
            return _ACTIONS[order.kind](order, work, tell)
    except BusyError as busy:
        raise StoreError(str(busy)) from None
    except OSError as error:
        raise StoreError(f"the data folder cannot be used: {error.strerror or error}") from None


def _back_up(order: Order, work: Lifecycle, tell: Progress) -> str:
    _repository(work)
    _known(order, work)
    (done,) = work.back_up([order.index], tell)
    if done.snapshot is None:
        raise BackupError(done.error)
    return f"{order.index} is backed up: {done.snapshot.name}"


def _delete(order: Order, work: Lifecycle, tell: Progress) -> str:
    _known(order, work)
    if not order.force and (why := work.unverified(order.index, tell)):
        raise BackupError(f"{order.index} stays: {why}")
    work.store.delete(order.index)
    return f"{order.index} is deleted"


def _restore(order: Order, work: Lifecycle, tell: Progress) -> str:
    assert work.backups is not None  # noqa: S101 -- build.opened opens them
    day = datetime.date.fromisoformat(order.day)
    snapshots = work.backups.snapshots(_repository(work))
    found = to_restore(one for one in snapshots if one.day == day and work.looks_at(one.index))
    if not found:
        raise BackupError(f"there is no backup of {day}")
    told = []
    for index, parts in found.items():
        name = order.rename + index
        events = work.backups.restore(work.repository, parts, name, overwrite=order.force, progress=tell)
        told.append(f"{name}: {events:,} events")
    return "; ".join(told)


_ACTIONS = {"backup": _back_up, "delete": _delete, "restore": _restore}


def _repository(work: Lifecycle) -> str:
    if not work.repository:
        raise BackupError("there is no repository for backups; add one: ingestd repository add --help")
    return work.repository


def _known(order: Order, work: Lifecycle) -> None:
    """Refuse what is no index of the store: the name comes from outside."""
    if order.index not in {one.index for one in work.store.indices()}:
        raise StoreError(f"there is no index {order.index[:100]}")
