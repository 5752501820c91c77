"""The tables of settings, such as ``batch``, and how a setting is declared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ingestd.settings.kinds import ECS_MODES, SECRET
from ingestd.units import AGE, COUNT, DURATION, SIZE, SPACE, TEXT, ZONE, Kind, choice


def setting(default: Any, kind: Kind, doc: str, *, reload: bool = False, also: str = "") -> Any:
    """Declare a setting: its default, its kind and one sentence of documentation.

    ``reload``: whether a reload puts a new value in force. Every process that uses the setting must get it then.
    ``also``: what other programs call it, words with a space between them; an error about one of them suggests it.
    """
    metadata = {"kind": kind, "doc": doc, "reload": reload, "also": tuple(also.split())}
    return dataclasses.field(default=default, repr=kind is not SECRET, metadata=metadata)


def table(declared: type) -> Any:
    """Declare a table of settings, a frozen dataclass of its own."""
    return dataclasses.field(default_factory=declared, metadata={"table": declared})


def named_tables(declared: type) -> Any:
    """Declare tables whose names the user chooses, each of them a ``declared``: a mapping by name."""
    return dataclasses.field(default_factory=dict, metadata={"named": declared}, hash=False)


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The table ``batch``."""

    max_bytes: int = setting(
        192 * 1024, SIZE, "Bytes of one input that go through the filters in one batch.", reload=True
    )
    max_delay: float = setting(
        0.05,
        DURATION,
        "How long delivery waits for more events after a batch; the first event after a pause is sent at once.",
        reload=True,
    )


@dataclass(frozen=True, slots=True)
class DeadLettersSettings:
    """The table ``dead_letters``."""

    max_bytes: int = setting(1 << 30, SIZE, "Disk space for dead letters; the oldest are deleted first.", reload=True)


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The table ``journal``."""

    max_bytes: int = setting(
        1 << 30,
        SIZE,
        "Disk space for undelivered events in each worker's journal; when it is full, inputs stop reading.",
        reload=True,
    )
    segment_bytes: int = setting(
        16 << 20, SIZE, "Size of a journal segment file; space is freed one segment at a time.", reload=True
    )
    sync_interval: float = setting(
        0.2,
        DURATION,
        "How often the journal is synced to disk: a power failure (not a crash) can lose this much.",
        reload=True,
    )


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The table ``pipeline``."""

    ecs_compatibility: str = setting(
        "disabled",
        choice(*ECS_MODES),
        "Default of the option ecs_compatibility of all plugins: flat field names, or with `v1` or `v8` those of the "
        "Elastic Common Schema. In Logstash 8 and later the default is `v8`.",
        reload=True,
    )


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """The table ``retention``. A rule of 0 deletes nothing."""

    index: str = setting("logstash-*", TEXT, "Pattern of the indices to back up and delete; all others are left alone.")
    max_age: float = setting(
        30 * 86400.0,
        AGE,
        "How long an index stays after its day, in whole days; 0: forever. The default applies to the built-in store "
        "only: nothing is deleted from Elasticsearch unless this is set.",
    )
    max_bytes: int = setting(0, SPACE, "Total size of all indices; beyond it the oldest are deleted. 0: no limit.")
    max_indices: int = setting(0, COUNT, "Number of indices; beyond it the oldest are deleted. 0: no limit.")
    keep_free: int = setting(
        0,
        SPACE,
        "Free disk space to keep for the built-in store: below it the oldest indices are deleted. 0: no limit.",
    )


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """The table ``backup``."""

    repository: str = setting(
        "",
        TEXT,
        "Repository that each day is backed up to. Default: the only one registered; `none`: no backups.",
    )


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """The table ``restore``."""

    keep: float = setting(7 * 86400.0, AGE, "How long retention spares a restored index.")


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """The table ``schedule``."""

    cron: str = setting(
        "10 0 * * *", TEXT, "When to back up and delete indices, as five cron fields; `off`: the daemon does neither."
    )
    time_zone: str = setting("", ZONE, "Time zone of the schedule, such as Asia/Seoul. Default: the machine's.")
