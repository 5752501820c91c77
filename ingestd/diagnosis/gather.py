"""Gathers the facts of a running system: from the store, the data folder and the settings."""

from __future__ import annotations

import datetime
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ingestd.diagnosis import folder_facts, store_facts
from ingestd.diagnosis.facts import BackupFacts, DroppedDatagrams, Facts, KafkaState, RecentRecords, UnsupportedClients
from ingestd.lifecycle import build
from ingestd.lifecycle.retention import Rules
from ingestd.lifecycle.state import State
from ingestd.settings import Settings, read_stored_zone
from ingestd.stores.backups import index_of
from ingestd.stores.base import IndexInfo, LogStore, StoreError
from ingestd.stores.elastic.server_state import SearchServer
from ingestd.stores.local import store_root
from ingestd.stores.local.sealing import sealing_errors
from ingestd.stores.open import open_backups


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at.

    Attributes:
        builtin_store: Whether the store is the built-in one.
        rules: The rules by which the daemon deletes indices; None: it deletes none.
        pid: The process id of the daemon of the data folder; 0: none is running, None: unknown.
        senders: Connections that no input is for; None: unknown.
        dropped: Datagrams that the kernel dropped.
        kafka: The inputs and outputs ``kafka`` of the daemon.
        fills_store: Whether its pipelines write to a store that can be queried.
        unread: Why the daemon's pages cannot be read; empty: they can.
        lifecycle: Whether the settings on backups are those of the store.
    """

    builtin_store: bool
    rules: Rules | None = None
    pid: int | None = None
    senders: tuple[UnsupportedClients, ...] | None = None
    dropped: tuple[DroppedDatagrams, ...] = ()
    kafka: tuple[KafkaState, ...] = ()
    fills_store: bool = True
    unread: str = ""
    lifecycle: bool = True


def gather(settings: Settings, store: LogStore, scope: Scope, now: datetime.datetime) -> Facts:
    """Return the facts at ``now``, in UTC. What cannot be found out is missing; it never raises StoreError."""
    today = now.astimezone(settings.index_zone).date()
    problem, records, indices, server = _store(store, now)
    lifecycle = scope.lifecycle and not problem
    facts = Facts(
        now=now,
        today=today,
        folder=settings.data_dir,
        pid=scope.pid,
        store_problem=problem,
        records=records,
        indices=indices,
        server=server,
        senders=scope.senders,
        dropped=scope.dropped,
        kafka=scope.kafka,
        fills_store=scope.fills_store,
        unread=scope.unread,
        app_servers=folder_facts.app_servers(),
        builtin_store=scope.builtin_store,
        rules=scope.rules,
        lifecycle=lifecycle,
        backup=_backup(settings, now) if lifecycle else None,
        index_timezone=settings.index_timezone or "UTC",
        stored_zone=read_stored_zone(settings.data_dir),
    )
    return _with_folder(facts, settings) if settings.data_dir.is_dir() else facts


def _with_folder(facts: Facts, settings: Settings) -> Facts:
    """Return the facts with those of the data folder, as far as this user may read it."""
    folder = settings.data_dir
    rights = folder_facts.rights(folder, _secrets(settings))
    facts = replace(facts, rights=rights, disk=folder_facts.disk(folder))
    if not rights.readable:
        return facts
    return replace(
        facts,
        samples=folder_facts.samples(folder),
        unsealed=folder_facts.unsealed_days(folder, facts.today) if facts.builtin_store else None,
        sealing_errors=sealing_errors.load(store_root(folder)) if facts.builtin_store else {},
        dead_letters=folder_facts.dead_letters_since(folder, facts.now - store_facts.LATELY),
        geoip=folder_facts.geoip(folder),
    )


def _store(
    store: LogStore, now: datetime.datetime
) -> tuple[str, RecentRecords | None, tuple[IndexInfo, ...], SearchServer | None]:
    """Return why the store cannot be queried, or what it holds."""
    try:
        server = store_facts.search_server(store)
        return "", store_facts.recent_records(store, now), tuple(store.indices()), server
    except StoreError as error:
        return str(error), None, (), None


def _backup(settings: Settings, now: datetime.datetime) -> BackupFacts:
    state = State.load(settings.data_dir)
    report = state.report
    failed = dict(report.failed) if report is not None else {}
    last_run = report.time if report is not None else None
    facts = BackupFacts(index=settings.retention.index, failed=failed, last_run=last_run)
    since = now - datetime.timedelta(seconds=settings.restore.keep)
    try:
        with closing(open_backups(settings.store or settings.elasticsearch, settings.data_dir)) as backups:
            kept = frozenset(index for index, time in backups.restored_indices().items() if time > since)
            facts = replace(facts, kept=kept)
            repository = build.repository(settings, backups)
    except StoreError as error:
        return replace(facts, problem=str(error))
    verified = frozenset(index_of(name) for name in state.verified.get(repository, {}))
    disabled = settings.backup.repository == build.NO_BACKUPS
    return replace(facts, repository=repository, disabled=disabled, verified=verified)


def _secrets(settings: Settings) -> list[Path]:
    return [path for path in (settings.http_password_file, settings.http_token_file) if path != Path()]
