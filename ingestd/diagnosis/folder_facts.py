"""Facts from the data folder and the machine. Files that vanish meanwhile, or cannot be read, are left out."""

from __future__ import annotations

import contextlib
import datetime
import os
import pwd
import shutil
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder
from ingestd.diagnosis.facts import Disk, GeoIp, Rights, Sample, UnsealedDay
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import normalise, to_epoch_ns
from ingestd.geoip.database_folder import installed_database
from ingestd.geoip.setup import has_package
from ingestd.journal.folders import journal_folders
from ingestd.journal.survey import newest_chunks
from ingestd.stores.known_fields import HOST_FIELDS, text_getter
from ingestd.stores.local.index.layout import append_logs_in, index_folders, store_root

_host = text_getter((*HOST_FIELDS, "@source_host"))

SAMPLES = 200
_MAX_FILES = 20_000  # of which the owners are looked at
_APP_SERVERS = ("gunicorn", "uvicorn", "daphne", "uwsgi", "hypercorn", "granian", "waitress-serve")


def disk(folder: Path) -> Disk | None:
    """Return the disk of a folder."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.total, usage.free)


def rights(folder: Path, secrets: Iterable[Path]) -> Rights:
    """Return who may do what in the data folder; ``secrets``: files of passwords."""
    if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        return Rights(readable=False)
    uid = folder.stat().st_uid
    foreign = [str(path.relative_to(folder)) for path, owner in islice(_owners(folder), _MAX_FILES) if owner != uid]
    return Rights(owner=_user(uid), foreign=tuple(foreign), open_secrets=tuple(_open_to_all(secrets)))


def _owners(folder: Path) -> Iterator[tuple[Path, int]]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                path = Path(parent, name)
                yield path, path.lstat().st_uid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _open_to_all(secrets: Iterable[Path]) -> Iterator[str]:
    for path in secrets:
        with contextlib.suppress(OSError):
            if path.stat().st_mode & 0o004:
                yield str(path)


def unsealed_days(folder: Path, today: datetime.date) -> tuple[UnsealedDay, ...]:
    """Return the days before ``today`` that still have append logs, oldest first."""
    found = []
    for index in index_folders(store_root(folder)):
        if index.day is None or index.day >= today:
            continue
        states = []
        for name in append_logs_in(index.path):
            with contextlib.suppress(OSError):
                states.append((index.path / str(name)).stat())
        size = sum(state.st_size for state in states)
        if size:
            idle = time.time() - max(state.st_mtime for state in states)
            found.append(UnsealedDay(index.index, size, idle))
    return tuple(found)


def dead_letters_since(folder: Path, moment: datetime.datetime) -> int:
    """Return the number of dead letters since a moment."""
    reader = DeadLetterReader(dead_letters_folder(folder))
    try:
        if not any(path.stat().st_mtime >= moment.timestamp() for path in reader.files()):
            return 0
        since = moment.isoformat()[:19]
        letters = (found.dead_letter for found in reader.read())
        return sum(letter is not None and letter.time[:19] >= since for letter in letters)
    except OSError:
        return 0


def geoip(folder: Path) -> GeoIp:
    """Return what is known of the database of locations."""
    database = installed_database(folder)
    try:
        built = datetime.date.fromisoformat(database.built[:10]) if database else None
    except ValueError:
        built = None
    return GeoIp(built, has_package())


def samples(folder: Path) -> tuple[Sample, ...]:
    """Return some of the records that were received last, as long as a journal holds them."""
    found: list[Sample] = []
    with contextlib.suppress(OSError):
        for journal in journal_folders(folder):
            for chunk in newest_chunks(journal, SAMPLES):
                received = datetime.datetime.fromtimestamp(chunk.time_ns / 1e9, datetime.UTC)
                found += [record for line in chunk.data.splitlines() if (record := _sample(line, received))]
    return tuple(sorted(found, key=lambda sample: sample.received)[-SAMPLES:])


def _sample(line: bytes, received: datetime.datetime) -> Sample | None:
    """Return a line as a sample, None if it is not a JSON object."""
    try:
        event = loads(line)
    except NotJsonError:
        return None
    if not isinstance(event, dict):
        return None
    if "@fields" in event and "@message" in event:
        version: int | None = 0
    else:
        version = 1 if event.get("@version") == "1" and "logger_name" in event else None
    return Sample(received, _time(event.get("@timestamp")), version, _host(event))


def _time(value: Any) -> datetime.datetime | None:
    canonical = normalise(value)
    if canonical is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(to_epoch_ns(canonical) / 1e9, datetime.UTC)
    except (ValueError, OverflowError):
        return None


def app_servers(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return the Python web servers that run on this machine, as far as this user may see them."""
    found = set()
    for path in proc.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")[:4]
            names = {os.path.basename(word).decode(errors="replace") for word in words}  # noqa: PTH119 -- bytes
            found |= names & set(_APP_SERVERS)
            if b"runserver" in words:
                found.add("runserver")
    return tuple(sorted(found))
