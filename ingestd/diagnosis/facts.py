"""The facts that the checks judge, gathered once: plain values, so that every check is a pure function."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.lifecycle.retention import Rules
from ingestd.settings import StoredZone
from ingestd.stores.base import IndexInfo
from ingestd.stores.elastic.server_state import SearchServer


@dataclass(frozen=True, slots=True)
class RecentRecords:
    """What the store received in the last hour, by number of events.

    Attributes:
        total: All of them.
        access: Access lines, by logger; an empty name: plain text, such as lines of nginx.
        twice: Loggers whose latest access lines are about the same requests as those without a logger.
        twice_client: Loggers whose latest access lines are about the same requests as those of ingestd-django.
        django: Records of Django's loggers that are not access lines.
        python: Records of any Python logger, if there is none of Django's.
        clients: Client addresses of access lines.
        future: Events of any day whose time is more than `gather.FUTURE` from now.
        newest: ``@timestamp`` of the newest event; None: there is none.
    """

    total: int = 0
    access: Mapping[str, int] = field(default_factory=dict)
    twice: tuple[str, ...] = ()
    twice_client: tuple[str, ...] = ()
    django: int = 0
    python: int = 0
    clients: Mapping[str, int] = field(default_factory=dict)
    future: int = 0
    newest: str | None = None

    @property
    def access_total(self) -> int:
        """All access lines."""
        return sum(self.access.values())


@dataclass(frozen=True, slots=True)
class Sample:
    """A record as it was received.

    Attributes:
        received: When.
        timestamp: What it says; None: it has no time.
        version: Of python-logstash, 0 or 1; None: something else sent it.
        host: The host that it names.
    """

    received: datetime.datetime
    timestamp: datetime.datetime | None
    version: int | None
    host: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of the data folder, in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may do what in the data folder.

    Attributes:
        readable: Whether this process may read it.
        owner: The user that it belongs to.
        foreign: Some files of other users in it; the daemon cannot change them.
        open_secrets: Files of passwords that every user may read.
    """

    readable: bool = True
    owner: str = ""
    foreign: tuple[str, ...] = ()
    open_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnsealedDay:
    """A day that is over and still has append logs; ``idle_s``: seconds since the last write to one of them."""

    index: str
    bytes: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """Backups and the nightly run.

    Attributes:
        repository: Where the days are backed up to; empty: nowhere.
        disabled: Whether ``backup.repository`` is ``none``.
        problem: Why there is no repository although one is configured; empty: there is.
        index: Pattern of the indices that are backed up and deleted.
        verified: The indices in a verified backup.
        kept: The indices that stay for a while because they were restored or imported.
        failed: Why the last run failed, by index.
        last_run: When the last run ended.
    """

    repository: str = ""
    disabled: bool = False
    problem: str = ""
    index: str = "*"
    verified: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    last_run: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class GeoIp:
    """The database of locations: when its data was compiled, and whether the package that reads it is installed."""

    built: datetime.date | None
    package: bool = True


@dataclass(frozen=True, slots=True)
class UnsupportedClients:
    """Connections to an input whose first bytes are not what it is for; ``kind``: what they are."""

    input: str
    kind: str
    connections: int


@dataclass(frozen=True, slots=True)
class DroppedDatagrams:
    """Datagrams of an input that the kernel had no room for."""

    input: str
    datagrams: int


@dataclass(frozen=True, slots=True)
class KafkaState:
    """What an input or output ``kafka`` finds at its brokers.

    Attributes:
        plugin: The id of the input or output.
        servers: The brokers that it asks first.
        group: The consumer group of an input; empty: it is an output.
        problem: Why the brokers cannot be asked; empty: they can.
        topics: Its topics, and how many records of each the group has still to read.
        missing: Topics that do not exist.
    """

    plugin: str
    servers: str
    group: str = ""
    problem: str = ""
    topics: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks look at; None: unknown or not applicable, so that the check says nothing.

    Attributes:
        now: The current time.
        today: The current day of the indices.
        folder: The data folder; None: only a server is looked at.
        pid: The process id of the daemon; 0: none is running.
        store_problem: Why the store cannot be queried; empty: it can.
        records: What arrived lately.
        samples: Some of the records that were received last.
        senders: Connections that no input is for, since the daemon started.
        dropped: Datagrams that the kernel dropped, since the daemon started.
        kafka: Its inputs and outputs ``kafka``.
        fills_store: Whether its pipelines write to a store that can be queried.
        unread: Why the daemon's pages cannot be read; empty: they can.
        app_servers: Python web servers that run on this machine.
        indices: All indices.
        disk: The disk.
        rights: Rights in the data folder.
        unsealed: Days that are over and not sealed, for the built-in store.
        sealing_errors: Why indices cannot be sealed or merged, by index; all of them if it is empty.
        backup: Backups.
        rules: The rules of retention; None: nothing is ever deleted.
        builtin_store: Whether it is the built-in store.
        lifecycle: Whether this ingestd looks after the backups and retention of the store.
        geoip: The database of locations.
        dead_letters: Number of dead letters of the last hour.
        server: The search server.
        index_timezone: The time zone of the indices' days.
        stored_zone: The one that the data folder remembers.
    """

    now: datetime.datetime
    today: datetime.date
    folder: Path | None = None
    pid: int | None = None
    store_problem: str = ""
    records: RecentRecords | None = None
    samples: tuple[Sample, ...] = ()
    senders: tuple[UnsupportedClients, ...] | None = None
    dropped: tuple[DroppedDatagrams, ...] = ()
    kafka: tuple[KafkaState, ...] = ()
    fills_store: bool = True
    unread: str = ""
    app_servers: tuple[str, ...] = ()
    indices: tuple[IndexInfo, ...] = ()
    disk: Disk | None = None
    rights: Rights | None = None
    unsealed: tuple[UnsealedDay, ...] | None = None
    sealing_errors: Mapping[str, str] = field(default_factory=dict)
    backup: BackupFacts | None = None
    rules: Rules | None = None
    builtin_store: bool = True
    lifecycle: bool = False
    geoip: GeoIp | None = None
    dead_letters: int | None = None
    server: SearchServer | None = None
    index_timezone: str = "UTC"
    stored_zone: StoredZone | None = None
