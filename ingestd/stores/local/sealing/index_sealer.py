"""Sealing: closed append logs become Parquet files, small Parquet files become larger ones.

One process seals; writers and readers carry on meanwhile. For each index::

    1  lock the append logs that are closed                       (nobody appends to them any more)
    2  write the new file aside, read it again, fsync       .sealing/
    3  rename it into the folder, write the ids beside it   no reader uses them yet
    4  replace the manifest                                 from here on the new file counts, the append logs do not
    5  unlink the append logs

Merging small files, and rewriting files of older versions, takes the same steps with the files in place of the logs.
Killed between any two steps, the index is as it was before step 4 or as it is after it, and the next pass removes the
leftovers. The same holds when the disk is full. A manifest that is damaged or missing is made from the sealed files
that can be read. All steps work relative to the open folder, so none touches an index that was created again meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import sync_file, try_lock, write_synced
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.append_logs import last_ids
from ingestd.stores.local.append_logs.append_log import repair_end
from ingestd.stores.local.append_logs.line_blocks import examine_lines
from ingestd.stores.local.append_logs.own_ids import remove_if_idle
from ingestd.stores.local.append_logs.readable_lines import without_unreadable
from ingestd.stores.local.duckdb.session import OutOfMemoryError, UnreadableError
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.document_columns import Columns
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES, AppendLogName, IndexFolder, append_logs_in
from ingestd.stores.local.index.manifest import DamagedManifestError, Manifest, SealedFile
from ingestd.stores.local.index.sealed_files import KnownFaults, fault, sha256
from ingestd.stores.local.sealing import leftovers
from ingestd.stores.local.sealing.leftovers import Leftovers
from ingestd.stores.local.sealing.manifest_recovery import has_sealed_files, recover
from ingestd.stores.local.sealing.parquet import ParquetWriter
from ingestd.stores.local.sealing.sealed_content import Footer, SealedContent

log = get_logger(__name__)

DAMAGED_PREFIX = "damaged-"
"""Damaged files that are not part of an index any more are kept under names with this prefix."""

SCRATCH = ".sealing"

_USUAL_LINE_BYTES = 1 << 20
"""Append logs are first read as if they had no longer lines; buffers for the longest take half of the memory."""


class DamagedFilesError(StoreError):
    """Some sealed files are damaged; whatever was due for the others is done."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When to seal and to merge.

    Attributes:
        idle_s: A writer's newest append log is closed if nobody has it open and it was not written for this long.
        batch_bytes: Append logs that go into one file have at most this size together; one log always fits.
        small_bytes: Sealed files below this size are merged.
        small_files: Maximum number of small files per index before they are merged.
        quiet_s: If an index did not change for this long, all its small files are merged.
        memory_bytes: Limit for DuckDB's memory.
    """

    idle_s: float = 60
    batch_bytes: int = 96 << 20
    small_bytes: int = 48 << 20
    small_files: int = 8
    quiet_s: float = 3600
    memory_bytes: int = 192 << 20


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that was written: its source files and number of events."""

    index: str
    file: str
    sources: tuple[str, ...]
    events: int


class IndexSealer:
    """The folder of an index while it is being sealed."""

    def __init__(
        self, root: Path, folder: IndexFolder, policy: Policy, known_faults: KnownFaults, parquet: ParquetWriter
    ) -> None:
        self._folder, self._parquet = folder, parquet
        self._scratch = root / SCRATCH
        self._policy = policy
        self._known_faults = known_faults
        self._fd = -1

    def __enter__(self) -> IndexSealer:
        self._fd = os.open(self._folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def is_deleted(self) -> bool:
        """Return whether the index was deleted since it was opened; another folder may have its name now."""
        try:
            return not os.path.samestat(os.fstat(self._fd), self._folder.path.stat())
        except FileNotFoundError:
            return True

    def seal(self) -> Iterator[NewFile]:
        """Seal and merge until nothing is due.

        Raises:
            DamagedFilesError: A sealed file is damaged; the others were merged all the same.
            StoreError: Something failed.
        """
        self._remove_leftovers(self._load_or_recover())
        while True:
            before = manifest.load(self._fd)
            with contextlib.ExitStack() as locks:
                append_logs = list(self._due(before, locks))
                if not append_logs:
                    break
                yield self._seal_in_memory(before, append_logs)
        while files := self._due_for_merge(before := manifest.load(self._fd)):
            if (merged := self._merge(before, files)) is not None:
                yield merged
        remove_if_idle(self._fd, self._policy.quiet_s)
        self._raise_faults(before)

    def rewrite(self) -> Iterator[NewFile]:
        """Rewrite the files of format 1, newest first.

        Raises:
            DamagedFilesError: A sealed file is damaged; the others were written all the same.
            StoreError: Something failed.
        """
        while older := self._of_format_1(before := manifest.load(self._fd)):
            if (rewritten := self._rewrite(before, older[0])) is not None:
                yield rewritten
        self._raise_faults(before)

    def _rewrite(self, before: Manifest, file: SealedFile) -> NewFile | None:
        """Rewrite a file; None: that failed because of the file itself, so it is left out for a while."""
        try:
            return self._merge(before, [file])
        except StoreFullError:
            raise
        except StoreError as error:
            self._known_faults.add(self._folder.path / file.name, f"cannot be rewritten: {error}")
            return None

    def _raise_faults(self, before: Manifest) -> None:
        faults = [f"{file.name} {reason}" for file in before.files if (reason := self._fault(file))]
        if faults:
            raise DamagedFilesError(f"{self._folder.path} is damaged: {'; '.join(faults)}")

    def _of_format_1(self, before: Manifest) -> list[SealedFile]:
        older = [file for file in before.files if isinstance(file.columns, tuple) and not self._fault(file)]
        return sorted(older, key=_latest, reverse=True)

    def _load_or_recover(self) -> Manifest:
        """Return the manifest; one that is damaged or missing is made from the sealed files."""
        names = os.listdir(self._fd)  # noqa: PTH208 - a descriptor
        try:
            found = manifest.load(self._fd)
            if manifest.NAME in names or not has_sealed_files(names):
                return found
            reason = "it is missing"
        except DamagedManifestError as error:
            reason = str(error)
        return self._recover(reason)

    def _recover(self, reason: str) -> Manifest:
        names = os.listdir(self._fd)  # noqa: PTH208 - a descriptor
        recovered, unreadable = recover(self._folder.path, self._parquet)
        for name in unreadable:
            os.rename(name, DAMAGED_PREFIX + name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        if manifest.NAME in names:
            os.rename(manifest.NAME, DAMAGED_PREFIX + manifest.NAME, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        self._write(manifest.NAME, manifest.encode(recovered))
        os.fsync(self._fd)
        level = log.error if unreadable else log.warning
        level(
            "the manifest of an index was made from its sealed files",
            index=self._folder.index,
            reason=reason,
            files=len(recovered.files),
            events=sum(file.events for file in recovered.files),
            damaged="; ".join(f"{name}: {text}" for name, text in unreadable.items()) or None,
        )
        return recovered

    def _fault(self, file: SealedFile) -> str:
        return fault(self._folder.path, file) or self._known_faults.get(self._folder.path / file.name)

    def _due(self, before: Manifest, locks: contextlib.ExitStack) -> Iterator[AppendLogName]:
        """Yield the closed append logs, of each writer the first ones without a gap; all are locked."""
        append_logs = [append_log for append_log in append_logs_in(self._fd) if not before.holds(append_log)]
        newest = {append_log.writer: append_log.number for append_log in append_logs}
        blocked: set[str] = set()
        size = 0
        for append_log in append_logs:
            if append_log.writer in blocked or size >= self._policy.batch_bytes:
                continue
            log_size = self._lock(append_log, locks, append_log.number == newest[append_log.writer])
            if log_size is None or (size and size + log_size > self._policy.batch_bytes):
                blocked.add(append_log.writer)
            else:
                size += log_size
                yield append_log

    def _lock(self, append_log: AppendLogName, locks: contextlib.ExitStack, newest: bool) -> int | None:
        """Lock an append log, repair its end and return its size; None if it is not closed."""
        try:
            fd = os.open(str(append_log), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        locks.callback(os.close, fd)
        stat = os.fstat(fd)
        idle = stat.st_size > 0 and time.time() - stat.st_mtime >= self._policy.idle_s
        if (newest and not idle) or not try_lock(fd):
            return None
        if repair := repair_end(self._folder.path / str(append_log), fd):
            text = "an incomplete line at the end of an append log was moved to a file of its own"
            log.warning(text, kept=repair.kept)
        return os.fstat(fd).st_size

    def _seal_in_memory(self, before: Manifest, append_logs: Sequence[AppendLogName]) -> NewFile:
        """Seal append logs, or the first ones of them if all together take too much memory."""
        while True:
            try:
                return self._seal(before, append_logs)
            except OutOfMemoryError:
                if len(append_logs) == 1:
                    raise
                append_logs = append_logs[: len(append_logs) // 2]

    def _seal(self, before: Manifest, append_logs: Sequence[AppendLogName]) -> NewFile:
        target = self._scratch / f"sealed-{before.next:05d}.parquet"
        paths = [self._folder.path / str(name) for name in append_logs]
        sealed = {name.writer: name.number for name in append_logs}  # sorted: the highest comes last
        content = self._seal_readable(paths, target, Footer({**before.sealed, **sealed}), before.newest_columns())
        for writer, number in sealed.items():
            own = [name for name in append_logs if name.writer == writer]
            self._write(last_ids.file_name(writer, number), last_ids.sealed_ids(self._folder.path, before, own))
        file = self._add(target, content)
        after = dataclasses.replace(
            before, files=(*before.files, file), sealed={**before.sealed, **sealed}, next=before.next + 1
        )
        self._commit(after, set(map(str, append_logs)))
        return NewFile(self._folder.index, file.name, tuple(map(str, append_logs)), file.events)

    def _seal_readable(
        self, append_logs: Sequence[Path], target: Path, footer: Footer, known: Columns | None
    ) -> SealedContent:
        """Seal append logs, or copies without their unreadable lines if they have any."""
        lines = examine_lines(append_logs)
        for max_line_bytes in (_USUAL_LINE_BYTES, MAX_DOCUMENT_BYTES) if lines.count == lines.tabs else ():
            content = self._parquet.seal(
                append_logs, target, footer, known, max_line_bytes, are_strict=lines.are_strict
            )
            if content.stats.events == lines.count:
                return content
        readable, count = without_unreadable(append_logs, self._scratch)
        content = self._parquet.seal(readable, target, footer, known)
        if content.stats.events != count:
            raise StoreError(f"{target} does not match its sources: {content.stats.events} of {count} events")
        return content

    def _due_for_merge(self, before: Manifest) -> list[SealedFile]:
        """Return the small files that are due to be merged, newest first."""
        small = [file for file in before.files if file.bytes < self._policy.small_bytes and not self._fault(file)]
        if len(small) < 2:
            return []
        age_s = time.time() - os.stat(manifest.NAME, dir_fd=self._fd).st_mtime
        if age_s <= self._policy.quiet_s:
            small = _of_similar_size(small) if len(small) > self._policy.small_files else []
        return sorted(small, key=_latest, reverse=True)

    def _merge(self, before: Manifest, files: Sequence[SealedFile]) -> NewFile | None:
        """Merge files; None: some of them turned out to be damaged and must be left out."""
        target = self._scratch / f"sealed-{before.next:05d}.parquet"
        paths = [self._folder.path / file.name for file in files]
        if self._find_faults(files):
            return None
        footer = Footer(before.sealed, tuple(file.name for file in files))
        try:
            content = self._parquet.merge(self._folder.path, files, target, footer)
        except UnreadableError:
            if not self._find_unreadable(paths):
                raise
            return None
        if content.stats.events != sum(file.events for file in files):
            raise StoreError(f"{self._folder.path}: files to be merged have other events than the manifest says")
        file = self._add(target, content)
        others = tuple(file for file in before.files if file not in files)
        self._commit(dataclasses.replace(before, files=(*others, file), next=before.next + 1), set(footer.merged))
        return NewFile(self._folder.index, file.name, tuple(source.name for source in files), file.events)

    def _find_faults(self, files: Sequence[SealedFile]) -> bool:
        """Compare files with their checksums, as reading may not notice damage; return whether any differs."""
        faults = [file for file in files if file.sha256 and sha256(self._folder.path / file.name) != file.sha256]
        for file in faults:
            self._known_faults.add(self._folder.path / file.name, "does not have its checksum")
        return bool(faults)

    def _find_unreadable(self, paths: Sequence[Path]) -> bool:
        """Read files one by one; return whether one of them cannot be read."""
        found = False
        for path in paths:
            try:
                self._parquet.read_all(path)
            except UnreadableError as error:
                self._known_faults.add(path, str(error))
                found = True
        return found

    def _add(self, path: Path, content: SealedContent) -> SealedFile:
        """Make a new file durable and move it into the folder."""
        sync_file(path)
        size, checksum = path.stat().st_size, sha256(path)
        os.rename(path, path.name, dst_dir_fd=self._fd)
        stats = content.stats
        times = stats.first, stats.last
        return SealedFile(
            *(path.name, stats.events, stats.untimed, *times, size, stats.raw_bytes),
            content.columns, checksum, content.rest,
        )  # fmt: skip

    def _commit(self, after: Manifest, replaced: Collection[str]) -> None:
        """Replace the manifest, then remove the files whose events are in the new one."""
        os.fsync(self._fd)  # first: the files that the manifest names
        self._write(manifest.NAME, manifest.encode(after))
        os.fsync(self._fd)
        self._clean(after, replaced)

    def _write(self, name: str, body: bytes) -> None:
        """Write a file in one step: durable first, then under its name."""
        temporary = self._scratch / name
        write_synced(temporary, body)
        os.rename(temporary, name, dst_dir_fd=self._fd)

    def _clean(self, after: Manifest, replaced: Collection[str]) -> None:
        """Unlink the files that the last step has put into a new one, and ids that are no longer needed."""
        needed = {last_ids.file_name(writer, number) for writer, number in after.sealed.items()}
        for name in os.listdir(self._fd):  # noqa: PTH208 - a descriptor
            if name in replaced or (name.startswith("ids-") and name not in needed):
                os.unlink(name, dir_fd=self._fd)

    def _remove_leftovers(self, before: Manifest) -> None:
        """Unlink what an interrupted step left, once it is shown that the index has all its events.

        If it has not, the manifest is wrong, and made from the sealed files as a damaged one is. What is in no manifest
        then either is kept under another name.
        """
        found = self._examine(before)
        if found.unproven:
            before = self._recover("; ".join(f"{name}: {reason}" for name, reason in found.unproven.items()))
            found = self._examine(before)
            for name in filter(manifest.is_sealed_name, found.unproven):
                os.rename(name, DAMAGED_PREFIX + name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        self._clean(before, found.proven)

    def _examine(self, before: Manifest) -> Leftovers:
        names = os.listdir(self._fd)  # noqa: PTH208 - a descriptor
        return leftovers.examine(self._folder.path, before, names, self._parquet)


def _latest(file: SealedFile) -> int:
    return file.last or 0


def _of_similar_size(files: Sequence[SealedFile]) -> list[SealedFile]:
    """Return the smallest files, at least two, and each larger one that is no larger than those before it together.

    So a file at least doubles whenever it is rewritten: an event is not written again for each new small file.
    """
    smallest = sorted(files, key=lambda file: file.bytes)
    count, size = 2, smallest[0].bytes + smallest[1].bytes
    while count < len(smallest) and smallest[count].bytes <= size:
        size += smallest[count].bytes
        count += 1
    return smallest[:count]
