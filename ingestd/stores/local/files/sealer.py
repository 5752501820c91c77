"""Sealing: tails that are done become Parquet files, small Parquet files become larger ones.

One process seals; writers and readers go on meanwhile. For each index::

    1  take the locks of the tails that are done            (nobody appends any more)
    2  write the new file aside, read it again, fsync       .sealing/
    3  rename it into the folder, write the ids beside it   nobody knows of them yet
    4  replace the manifest                                 from here on the new file counts, the tails do not
    5  unlink the tails

Killed between any two of them, the index is as it was before 4 or as it is after it; the next pass takes away what
is left over. The same holds for a disk that is full. All is done relative to the open folder, so that an index
that is deleted, and perhaps begun again under its name, is not touched by what was meant for the old one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import locked_file, sync_file, try_lock, write_synced
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError
from ingestd.stores.local.files import deletion, last_ids, manifest, unreadable
from ingestd.stores.local.files.append_log import repair_end, store_error
from ingestd.stores.local.files.layout import Folder, TailName, folders, tails_of
from ingestd.stores.local.files.manifest import Manifest, SealedFile
from ingestd.stores.local.files.parquet import CORE_FIELDS, Content, maker

log = get_logger(__name__)

SCRATCH = ".sealing"
_LOCK = ".sealer.lock"


@dataclass(frozen=True, slots=True)
class Policy:
    """When to seal and to join.

    Attributes:
        idle_s: The newest tail of a writer is done if nobody has it open and it was not written for so long.
        batch_bytes: At most so much of tails goes into one file, but at least one tail.
        small_bytes: A sealed file below this is joined with others.
        small_files: So many small files an index may have.
        quiet_s: All small files of an index that did not change for so long are joined.
        memory_bytes: Bound for DuckDB's memory.
    """

    idle_s: float = 60
    batch_bytes: int = 128 << 20
    small_bytes: int = 128 << 20
    small_files: int = 8
    quiet_s: float = 3600
    memory_bytes: int = 384 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was made: of which files, and how many events are in it."""

    index: str
    file: str
    sources: tuple[str, ...]
    events: int


def run(root: Path, stop: threading.Event, *, interval_s: float = 30, policy: Policy | None = None) -> None:
    """Seal until ``stop`` is set. To be run in a process of its own, with low priority: each pass may take seconds.

    An index that cannot be sealed, for instance because the disk is full, is logged and tried again.
    """
    while not stop.is_set():
        try:
            for done in seal_once(root, policy, stop):
                log.info("sealed", index=done.index, file=done.file, sources=len(done.sources), events=done.events)
        except StoreError as error:
            log.error("what was appended cannot be sealed; it stays as it is", root=root, error=error)
        stop.wait(interval_s)


def seal_once(root: Path, policy: Policy | None = None, stop: threading.Event | None = None) -> list[Done]:
    """Seal and join whatever is due, index by index, and take away what an earlier crash has left.

    ``stop`` ends the pass after the file that is being made. One index that fails does not hold up the others.

    Raises:
        StoreError: Another process seals, or at least one index failed; this is the first error.
    """
    if not root.is_dir():
        return []
    made: list[Done] = []
    errors: list[StoreError] = []
    with _locked(root):
        deletion.remove_hidden(root)
        for folder in folders(root):
            try:
                with _Index(root, folder, policy or Policy()) as index:
                    for done in index.seal():
                        made.append(done)
                        if stop is not None and stop.is_set():
                            return made
            except FileNotFoundError:
                continue  # deleted meanwhile
            except OSError as error:
                errors.append(store_error(error, f"cannot seal {folder.index}"))
            except StoreError as error:
                errors.append(error)
    if errors:
        raise errors[0]
    return made


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Be the only one to seal, with an empty scratch folder."""
    try:
        with locked_file(root / _LOCK, StoreError(f"another process seals {root}")):
            scratch = root / SCRATCH
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o750, exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise store_error(error, "cannot seal the store") from error


class _Index:
    """The folder of one index while it is sealed."""

    def __init__(self, root: Path, folder: Folder, policy: Policy) -> None:
        self._folder = folder
        self._scratch = root / SCRATCH
        self._policy = policy
        self._fd = -1

    def __enter__(self) -> _Index:
        self._fd = os.open(self._folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def seal(self) -> Iterator[Done]:
        """Seal and join until nothing is due."""
        self._clean(manifest.load(self._fd))
        while True:
            known = manifest.load(self._fd)
            with contextlib.ExitStack() as locks:
                tails = list(self._due(known, locks))
                if not tails:
                    break
                yield self._seal(known, tails)
        while files := self._to_join(known := manifest.load(self._fd)):
            yield self._join(known, files)

    def _due(self, known: Manifest, locks: contextlib.ExitStack) -> Iterator[TailName]:
        """Return the tails that are done, of each writer the first ones without a gap; all are locked."""
        tails = [tail for tail in tails_of(self._fd) if not known.holds(tail)]
        newest = {tail.writer: tail.number for tail in tails}
        blocked: set[str] = set()
        size = 0
        for tail in tails:
            if tail.writer in blocked or size >= self._policy.batch_bytes:
                continue
            found = self._lock(tail, locks, tail.number == newest[tail.writer])
            if found is None:
                blocked.add(tail.writer)
            else:
                size += found
                yield tail

    def _lock(self, tail: TailName, locks: contextlib.ExitStack, newest: bool) -> int | None:
        """Lock a tail, mend its end and return its size; None if it is not done."""
        try:
            fd = os.open(str(tail), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        locks.callback(os.close, fd)
        found = os.fstat(fd)
        idle = found.st_size > 0 and time.time() - found.st_mtime >= self._policy.idle_s
        if (newest and not idle) or not try_lock(fd):
            return None
        if repair := repair_end(self._folder.path / str(tail), fd):
            log.warning("the end of a tail was torn by a crash and is kept aside", kept=repair.kept)
        return os.fstat(fd).st_size

    def _seal(self, known: Manifest, tails: Sequence[TailName]) -> Done:
        target = self._scratch / f"sealed-{known.next:05d}.parquet"
        paths = [self._folder.path / str(tail) for tail in tails]
        with maker(self._scratch / "spill", self._policy.memory_bytes) as make:
            readable = unreadable.without(paths, make, self._scratch)
            content = make.seal(readable, target)
        marks = {tail.writer: tail.number for tail in tails}  # sorted: the highest comes last
        for writer, number in marks.items():
            own = [tail for tail in tails if tail.writer == writer]
            self._write(last_ids.name(writer, number), last_ids.of_sealed(self._folder.path, known, own))
        file = self._place(target, content)
        after = dataclasses.replace(
            known, files=(*known.files, file), sealed={**known.sealed, **marks}, next=known.next + 1
        )
        self._commit(after)
        return Done(self._folder.index, file.name, tuple(map(str, tails)), file.events)

    def _to_join(self, known: Manifest) -> list[SealedFile]:
        """Return the small files that are to become one, the newest first; none if it is not time."""
        small = [file for file in known.files if file.bytes < self._policy.small_bytes and file.columns == CORE_FIELDS]
        if len(small) < 2:
            return []
        age_s = time.time() - os.stat(manifest.NAME, dir_fd=self._fd).st_mtime
        if len(small) <= self._policy.small_files and age_s <= self._policy.quiet_s:
            return []
        return sorted(small, key=lambda file: file.last or 0, reverse=True)

    def _join(self, known: Manifest, files: Sequence[SealedFile]) -> Done:
        target = self._scratch / f"sealed-{known.next:05d}.parquet"
        with maker(self._scratch / "spill", self._policy.memory_bytes) as make:
            paths = [self._folder.path / file.name for file in files]
            content = make.join(paths, sum(file.raw_bytes for file in files), target)
        file = self._place(target, content)
        others = tuple(one for one in known.files if one not in files)
        self._commit(dataclasses.replace(known, files=(*others, file), next=known.next + 1))
        return Done(self._folder.index, file.name, tuple(one.name for one in files), file.events)

    def _place(self, made: Path, content: Content) -> SealedFile:
        """Put a new file on the disk and into the folder."""
        sync_file(made)
        size = made.stat().st_size
        os.rename(made, made.name, dst_dir_fd=self._fd)
        return SealedFile(
            made.name,
            content.events,
            content.untimed,
            content.first,
            content.last,
            size,
            content.raw_bytes,
            CORE_FIELDS,
        )

    def _commit(self, after: Manifest) -> None:
        """Make the new manifest the one that counts, then take away what it does not name."""
        os.fsync(self._fd)  # the names of what it names, before it
        self._write(manifest.NAME, manifest.encode(after))
        os.fsync(self._fd)
        self._clean(after)

    def _write(self, name: str, body: bytes) -> None:
        """Write a file as a whole: aside, to the disk, then under its name."""
        aside = self._scratch / name
        write_synced(aside, body)
        os.rename(aside, name, dst_dir_fd=self._fd)

    def _clean(self, known: Manifest) -> None:
        """Unlink what is sealed, and what a crash has left of a file that never counted."""
        named = {file.name for file in known.files}
        named |= {last_ids.name(writer, number) for writer, number in known.sealed.items()}
        for name in os.listdir(self._fd):  # noqa: PTH208 - a descriptor
            tail = TailName.parse(name)
            ours = name.startswith(("sealed-", "ids-"))
            if (ours and name not in named) or (tail is not None and known.holds(tail)):
                os.unlink(name, dir_fd=self._fd)
