"""``LocalWriter``: append documents to the tails of their indices, one write for each index and batch."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import orjson

from ingestd.files import lock_file, try_lock
from ingestd.stores.base import DocumentsRefusedError, StoreError
from ingestd.stores.local.files import last_ids
from ingestd.stores.local.files.append_log import Repair, Tail, open_tail, repair_end, store_error
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES, check_index, check_writer_id, folders, tails_of

_MAX_BYTES = MAX_DOCUMENT_BYTES - 1024  # its id has its place in the line too
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")


class LocalWriter:
    """Appends to the built-in store as the one process that writes as ``writer_id``.

    Opening it repairs what a crash has left: a line without its end is cut off and kept beside the tail;
    ``repairs`` lists them, for the log. To be called from one thread at a time; all calls block.

    Args:
        root: The store (``layout.store_root``); made on the first append.
        writer_id: 1 to 32 of ``a-z 0-9 _``, the same after each restart.
        max_open: How many tails are kept open.
        roll_bytes: A tail of this size is left to the sealer, and the next one begun.
        roll_seconds: The same for a tail that was open so long. Looked at whenever something is appended.

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
    ) -> None:
        check_writer_id(writer_id)
        self._root = root
        self._writer_id = writer_id
        self._max_open = max_open
        self._roll_bytes = roll_bytes
        self._roll_seconds = roll_seconds
        self._oldest = time.monotonic()  # no open tail was opened before
        self._tails: OrderedDict[str, Tail] = OrderedDict()  # the longest unused first
        self._done: dict[str, int] = {}  # for each index the number of the tail that was left last
        self._lock = _lock(root, writer_id)
        self.repairs: list[Repair] = []
        try:
            for folder in folders(root):
                self._repair(folder.path)
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
        body = _lines(documents, ids)
        try:
            if time.monotonic() - self._oldest > self._roll_seconds:
                self._leave_old()
            while True:
                tail = self._tails.get(index) or self._open(index)
                if tail.size and tail.size + len(body) > self._roll_bytes:
                    self._leave(index)
                    continue
                tail.write(body)
                if tail.is_in_place():
                    break
                self._forget(index)  # the index was deleted meanwhile: what was written goes with it
        except OSError as error:
            raise store_error(error, f"cannot append to index {index!r}") from error
        self._tails.move_to_end(index)

    def last_ids(self, index: str, max_bytes: int) -> set[str]:
        """Return the ids in the last ``max_bytes`` that this writer has appended to an index, be they sealed or not.

        After a crash they tell what was appended although nobody could note any more that it was. Of what is
        sealed, those of the last ``SEALED_IDS_BYTES`` are known.

        Raises:
            StoreError: They cannot be read.
        """
        try:
            return last_ids.last_ids(self._root / index, self._writer_id, max_bytes)
        except OSError as error:
            raise store_error(error, f"cannot read index {index!r}") from error

    def sync(self) -> None:
        """Return when everything appended so far is on the disk (``fsync``).

        Raises:
            StoreError: The disk refuses; what was appended since the last sync may be lost.
        """
        try:
            for tail in self._tails.values():
                tail.sync()
        except OSError as error:
            raise store_error(error, "cannot sync the store") from error

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

    def _open(self, index: str) -> Tail:
        check_index(index)
        while len(self._tails) >= self._max_open:
            oldest = next(iter(self._tails))
            self._tails[oldest].sync()
            self._forget(oldest)
        folder = self._root / index
        while True:
            folder.mkdir(exist_ok=True, mode=0o750)
            try:
                tail, repair = open_tail(folder, self._writer_id, self._done.get(index, 0), self._roll_bytes)
                break
            except FileNotFoundError:
                if folder.exists():
                    raise
        self.repairs += [repair] if repair else []
        self._tails[index] = tail
        return tail

    def _leave(self, index: str) -> None:
        """Close a tail for good: the next one has another number."""
        tail = self._tails[index]
        tail.sync()
        self._done[index] = tail.number
        self._forget(index)

    def _leave_old(self) -> None:
        now = time.monotonic()
        for index in [one for one, tail in self._tails.items() if now - tail.opened > self._roll_seconds]:
            self._leave(index)
        self._oldest = min((tail.opened for tail in self._tails.values()), default=now)

    def _forget(self, index: str) -> None:
        if tail := self._tails.pop(index, None):
            tail.close()

    def _repair(self, folder: Path) -> None:
        """Mend our newest tail of an index, unless the sealer is at it, which mends it itself."""
        own = [tail for tail in tails_of(folder) if tail.writer == self._writer_id]
        if not own:
            return
        try:
            with (folder / str(own[-1])).open("r+b", buffering=0) as file:
                if try_lock(file.fileno()) and (repair := repair_end(folder / str(own[-1]), file.fileno())):
                    self.repairs.append(repair)
        except FileNotFoundError:
            return
        except OSError as error:
            raise store_error(error, f"cannot repair {folder}") from error


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


def _lock(root: Path, writer_id: str) -> int:
    """Return the descriptor that holds the lock of a writer; the kernel frees it when the process ends."""
    try:
        busy = StoreError(f"another process writes to {root} as writer {writer_id!r}")
        return lock_file(root / f".writer-{writer_id}.lock", busy)
    except OSError as error:
        raise store_error(error, "cannot open the store") from error
