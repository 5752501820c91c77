"""What a file is that was found under a name: one that was read before, a copy of one, or a new one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from ingestd.plugins.inputs._file_copies import NEW, ReadAt, Sample, find_original
from ingestd.plugins.inputs._file_positions import Positions
from ingestd.plugins.inputs._file_records import FileRecord, Key
from ingestd.plugins.inputs._file_settings import WatchSettings, start_of
from ingestd.plugins.inputs._file_watched import Look

YOUNG_SECONDS = 60.0
"""A file that was written to within this time may not be complete."""


class _Copy(NamedTuple):
    """A file of which it is not known yet what to read: its original is still read, or it is still written."""

    key: Key
    look: Look
    record: FileRecord | None


class Adoption:
    """Finds the records of files.

    Args:
        settings: Where new files start, and which are too old.
        positions: The records.
        content_of: Returns the content of a file that is read, None if it is not open.
    """

    def __init__(
        self, settings: WatchSettings, positions: Positions, content_of: Callable[[FileRecord], ReadAt | None]
    ) -> None:
        self._settings, self._positions, self._content_of = settings, positions, content_of
        self._ignored: dict[str, tuple[Key, Look]] = {}  # too old, until they change
        self._copies: dict[str, _Copy] = {}
        self.first = True
        """Whether the files are those that existed when the process started."""

    def forget_missing(self, found: dict[str, os.stat_result]) -> list[str]:
        """Forget the paths that were put off and are not found any more; returns them."""
        gone = [path for path in (*self._ignored, *self._copies) if path not in found]
        for path in gone:
            self._ignored.pop(path, None)
            self._copies.pop(path, None)
        return gone

    def is_put_off(self, path: str, status: os.stat_result) -> bool:
        """Return whether a file is not to be read: it is too old, or a copy, and nothing has changed."""
        key, look = key_of(status), Look(status.st_size, status.st_mtime_ns)
        copy = self._copies.get(path)
        if copy is not None and copy[:2] == (key, look) and copy.record is not None and copy.record.state != "ended":
            return True
        return self._is_too_old(path, key, look, time.time() - status.st_mtime)

    def _is_too_old(self, path: str, key: Key, look: Look, age: float) -> bool:
        if self._ignored.get(path) == (key, look):
            return True
        known = self._ignored.pop(path, None) is not None or key in self._positions.records
        if known or not self._settings.ignore_older or age <= self._settings.ignore_older:
            return False
        self._ignored[path] = key, look
        return True

    def record_of(self, path: str, sample: Sample, status: os.stat_result) -> FileRecord | None:
        """Return the record of a file, which may be a new one; None: it is put off."""
        record = self._find(path, key_of(status), Look(status.st_size, status.st_mtime_ns), sample)
        if record is not None and not sample.compressed and not record.is_done:
            self._positions.note(record, sample.read_at)
        return record

    def _find(self, path: str, key: Key, look: Look, sample: Sample) -> FileRecord | None:
        known = self._positions.records.get(key)
        if known is not None and self._goes_on(known, look, sample) and self._is_same(known, path):
            return known
        if known is not None:
            self._positions.end(known)
        elif (given_up := self._given_up(key, look, sample)) is not None:
            self._positions.go_on(given_up, key)
            return given_up
        return self._copied_or_new(path, key, look, sample)

    def _is_same(self, record: FileRecord, path: str) -> bool:
        """Return whether a file has anything by which to know it; one of which nothing was read needs its name."""
        return record.is_known or record.path == path

    def _goes_on(self, record: FileRecord, look: Look, sample: Sample) -> bool:
        if record.is_done and (record.size, record.mtime_ns) == look:
            return True
        if record.is_done and not record.start_bytes:
            return False  # it was empty
        if sample.compressed:
            return record.start_bytes > 0 and sample.has_start_of(record)
        return look.size >= self._positions.position(record) and record.matches(sample.read_at)

    def _given_up(self, key: Key, look: Look, sample: Sample) -> FileRecord | None:
        """Return the record of a file that was renamed and then given up, before it was found under its new name."""
        records = [record for record in self._positions.ended if record.key == key and record.start_bytes]
        return next((record for record in reversed(records) if self._goes_on(record, look, sample)), None)

    def _copied_or_new(self, path: str, key: Key, look: Look, sample: Sample) -> FileRecord | None:
        related = [(record, self._content_of(record)) for record in self._positions.related(path)]
        young = time.time() - look.mtime_ns / 1e9 < YOUNG_SECONDS
        verdict, before = find_original(sample, related, young=young), self._copies.pop(path, None)
        if verdict.waits:
            self._copies[path] = _Copy(key, look, verdict.record)
            return None
        if verdict.record is not None:
            if not sample.compressed and look.size < self._positions.position(verdict.record):
                return self._read_already(path, key, look)  # an older copy
            self._positions.go_on(verdict.record, key)
            return verdict.record
        if verdict is NEW and before is not None and before[:2] == (key, look) and before.record is not None:
            return self._read_already(path, key, look)  # its original was read beyond the copy before it ended
        return self._new(path, key, look, sample)

    def _new(self, path: str, key: Key, look: Look, sample: Sample) -> FileRecord:
        from_end = self.first and self._settings.from_end and not self._positions.existed
        if sample.compressed and from_end:
            return self._read_already(path, key, look)
        known = self._positions.logstash_position(key)
        delimiter = self._settings.delimiter
        start = start_of(sample, look.size, from_end=from_end, known=known, delimiter=delimiter)
        read_at = sample.read_start_at if sample.compressed else sample.read_at
        return self._positions.new(path, key, start, read_at)

    def _read_already(self, path: str, key: Key, look: Look) -> FileRecord:
        record = self._positions.new(path, key, 0, lambda size, offset: b"")
        record.state, record.size, record.mtime_ns = "finished", *look
        return record


def key_of(status: os.stat_result) -> Key:
    """Return device and inode number."""
    return status.st_dev, status.st_ino
