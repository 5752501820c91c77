"""``LocalWriter``: append documents to the tails of their indices, one write for each index and batch."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from ingestd.stores.base import DocumentsRefusedError, StoreError, StoreFullError
from ingestd.stores.local.layout import (
    MAX_DOCUMENT_BYTES,
    check_index,
    check_writer_id,
    folders,
    sync_folder,
    tail_path,
)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MAX_BYTES = MAX_DOCUMENT_BYTES - 1024  # its id has its place in the line too
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")


@dataclass(frozen=True, slots=True)
class Repair:
    """What a crash left of a line: ``size`` bytes at ``offset`` of ``tail``, moved to the file ``kept``."""

    tail: Path
    offset: int
    size: int
    kept: Path


@dataclass(slots=True)
class _Tail:
    path: Path
    fd: int
    size: int  # bytes; all of them whole lines
    dirty: bool = True  # also when just opened: a killed process may have left bytes that are not on the disk yet
    torn: bool = False  # a failed write could not be taken back yet


class LocalWriter:
    """Appends to the built-in store as the one process that writes as ``writer_id``.

    Opening it repairs what a crash has left: a line without its end is cut off and kept beside the tail;
    ``repairs`` lists them, for the log. To be called from one thread at a time; all calls block.

    Args:
        root: The store (``layout.store_root``); made on the first append.
        writer_id: 1 to 32 of ``a-z 0-9 _``, the same after each restart.
        max_open: How many tails are kept open.

    Raises:
        StoreError: Another process writes as ``writer_id``, or the root cannot be used.
        ValueError: The writer id is malformed.
    """

    def __init__(self, root: Path, writer_id: str, max_open: int = 64) -> None:
        check_writer_id(writer_id)
        self._root = root
        self._writer_id = writer_id
        self._max_open = max_open
        self._tails: OrderedDict[str, _Tail] = OrderedDict()  # the longest unused first
        self._lock = _lock(root, writer_id)
        try:
            found = (tail_path(folder.path, writer_id) for folder in folders(root))
            self.repairs = [repair for path in found if (repair := _repair(path))]
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, index: str, documents: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        """Append documents to an index: all of them, or none if this raises.

        Args:
            index: Name of the index.
            documents: n JSON objects in UTF-8. Tabs and line ends between their tokens become spaces.
            ids: n document ids, or ``None``.

        Raises:
            InvalidIndexError: ``index`` can be no index.
            DocumentsRefusedError: Some are longer than ``MAX_DOCUMENT_BYTES``.
            StoreFullError: The disk, the quota or the file size limit is full.
            StoreError: Any other failure of the disk.
        """
        if not documents:
            return
        tail = self._tails.get(index)
        body = _lines(documents, ids)
        try:
            while True:
                tail = tail or self._open(index)
                _write(tail, body)
                if _is_at(tail):
                    break
                self._forget(index)  # the index was deleted meanwhile: what was written goes with it
                tail = None
        except OSError as error:
            raise _store_error(error, f"cannot append to index {index!r}") from error
        self._tails.move_to_end(index)

    def last_ids(self, index: str, max_bytes: int) -> set[str]:
        """Return the ids of the documents in the last ``max_bytes`` of this writer's tail of an index.

        After a crash they tell what was appended although nobody could note any more that it was.

        Raises:
            StoreError: The tail cannot be read.
        """
        path = tail_path(self._root / index, self._writer_id)
        try:
            with path.open("rb") as tail:
                size = tail.seek(0, os.SEEK_END)
                begin = tail.seek(max(size - max_bytes, 0))
                lines = tail.read().split(b"\n")
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise _store_error(error, f"cannot read index {index!r}") from error
        whole = lines[1 if begin else 0 : -1]  # the first may lack its begin; behind the last there is nothing
        ids = (line.rpartition(b"\t")[2] for line in whole)
        return {orjson.loads(one) for one in ids if one.startswith(b'"')}

    def sync(self) -> None:
        """Return when everything appended so far is on the disk (``fsync``).

        Raises:
            StoreError: The disk refuses; what was appended since the last sync may be lost.
        """
        try:
            for tail in self._tails.values():
                _sync(tail)
        except OSError as error:
            raise _store_error(error, "cannot sync the store") from error

    def close(self) -> None:
        """Sync, close all tails and let another process write as this writer id."""
        try:
            self.sync()
        finally:
            for index in list(self._tails):
                self._forget(index)
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def _open(self, index: str) -> _Tail:
        check_index(index)
        while len(self._tails) >= self._max_open:
            oldest = next(iter(self._tails))
            _sync(self._tails[oldest])
            self._forget(oldest)
        folder = self._root / index
        folder.mkdir(exist_ok=True, mode=0o750)
        path = tail_path(folder, self._writer_id)
        if repair := _repair(path):
            self.repairs.append(repair)
        new = not path.exists()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._tails[index] = tail = _Tail(path, fd, os.fstat(fd).st_size)
        if new:
            sync_folder(folder)
            sync_folder(self._root)
        return tail

    def _forget(self, index: str) -> None:
        if tail := self._tails.pop(index, None):
            os.close(tail.fd)


def _lines(documents: Sequence[bytes], ids: Sequence[str] | None) -> bytes:
    """Return the lines of a tail; their format is told in ``layout``."""
    joined = b"".join(documents)
    if len(joined) > _MAX_BYTES and (long := tuple(at for at, one in enumerate(documents) if len(one) > _MAX_BYTES)):
        raise DocumentsRefusedError(long, f"the document is longer than {_MAX_BYTES} bytes")
    if b"\n" in joined or b"\t" in joined or b"\r" in joined:
        documents = [document.translate(_BLANKS) for document in documents]
    if ids is None:
        return b"\t\n".join(documents) + b"\t\n"
    if len(ids) != len(documents):
        raise ValueError(f"{len(documents)} documents have {len(ids)} ids")
    parts = [b""] * (2 * len(documents))
    parts[::2] = documents
    parts[1::2] = _id_columns(ids)
    return b"".join(parts)


def _id_columns(ids: Sequence[str]) -> list[bytes]:
    """Return ``TAB "id" LF`` for each id."""
    quoted = orjson.dumps(list(ids))
    if b"\\" in quoted:
        return [b"\t" + orjson.dumps(one) + b"\n" for one in ids]
    # Without escapes all quotes are ends of ids, and NUL is never raw, so that it can mark the places
    # between the ids: all in C, 0.1 us for an id.
    return (b'\t"' + quoted[2:-2].replace(b'","', b'"\n\0\t"') + b'"\n').split(b"\0")


def _write(tail: _Tail, body: bytes) -> None:
    """Append ``body``, or leave the tail as it was and raise ``OSError``."""
    if tail.torn:
        _take_back(tail)
    tail.dirty = True
    try:
        done = os.write(tail.fd, body)
        while done < len(body):  # a full disk or a size limit takes a part first, then refuses
            done += os.write(tail.fd, body[done:])
    except OSError:
        tail.torn = True
        _take_back(tail)
        raise
    tail.size += done


def _is_at(tail: _Tail) -> bool:
    """Return whether the open file is still the one of its name: neither deleted nor moved away."""
    try:
        return os.path.samestat(os.fstat(tail.fd), tail.path.stat())
    except FileNotFoundError:
        return False


def _take_back(tail: _Tail) -> None:
    os.ftruncate(tail.fd, tail.size)
    tail.torn = False


def _sync(tail: _Tail) -> None:
    if tail.dirty:
        os.fsync(tail.fd)
        tail.dirty = False


def _lock(root: Path, writer_id: str) -> int:
    """Return the descriptor that holds the lock of a writer; the kernel frees it when the process ends."""
    path = root / f".writer-{writer_id}.lock"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o750)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise _store_error(error, "cannot open the store") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StoreError(f"another process writes to {root} as writer {writer_id!r}") from error
    return fd


def _repair(path: Path) -> Repair | None:
    """Cut a line that has no end off a tail and keep it beside; ``None`` if the tail is whole."""
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            end = _end_of_lines(file.fileno(), size)
            if end == size:
                return None
            kept = path.with_name(f"{path.stem}.torn-{end}")
            kept.write_bytes(os.pread(file.fileno(), size - end, end))
            with kept.open("rb") as copy:
                os.fsync(copy.fileno())
            file.truncate(end)
            os.fsync(file.fileno())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _store_error(error, f"cannot repair {path}") from error
    return Repair(path, end, size - end, kept)


def _end_of_lines(fd: int, size: int, step: int = 1 << 16) -> int:
    """Return the offset after the last line end of a file, 0 if it has none."""
    while size > 0:
        start = max(0, size - step)
        if (found := os.pread(fd, size - start, start).rfind(b"\n")) >= 0:
            return start + found + 1
        size = start
    return 0


def _store_error(error: OSError, what: str) -> StoreError:
    kind = StoreFullError if error.errno in _FULL else StoreError
    return kind(f"{what}: {error.strerror or error}")
