"""``LocalWriter``: append documents to the append logs of their indices, one write for each index and batch."""

from __future__ import annotations

import datetime
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import orjson

from ingestd.event.event_id import named_by_sender
from ingestd.files import IMPOSSIBLE_NAME, lock_file, try_lock
from ingestd.names import check_store_writer_id
from ingestd.stores.base import DocumentsRejectedError, InvalidIndexError, StoreError, disk_error
from ingestd.stores.index_names import check_index, day_of, is_index
from ingestd.stores.local.append_logs import last_ids
from ingestd.stores.local.append_logs.append_log import AppendLog, AppendLogRepair, open_append_log, repair_end
from ingestd.stores.local.append_logs.own_ids import OwnIds
from ingestd.stores.local.append_logs.stored_ids import stored_ids
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES, append_logs_in, index_folders

_MAX_BYTES = MAX_DOCUMENT_BYTES - 1024  # the line holds the id as well
_FARTHEST_WEST = datetime.timedelta(hours=12)  # a day that is over there is over everywhere
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")


class LocalWriter:
    """Appends to the built-in store, as the only process that writes as ``writer_id``.

    Opening it repairs what a crash left: an incomplete line is moved from the append log to a file next to it;
    ``repairs`` lists these lines, for logging. Not thread-safe; all calls block.

    Args:
        root: Root of the store (``layout.store_root``), created if missing.
        writer_id: 1 to 32 characters of ``a-z 0-9 _``, the same after each restart.
        max_open: Maximum number of append logs to keep open.
        roll_bytes: Size at which an append log is left to the sealer and the next one is started.
        roll_seconds: Age at which the same happens; checked whenever something is appended.
        clock: Returns seconds; only differences count.

    Raises:
        StoreError: Another process writes as ``writer_id``, or the root cannot be used.
        ValueError: The writer id is malformed.
    """

    def __init__(
        self,
        root: Path,
        writer_id: str,
        max_open: int = 64,
        *,
        roll_bytes: int = 64 << 20,
        roll_seconds: float = 900,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_store_writer_id(writer_id)
        self._root = root
        self._writer_id = writer_id
        self._max_open = max_open
        self._roll_bytes = roll_bytes
        self._roll_seconds = roll_seconds
        self._clock = clock
        self._oldest = clock()  # no open append log is older
        self._append_logs: OrderedDict[str, AppendLog] = OrderedDict()  # least recently used first
        self._done: dict[str, int] = {}  # number of the last append log left to the sealer, by index
        self._lock = _lock(root, writer_id)
        self._own_ids = OwnIds(root)
        self.repairs: list[AppendLogRepair] = []
        try:
            for folder in index_folders(root):
                self._repair(folder.path)
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, index: str, documents: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        """Append documents to an index: all of them, or none if this raises.

        Args:
            index: Name of the index.
            documents: n JSON objects in UTF-8. Tabs and line ends between tokens become spaces.
            ids: n document ids, or None.

        Raises:
            InvalidIndexError: ``index`` is not a valid name, or there is no place for its folder.
            DocumentsRejectedError: Some documents are longer than ``MAX_DOCUMENT_BYTES``.
            StoreFullError: The disk, a quota or the file size limit is full.
            StoreError: The disk fails for another reason.
        """
        if not documents:
            return
        body = append_log_lines(documents, ids)
        try:
            if self._clock() - self._oldest > self._roll_seconds:
                self._roll_old()
            while True:
                append_log = self._append_logs.get(index) or self._open(index)
                if append_log.size and append_log.size + len(body) > self._roll_bytes:
                    self._roll(index)
                    continue
                append_log.write(body)
                append_log.written = self._clock()
                if append_log.is_current():
                    break
                self._close(index)  # the index was deleted meanwhile, with what was just written
        except OSError as error:
            if error.errno in IMPOSSIBLE_NAME and self._root.is_dir():
                raise InvalidIndexError(index, f"it cannot be the name of a folder: {error.strerror}") from error
            raise disk_error(error, f"cannot append to index {index!r}") from error
        self._append_logs.move_to_end(index)

    def append_new(self, index: str, documents: Sequence[bytes], ids: Sequence[str]) -> list[int]:
        """Append those documents that an index does not have; return the positions of the others, which it has.

        Only ids that their senders made are looked for (``event_id.named_by_sender``), whoever wrote them; without any
        this is `append`. See there for what it raises; a position of a document that is rejected is one in
        ``documents``.
        """
        own = named_by_sender(ids)
        if not own or not is_index(index):
            self.append(index, documents, ids)
            return []
        with self._own_ids.repeated(index, ids, own) as had:
            refused = set(had)
            new = [position for position in range(len(ids)) if position not in refused] if had else range(len(ids))
            self._append_some(index, documents, ids, new)
        return had

    def _append_some(
        self, index: str, documents: Sequence[bytes], ids: Sequence[str], positions: Sequence[int]
    ) -> None:
        if len(positions) == len(ids):
            self.append(index, documents, ids)
            return
        try:
            self.append(index, [documents[at] for at in positions], [ids[at] for at in positions])
        except DocumentsRejectedError as error:
            raise DocumentsRejectedError(tuple(positions[at] for at in error.positions), error.reason) from None

    def last_ids(self, index: str, max_bytes: int) -> set[str]:
        """Return the ids in the last ``max_bytes`` that this writer appended to an index, sealed or not.

        After a crash they show which documents had been appended although the journal did not get the commit. Of
        sealed events, those in the last ``SEALED_IDS_BYTES`` are known.

        Raises:
            InvalidIndexError: ``index`` is not a valid name.
            StoreError: They cannot be read.
        """
        check_index(index)
        try:
            return last_ids.last_ids(self._root / index, self._writer_id, max_bytes)
        except OSError as error:
            raise disk_error(error, f"cannot read index {index!r}") from error

    def stored_ids(self, index: str, ids: Iterable[str]) -> set[str]:
        """Return those of ``ids`` that an index has, whoever wrote them. Reads all ids of the index.

        Raises:
            InvalidIndexError: ``index`` is not a valid name.
            StoreError: They cannot be read.
        """
        check_index(index)
        return stored_ids(self._root / index, ids)

    def sync(self) -> None:
        """Make everything appended so far durable (``fsync``).

        Raises:
            StoreError: The disk fails; what was appended since the last sync may be lost.
        """
        try:
            for append_log in self._append_logs.values():
                append_log.sync()
        except OSError as error:
            raise disk_error(error, "cannot sync the store") from error

    def close_idle(self, idle_seconds: float, now: datetime.datetime) -> None:
        """Unlock the append logs that need not stay open, so that the sealer can take them.

        These are the logs to which nothing was appended for ``idle_seconds``, and, of days that are over, those that
        have been open for that long: late events for such a day go to the next log.

        Args:
            idle_seconds: How long a log stays open.
            now: The current time, with a time zone.

        Raises:
            StoreError: The disk fails; what was appended since the last sync may be lost.
        """
        clock, today = self._clock(), (now.astimezone(datetime.UTC) - _FARTHEST_WEST).date()
        try:
            for index, append_log in list(self._append_logs.items()):
                if clock - append_log.written >= idle_seconds:
                    append_log.sync()
                    self._close(index)  # not rolled: if more is appended before it is sealed, it continues
                elif clock - append_log.opened >= idle_seconds and (day_of(index) or today) < today:
                    self._roll(index)
        except OSError as error:
            raise disk_error(error, "cannot sync the store") from error

    def close(self) -> None:
        """Sync, close all append logs and release the writer id."""
        try:
            self.sync()
        finally:
            for index in list(self._append_logs):
                self._close(index)
            self._own_ids.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def _open(self, index: str) -> AppendLog:
        check_index(index)
        while len(self._append_logs) >= self._max_open:
            oldest = next(iter(self._append_logs))
            self._append_logs[oldest].sync()
            self._close(oldest)
        folder = self._root / index
        while True:
            folder.mkdir(exist_ok=True, mode=0o750)
            try:
                append_log, repair = open_append_log(
                    folder, self._writer_id, self._done.get(index, 0), self._roll_bytes
                )
                break
            except FileNotFoundError:
                if folder.exists():
                    raise
        self.repairs += [repair] if repair else []
        append_log.opened = append_log.written = self._clock()
        self._append_logs[index] = append_log
        return append_log

    def _roll(self, index: str) -> None:
        """Leave an append log to the sealer: the next one has a higher number."""
        append_log = self._append_logs[index]
        append_log.sync()
        self._done[index] = append_log.number
        self._close(index)

    def _roll_old(self) -> None:
        now = self._clock()
        too_old = [index for index, log in self._append_logs.items() if now - log.opened > self._roll_seconds]
        for index in too_old:
            self._roll(index)
        self._oldest = min((append_log.opened for append_log in self._append_logs.values()), default=now)

    def _close(self, index: str) -> None:
        if append_log := self._append_logs.pop(index, None):
            append_log.close()

    def _repair(self, folder: Path) -> None:
        """Repair our newest append log of an index, unless the sealer has locked it: then the sealer repairs it."""
        own = [append_log for append_log in append_logs_in(folder) if append_log.writer == self._writer_id]
        if not own:
            return
        try:
            with (folder / str(own[-1])).open("r+b", buffering=0) as file:
                if try_lock(file.fileno()) and (repair := repair_end(folder / str(own[-1]), file.fileno())):
                    self.repairs.append(repair)
        except FileNotFoundError:
            return
        except OSError as error:
            raise disk_error(error, f"cannot repair {folder}") from error


def append_log_lines(documents: Sequence[bytes], ids: Sequence[str] | None) -> bytes:
    """Return the lines of an append log; see ``layout`` for their format."""
    count = len(documents)
    if ids is not None and len(ids) != count:
        raise ValueError(f"{count} documents have {len(ids)} ids")
    ends = [b"\t\n"] * count if ids is None else _id_columns(ids)
    lines = _joined(documents, ends)
    if len(lines) > _MAX_BYTES and (long := tuple(at for at in range(count) if len(documents[at]) > _MAX_BYTES)):
        raise DocumentsRejectedError(long, f"the document is longer than {_MAX_BYTES} bytes")
    if lines.count(b"\n") != count or lines.count(b"\t") != count or b"\r" in lines:
        return _joined([document.translate(_BLANKS) for document in documents], ends)
    return lines


def _joined(documents: Sequence[bytes], ends: Sequence[bytes]) -> bytes:
    """Return all documents, each with its end. Joined once: a batch does not fit into the processor's cache."""
    parts = [b""] * (2 * len(documents))
    parts[::2] = documents
    parts[1::2] = ends
    return b"".join(parts)


def _id_columns(ids: Sequence[str]) -> list[bytes]:
    """Return ``TAB "id" LF`` for each id."""
    quoted = orjson.dumps(list(ids))
    if b"\\" in quoted:
        return [b"\t" + orjson.dumps(document_id) + b"\n" for document_id in ids]
    # Without escapes every quote is the end of an id, and NUL is never raw, so it can separate the ids: all in C,
    # 0.1 us per id.
    return (b'\t"' + quoted[2:-2].replace(b'","', b'"\n\0\t"') + b'"\n').split(b"\0")


def _lock(root: Path, writer_id: str) -> int:
    """Return the descriptor that holds the lock of a writer; the kernel releases it when the process ends."""
    try:
        busy = StoreError(f"another process writes to {root} as writer {writer_id!r}")
        return lock_file(root / f".writer-{writer_id}.lock", busy)
    except OSError as error:
        raise disk_error(error, "cannot open the store") from error
