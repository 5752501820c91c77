"""Every setting: name, default, kind and one sentence of documentation."""

# ruff: noqa: RUF009 -- setting() and table() declare dataclass fields, as dataclasses.field() does

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.settings.alerts import AlertsSettings
from ingestd.settings.kinds import FILE, FUTURE, LATE, SECRET, STORE
from ingestd.settings.tables import (
    BackupSettings,
    BatchSettings,
    DeadLettersSettings,
    JournalSettings,
    PipelineSettings,
    RestoreSettings,
    RetentionSettings,
    ScheduleSettings,
    setting,
    table,
)
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
)

PREFIX = "INGESTD_"
"""Prefix of all environment variables."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings. ``origins`` maps each dotted name to where its value came from.

    An origin is ``default``, a place in the file (``ingestd.toml:3``), a variable (``INGESTD_PORT``) or a flag
    (``--port``).
    """

    data_dir: Path = setting(
        Path(),
        PATH,
        "Folder of the built-in store, journals and dead letters. Default: that of the systemd service if there is "
        "one, else `ingestd` in XDG_STATE_HOME or `~/.local/state`.",
    )
    elasticsearch: str = setting(
        "", URL, "Elasticsearch or OpenSearch for the built-in pipeline; without it, events go to the built-in store."
    )
    host: str = setting("127.0.0.1", TEXT, "Address that the built-in pipeline's tcp input listens on.", reload=True)
    port: int = setting(5959, PORT, "Port of the built-in pipeline's tcp input; 0: any free port.", reload=True)
    beats_port: int = setting(
        0,
        PORT,
        "Port on which the built-in pipeline also takes events of Beats and of ingestd-django, which it acknowledges, "
        "usually 5044; 0: none.",
        reload=True,
    )
    watch: bool = setting(False, YES_NO, "Reload the config when one of its files changes.", reload=True)
    workers: int = setting(
        0, COUNT, "Number of worker processes, which read, filter and deliver; 0: one per core.", reload=True
    )
    http: Address | None = setting(
        Address("127.0.0.1", 9600), ADDRESS, "Address of the dashboard, /metrics and /health; `off`: do not serve them."
    )
    http_required: bool = setting(
        False,
        YES_NO,
        "Do not start if the address of the dashboard is taken. Default: receive events all the same, and serve the "
        "dashboard as soon as the address is free.",
    )
    http_password: str = setting(
        "",
        SECRET,
        "Password of the dashboard; required (or a token) unless `http` is a loopback address. Other users of the "
        "machine can see flags: prefer the environment variable or http_password_file.",
        reload=True,
    )
    http_password_file: Path = setting(
        Path(),
        FILE,
        "File with the password of the dashboard. Default: systemd's credential `http_password`.",
        reload=True,
    )
    http_token: str = setting("", SECRET, "Token for programs, which send `Authorization: Bearer TOKEN`.", reload=True)
    http_token_file: Path = setting(
        Path(), FILE, "File with the token. Default: systemd's credential `http_token`.", reload=True
    )
    http_open_metrics: bool = setting(
        False, YES_NO, "Serve /metrics and /health without a password or token.", reload=True
    )
    http_prefix: str = setting("", TEXT, "Path prefix of all pages behind a reverse proxy, such as /logs.")
    http_trust_proxy: bool = setting(
        False, YES_NO, "Trust X-Forwarded-For and X-Forwarded-Proto: only behind a proxy that sets both.", reload=True
    )
    http_hosts: str = setting(
        "",
        TEXT,
        "Host names besides localhost, comma-separated, that a dashboard without a password answers to.",
        reload=True,
    )
    store: str = setting(
        "",
        STORE,
        "What the dashboard and commands query: the URL of Elasticsearch or OpenSearch, or `local`. Default: where "
        "events go.",
    )
    query_timeout: float = setting(30.0, DURATION, "Time limit of a query of the dashboard or an alert.", reload=True)
    query_memory: int = setting(512 << 20, SIZE, "Memory limit of a dashboard query.", reload=True)
    log_format: str = setting("text", choice("text", "json"), "Format of the daemon's own log on stderr.")
    log_level: str = setting(
        "info", choice("debug", "info", "warning", "error"), "Minimum level of the daemon's own log."
    )
    shutdown_timeout: float = setting(
        30.0, DURATION, "How long a stop may take to deliver what was received.", reload=True
    )
    watchdog_timeout: float = setting(
        60.0,
        DURATION,
        "How long a process may hang before it is killed and restarted, with or without systemd; 0: forever.",
        reload=True,
    )
    max_line_bytes: int = setting(1 << 20, SIZE, "Longest event line; longer ones become dead letters.", reload=True)
    queue_bytes: int = setting(
        64 << 20,
        SIZE,
        "Memory of each worker process for events on their way to the outputs; the rest waits in the journal.",
        reload=True,
    )
    index_timezone: str = setting(
        "UTC", ZONE, "Time zone that decides which daily index an event belongs to, such as Asia/Seoul."
    )
    seal_after: float = setting(
        60.0,
        DURATION,
        "How long after its last event an append log of the built-in store is sealed: compressed, and faster to query.",
    )
    line_timezone: str = setting(
        "",
        ZONE,
        "Time zone of times in plain lines of text that have none, such as Asia/Seoul. Default: the machine's.",
        reload=True,
    )
    late: float | str = setting(
        365 * 86400.0,
        LATE,
        "How old an event may be when it is received; older ones become dead letters. `dead_letter`: as old as "
        "retention.max_age; `accept`: any age. `ingestd import` takes any unless this is set.",
        reload=True,
    )
    future: float | str = setting(
        86400.0,
        FUTURE,
        "How far in the future the time of an event may be when it is received; later ones become dead letters. "
        "`accept`: any time. `ingestd import` takes any unless this is set.",
        reload=True,
    )
    new_indices_per_hour: int = setting(
        200,
        COUNT,
        "Indices that each output of a worker may create in an hour; events for more become dead letters. 0: no limit.",
        reload=True,
    )
    alerts: AlertsSettings = table(AlertsSettings)
    backup: BackupSettings = table(BackupSettings)
    batch: BatchSettings = table(BatchSettings)
    dead_letters: DeadLettersSettings = table(DeadLettersSettings)
    journal: JournalSettings = table(JournalSettings)
    pipeline: PipelineSettings = table(PipelineSettings)
    restore: RestoreSettings = table(RestoreSettings)
    retention: RetentionSettings = table(RetentionSettings)
    schedule: ScheduleSettings = table(ScheduleSettings)
    origins: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def explicit(self, name: str) -> bool:
        """Return whether the setting was set explicitly rather than left at its default."""
        return self.origins.get(name, "default") != "default"

    @property
    def site_zone(self) -> datetime.tzinfo | None:
        """The zone of the times that commands read and print: ``index_timezone`` if it is set; None: the machine's."""
        return ZoneInfo(self.index_timezone) if self.index_timezone and self.explicit("index_timezone") else None

    @property
    def index_zone(self) -> datetime.tzinfo:
        """The zone of the days of indices and of the audit."""
        return ZoneInfo(self.index_timezone) if self.index_timezone else datetime.UTC

    def get(self, name: str) -> Any:
        """Return the value of the setting with the dotted name ``name``."""
        value: Any = self
        for part in name.split("."):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
        return value

    @property
    def declared(self) -> dict[str, Setting]:
        """Every setting by its dotted name, also those of the tables whose names the user chose."""
        tables = [f"{parent}.{name}" for parent in NAMED_TABLES for name in self.get(parent)]
        return {**SETTINGS, **{name: found for table in tables for name, found in named_settings(table).items()}}


@dataclass(frozen=True, slots=True)
class Setting:
    """A declared setting; ``name`` is dotted if it is in a table."""

    name: str
    kind: Kind
    default: Any
    doc: str
    reload: bool
    """Whether a reload puts a new value in force; others take effect at a restart or an upgrade."""
    also: tuple[str, ...] = ()
    """What other programs call it."""

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return PREFIX + re.sub(r"[.-]", "_", self.name).upper()

    @property
    def flag(self) -> str:
        """The name of the flag on the command line."""
        return "--" + re.sub(r"[._]", "-", self.name)

    @property
    def shown_default(self) -> str:
        """The default as a user would write it; empty if it depends on the machine."""
        return "" if self.default in ("", (), None, Path()) else self.kind.show(self.default)


def _declared(owner: type, prefix: str = "") -> Iterator[Setting]:
    for item in dataclasses.fields(owner):
        if "table" in item.metadata:
            yield from _declared(item.metadata["table"], f"{prefix}{item.name}.")
        elif "kind" in item.metadata:
            declared = item.metadata
            facts = (declared["kind"], item.default, declared["doc"], declared["reload"], declared["also"])
            yield Setting(prefix + item.name, *facts)


def _named(owner: type, prefix: str = "") -> Iterator[tuple[str, type]]:
    for item in dataclasses.fields(owner):
        if "table" in item.metadata:
            yield from _named(item.metadata["table"], f"{prefix}{item.name}.")
        elif "named" in item.metadata:
            yield prefix + item.name, item.metadata["named"]


NAMED_TABLES: Mapping[str, type] = MappingProxyType(dict(_named(Settings)))
"""What holds tables whose names the user chooses, such as ``alerts.rules``, and the dataclass of each of them."""


def named_settings(name: str) -> dict[str, Setting]:
    """Return the settings of a table with a chosen name, such as ``alerts.rules.errors``, by their dotted names."""
    found = _declared(NAMED_TABLES[name.rpartition(".")[0]], f"{name}.")
    return {setting.name: setting for setting in found}


SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in _declared(Settings)})
"""Every setting by its dotted name, in the order of declaration."""
