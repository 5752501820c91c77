"""Checks of the system: daemon, disk, rights, sealing, backup, retention, locations, server."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ingestd.diagnosis.facts import BackupFacts, Facts
from ingestd.diagnosis.finding import Finding, Status
from ingestd.geoip.setup import INSTALL_PACKAGE, install_command
from ingestd.lifecycle.retention import Rules, next_deletion
from ingestd.stores.base import IndexInfo
from ingestd.stores.elastic.server_state import SearchServer
from ingestd.units import format_duration, round_size

LOW_SHARE, FULL_SHARE = 0.10, 0.03
"""Free shares of a disk below which it is low, or almost full."""

IDLE_S = 900.0
"""A day that is over is sealed within this time after the last write to it."""

BACKUP_AFTER_DAYS = 7
"""From this many stored days on, a store without any backup gets a warning."""

GEOIP_DAYS = 90
OLDEST_SERVERS = {"elasticsearch": (6, 0, 0), "opensearch": (2, 0, 0)}
HIGH_DISK_PERCENT, FLOOD_DISK_PERCENT = 85, 95
"""The watermarks of Elasticsearch: above the second it makes indices read-only."""

_SHOWN = 3


def check_daemon(facts: Facts) -> Iterator[Finding]:
    """Report whether a daemon runs on the data folder."""
    if facts.pid:
        yield Finding(Status.OK, "daemon.running", {"pid": str(facts.pid)})
        if facts.unread:
            yield Finding(Status.NOTE, "daemon.unread", {"reason": facts.unread})
    elif facts.pid == 0:
        yield Finding(Status.FIX, "daemon.down", {"folder": str(facts.folder)})


def check_store(facts: Facts) -> Iterator[Finding]:
    """Report whether the store can be queried."""
    if facts.store_problem:
        yield Finding(Status.FIX, "store.unavailable", {"reason": facts.store_problem})


def check_disk(facts: Facts) -> Iterator[Finding]:
    """Report how much of the data folder's disk is free."""
    if (disk := facts.disk) is None:
        return
    share = disk.free / disk.total if disk.total else 0
    values = {"free": round_size(disk.free), "total": round_size(disk.total)}
    if share < FULL_SHARE:
        yield Finding(Status.FIX, "disk.full", values)
    elif share < LOW_SHARE:
        yield Finding(Status.WARNING, "disk.low", values)
    else:
        yield Finding(Status.OK, "disk.good", values)


def check_rights(facts: Facts) -> Iterator[Finding]:
    """Report files that the daemon cannot change, and secrets that everyone can read."""
    if (rights := facts.rights) is None:
        return
    folder = str(facts.folder)
    if not rights.readable:
        yield Finding(Status.FIX, "rights.unreadable", {"folder": folder})
        return
    if rights.foreign:
        values = {"owner": rights.owner, "files": _some(rights.foreign), "folder": folder}
        yield Finding(Status.FIX, "rights.foreign", values)
    if rights.open_secrets:
        yield Finding(Status.WARNING, "rights.secrets", {"files": " ".join(rights.open_secrets)})
    if not rights.foreign and not rights.open_secrets:
        yield Finding(Status.OK, "rights.good", {"owner": rights.owner})


def check_sealing(facts: Facts) -> Iterator[Finding]:
    """Report days that are over and not sealed, and what cannot be sealed."""
    if facts.unsealed is None:
        return
    for index, reason in list(facts.sealing_errors.items())[:_SHOWN]:
        yield Finding(Status.FIX, "sealing.failed", {"index": index or "all indices", "reason": reason})
    late = [day for day in facts.unsealed if day.idle_s > IDLE_S]
    if not late:
        if not facts.sealing_errors:
            yield Finding(Status.OK, "sealing.good")
        return
    size = round_size(sum(day.bytes for day in late))
    values = {"days": f"{len(late):,}", "size": size, "indices": _some([day.index for day in late])}
    yield Finding(Status.FIX, "sealing.late", values)


def check_dead_letters(facts: Facts) -> Iterator[Finding]:
    """Report events that could not be parsed or delivered."""
    if facts.dead_letters:
        yield Finding(Status.WARNING, "deadletters.some", {"count": f"{facts.dead_letters:,}"})
    elif facts.dead_letters == 0:
        yield Finding(Status.OK, "deadletters.none")


def check_backup(facts: Facts) -> Iterator[Finding]:
    """Report past days without a verified backup."""
    backup = facts.backup
    if backup is None:
        return
    if backup.problem:
        yield Finding(Status.FIX, "backup.misconfigured", {"reason": backup.problem})
    elif backup.disabled:
        yield Finding(Status.OK, "backup.off")
    elif not backup.repository:
        days = sum(_is_backed_up(info, backup) for info in facts.indices)
        many = days > BACKUP_AFTER_DAYS
        yield Finding(
            Status.WARNING if many else Status.NOTE, "backup.none" if many else "backup.later", {"days": str(days)}
        )
    elif missing := _without_backup(facts, backup):
        values = {"days": str(len(missing)), "repository": backup.repository, "indices": _some(missing)}
        yield Finding(Status.WARNING, "backup.missing", values)
    else:
        yield Finding(Status.OK, "backup.good", {"repository": backup.repository})


def _without_backup(facts: Facts, backup: BackupFacts) -> list[str]:
    """Return the past days without a backup; yesterday's may still be to come."""
    last = facts.today - datetime.timedelta(days=1)
    return [
        info.index
        for info in facts.indices
        if _is_backed_up(info, backup) and info.day and info.day < last and info.index not in backup.verified
    ]


def _is_backed_up(info: IndexInfo, backup: BackupFacts) -> bool:
    """Return whether the daily backup is for an index at all; a restored copy is of one that has a backup."""
    return info.day is not None and not info.restored_from and fnmatchcase(info.index, backup.index)


def check_retention(facts: Facts) -> Iterator[Finding]:
    """Report by which rules days are deleted, and what the last run could not do."""
    if not facts.lifecycle:
        return
    failed = facts.backup.failed if facts.backup is not None else {}
    for index, reason in list(failed.items())[:_SHOWN]:
        yield Finding(Status.FIX, "retention.failed", {"index": index or "all indices", "reason": reason})
    rules = facts.rules
    if rules is None or rules.empty:
        yield Finding(Status.WARNING if facts.builtin_store else Status.OK, "retention.none")
    elif overdue := _overdue(facts, rules):
        yield Finding(Status.WARNING, "retention.overdue", {"days": str(len(overdue)), "indices": _some(overdue)})
    elif not failed:
        yield Finding(Status.OK, "retention.good", {"rules": _rules_text(rules)})


def _overdue(facts: Facts, rules: Rules) -> list[str]:
    """Return the indices whose last day was before yesterday: the nightly run comes once a day."""
    last = facts.today - datetime.timedelta(days=1)
    kept = facts.backup.kept if facts.backup is not None else frozenset()
    return [
        info.index
        for info in facts.indices
        if info.index not in kept and (day := next_deletion(info, rules)) is not None and day < last
    ]


def _rules_text(rules: Rules) -> str:
    parts = {
        "max_age": rules.max_age and format_duration(rules.max_age),
        "max_bytes": rules.max_bytes and round_size(rules.max_bytes),
        "max_indices": rules.max_indices and str(rules.max_indices),
        "keep_free": rules.keep_free and round_size(rules.keep_free),
    }
    return ", ".join(f"{name} {text}" for name, text in parts.items() if text)


def check_geoip(facts: Facts) -> Iterator[Finding]:
    """Report how old the database of locations is."""
    geoip = facts.geoip
    if geoip is None:
        return
    if geoip.built is None:
        yield Finding(Status.NOTE, "geoip.none", {"command": install_command(package=geoip.package)})
    elif not geoip.package:
        yield Finding(Status.FIX, "geoip.package", {"command": INSTALL_PACKAGE})
    elif (days := (facts.now.date() - geoip.built).days) > GEOIP_DAYS:
        yield Finding(Status.WARNING, "geoip.old", {"days": str(days)})
    else:
        yield Finding(Status.OK, "geoip.good", {"date": geoip.built.isoformat()})


def check_server(facts: Facts) -> Iterator[Finding]:
    """Report the version and the state of a search server, and its disks."""
    server = facts.server
    if server is None:
        return
    name = _server_name(server)
    oldest = OLDEST_SERVERS[server.flavour]
    if (0, 0, 0) < server.version < oldest:
        values = {"server": name, "oldest": ".".join(map(str, oldest[:2]))}
        yield Finding(Status.FIX, "server.unsupported", values)
    elif server.health == "red":
        yield Finding(Status.FIX, "server.red", {"server": name})
    else:
        yield Finding(Status.OK, "server.good", {"server": name, "health": server.health or "state unknown"})
    if (percent := server.disk_percent) is not None and percent > HIGH_DISK_PERCENT:
        status = Status.FIX if percent >= FLOOD_DISK_PERCENT else Status.WARNING
        yield Finding(status, "server.disk", {"server": name, "percent": str(percent)})


def _server_name(server: SearchServer) -> str:
    flavour = {"elasticsearch": "Elasticsearch", "opensearch": "OpenSearch"}[server.flavour]
    return f"{flavour} {'.'.join(map(str, server.version))}" if any(server.version) else flavour


_TEMPLATE_STATUS = {
    "current": Status.OK,
    "foreign": Status.OK,
    "older": Status.WARNING,
    "missing": Status.WARNING,
}


def check_template(facts: Facts) -> Iterator[Finding]:
    """Report whether the index template is there and current."""
    if facts.server is not None and facts.server.template:
        template = facts.server.template
        yield Finding(_TEMPLATE_STATUS[template], f"template.{template}")


def check_fields(facts: Facts) -> Iterator[Finding]:
    """Report the indices that have no room for new fields."""
    for full in facts.server.full_indices if facts.server is not None else ():
        code = "fields.rejected" if full.rejects else "fields.ignored"
        values = {"index": full.index, "fields": str(full.fields), "limit": str(full.limit)}
        yield Finding(Status.FIX if full.rejects else Status.WARNING, code, values)


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
