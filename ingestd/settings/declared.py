"""Every setting: its name, its default, its kind, its sentence of documentation."""

# ruff: noqa: RUF009 -- setting() and table() declare dataclass fields, as dataclasses.field() does

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingestd.units import (
    ADDRESS,
    COUNT,
    DURATION,
    PATH,
    PORT,
    SIZE,
    TEXT,
    URL,
    YES_NO,
    ZONE,
    Address,
    Kind,
    choice,
    mask,
)

PREFIX = "INGESTD_"
"""Begin of the names of all variables."""


def _secret(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")  # and not what was found: it would be in the log
    return value


SECRET = Kind("text", _secret, lambda value: "***" if value else "")
"""Text that nobody is shown."""

FILE = Kind("path", PATH.parse, lambda value: "" if value == Path() else str(value))
"""The path of a file; ``Path()`` is none."""


def _store(value: Any) -> str:
    store: str = value if value == "local" else URL.parse(value)
    return store


def _shown_store(store: str) -> str:
    """Return a store without the password and the options behind its URL, which may hold a key."""
    url, options, _ = store.partition("?")
    return mask(url) + ("?***" if options else "")


STORE = Kind("URL or local", _store, _shown_store)


def setting(default: Any, kind: Kind, doc: str) -> Any:
    """Declare one setting: its default, its kind and its sentence of documentation."""
    return dataclasses.field(default=default, repr=kind is not SECRET, metadata={"kind": kind, "doc": doc})


def table(declared: type) -> Any:
    """Declare a table of settings, a frozen dataclass of its own."""
    return dataclasses.field(default_factory=declared, metadata={"table": declared})


@dataclass(frozen=True, slots=True)
class Batch:
    """The table ``batch``."""

    max_bytes: int = setting(96 * 1024, SIZE, "Bytes of an input that go through the filters at once.")
    max_delay: float = setting(0.05, DURATION, "How long delivery waits for more events to send together.")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The table ``dead_letters``."""

    max_bytes: int = setting(1 << 30, SIZE, "Disk space for dead letters; the oldest go first.")


@dataclass(frozen=True, slots=True)
class Journal:
    """The table ``journal``."""

    max_bytes: int = setting(
        1 << 30, SIZE, "Disk space of a worker's journal for what is not delivered yet; then inputs stop reading."
    )
    segment_bytes: int = setting(16 << 20, SIZE, "Size of one journal file; space is freed file by file.")
    sync_interval: float = setting(
        0.2, DURATION, "How often the journal is forced to the disk: what a power failure, not a crash, may cost."
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """The table ``retention``. A rule that is 0 lets nothing go."""

    index: str = setting(
        "logstash-*", TEXT, "Pattern of the indices that are backed up and deleted; others are left alone."
    )
    max_age: float = setting(
        30 * 86400.0,
        DURATION,
        "Age at which an index is deleted, counted from its day; 0: never. The default holds for the built-in store "
        "only: of Elasticsearch nothing is deleted unless this is set.",
    )
    max_bytes: int = setting(0, SIZE, "Size of all indices together above which the oldest are deleted; 0: no limit.")
    max_indices: int = setting(0, COUNT, "Number of indices above which the oldest are deleted; 0: no limit.")
    keep_free: int = setting(
        0, SIZE, "Free space on the built-in store's disk below which the oldest indices are deleted; 0: no limit."
    )


@dataclass(frozen=True, slots=True)
class Backup:
    """The table ``backup``."""

    repository: str = setting(
        "",
        TEXT,
        "Repository that each day is backed up to. Default: the one that there is; `none`: no backups are made.",
    )


@dataclass(frozen=True, slots=True)
class Restore:
    """The table ``restore``."""

    keep: float = setting(7 * 86400.0, DURATION, "How long retention leaves an index alone that was restored.")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The table ``schedule``."""

    cron: str = setting(
        "10 0 * * *", TEXT, "When indices are backed up and deleted, in cron's five fields; `off`: not by the daemon."
    )
    time_zone: str = setting("", ZONE, "Time zone of the schedule, such as Asia/Seoul. Default: the machine's own.")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. ``origins``: for each by its dotted name, where its value came from.

    An origin is ``default``, a place in the file (``ingestd.toml:3``), a variable (``INGESTD_PORT``) or a flag
    (``--port``).
    """

    data_dir: Path = setting(
        Path(),
        PATH,
        "Where the built-in store, dead letters and ids are kept. Default: systemd's STATE_DIRECTORY, else "
        "`ingestd` in XDG_STATE_HOME or `~/.local/state`.",
    )
    elasticsearch: str = setting(
        "", URL, "Elasticsearch or OpenSearch for the built-in pipeline; without it events go to the built-in store."
    )
    host: str = setting("127.0.0.1", TEXT, "Where the built-in pipeline's tcp input listens.")
    port: int = setting(5959, PORT, "Port of the built-in pipeline's tcp input; 0 takes a free one.")
    watch: bool = setting(False, YES_NO, "Load the config again when one of its files changes.")
    workers: int = setting(0, COUNT, "Processes that read, filter and deliver; 0: one for each core.")
    http: Address | None = setting(
        Address("127.0.0.1", 9600), ADDRESS, "Where dashboard, /metrics and /health are served; `off`: nowhere."
    )
    http_password: str = setting(
        "",
        SECRET,
        "Password of the dashboard; it or a token is needed where `http` is no loopback address. Others on the "
        "machine see flags: better set the variable, or http_password_file.",
    )
    http_password_file: Path = setting(Path(), FILE, "File that holds the password of the dashboard.")
    http_token: str = setting("", SECRET, "Token for programs: they send `Authorization: Bearer TOKEN`.")
    http_token_file: Path = setting(Path(), FILE, "File that holds the token.")
    http_open_metrics: bool = setting(False, YES_NO, "Serve /metrics and /health without password and token.")
    http_prefix: str = setting("", TEXT, "Path that all pages lie below, such as /logs, for a reverse proxy.")
    http_trust_proxy: bool = setting(
        False, YES_NO, "Believe X-Forwarded-For and X-Forwarded-Proto: only behind a proxy that sets both."
    )
    http_hosts: str = setting(
        "", TEXT, "Host names, with commas, by which a dashboard without password may be asked for, besides localhost."
    )
    store: str = setting(
        "",
        STORE,
        "What the dashboard asks: URL of Elasticsearch or OpenSearch, or `local`. Default: where events go.",
    )
    query_timeout: float = setting(30.0, DURATION, "How long a query of the dashboard may take.")
    query_memory: int = setting(512 << 20, SIZE, "Memory that a query of the dashboard may take.")
    log_format: str = setting("text", choice("text", "json"), "Form of the daemon's own log on stderr.")
    log_level: str = setting(
        "info", choice("debug", "info", "warning", "error"), "Least level of the daemon's own log."
    )
    shutdown_timeout: float = setting(30.0, DURATION, "How long a stop may take to deliver what was taken in.")
    max_line_bytes: int = setting(1 << 20, SIZE, "Longest line of an event; longer ones become dead letters.")
    queue_bytes: int = setting(
        64 << 20, SIZE, "Bytes on their way to the outputs in memory; the rest waits in the journal."
    )
    index_timezone: str = setting(
        "UTC", ZONE, "Time zone that the outputs count the days of their indices in, such as Asia/Seoul."
    )
    late: str = setting(
        "accept",
        choice("accept", "dead_letter"),
        "What becomes of an event older than retention.max_age: it is stored like any other, or becomes a dead letter.",
    )
    backup: Backup = table(Backup)
    batch: Batch = table(Batch)
    dead_letters: DeadLetters = table(DeadLetters)
    journal: Journal = table(Journal)
    restore: Restore = table(Restore)
    retention: Retention = table(Retention)
    schedule: Schedule = table(Schedule)
    origins: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def explicit(self, name: str) -> bool:
        """Return whether somebody set the setting: it is not at its default."""
        return self.origins.get(name, "default") != "default"

    def get(self, name: str) -> Any:
        """Return the value of the setting with the dotted name ``name``."""
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting; ``name`` is dotted if it stands in a table."""

    name: str
    kind: Kind
    default: Any
    doc: str

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The name of the flag on the command line."""
        return "--" + re.sub(r"[._]", "-", self.name)

    @property
    def shown_default(self) -> str:
        """The default as a user would write it; empty if there is none that is always the same."""
        return "" if self.default in ("", Path()) else self.kind.show(self.default)


def _declared(owner: type, prefix: str = "") -> Iterator[Setting]:
    for item in dataclasses.fields(owner):
        if "table" in item.metadata:
            yield from _declared(item.metadata["table"], f"{prefix}{item.name}.")
        elif "kind" in item.metadata:
            yield Setting(prefix + item.name, item.metadata["kind"], item.default, item.metadata["doc"])


SETTINGS: Mapping[str, Setting] = MappingProxyType({one.name: one for one in _declared(Settings)})
"""Every setting by its dotted name, in the order of declaration."""
