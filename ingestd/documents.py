"""Small state in the data folder: a typed JSON file that several processes read and change.

A change is made under a lock, on what the file holds then, and replaces the file in one step: no process loses the
change of another, and after a crash the file holds the old state or the new, whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from ingestd.decoders import decoder
from ingestd.files import lock_file, rename_synced, write_atomic
from ingestd.logs import get_logger

log = get_logger(__name__)

Content = TypeVar("Content", bound=msgspec.Struct)


@dataclass(frozen=True)
class Document(Generic[Content]):
    """A JSON file whose content is a ``msgspec.Struct`` with a default for each field.

    Attributes:
        path: The file; its folder is created when it is first written. Its lock is ``.NAME.lock`` beside it.
        kind: The type of the content; ``kind()`` is the content of a missing file.
        max_bytes: The size that the file may have.
        timeout_s: How long to wait for another process that changes it.
        mode: The rights of the file, less those that the umask takes away.
    """

    path: Path
    kind: type[Content]
    max_bytes: int = 1_000_000
    timeout_s: float = 10
    mode: int = 0o666

    def load(self) -> Content:
        """Return the content. A damaged file is put aside as ``NAME.damaged``, with an error in the log.

        Raises:
            OSError: The file cannot be read, or is damaged and cannot be put aside.
        """
        try:
            return self._read()
        except _DamagedError:
            with self._locked():  # another process may have put it aside and written a new one
                return self._read_or_put_aside()

    @contextlib.contextmanager
    def update(self) -> Iterator[Content]:
        """Yield the content to be changed in place; it is written durably when the block ends without an exception.

        Blocks the thread while another process or thread changes it. Content that stays the same is not written.

        Raises:
            OSError: The file cannot be read or written; ``EFBIG``: it would exceed its size limit; ``TimeoutError``:
                another process holds the lock. Nothing was changed.
        """
        with self._locked():
            content = self._read_or_put_aside()
            before = msgspec.json.encode(content)
            yield content
            if (after := msgspec.json.encode(content)) != before:
                self._write(msgspec.json.format(after))

    def _read(self) -> Content:
        """Return the content, of a missing file the default."""
        try:
            with self.path.open("rb") as file:
                text = file.read(self.max_bytes + 1)
        except FileNotFoundError:
            return self.kind()
        if len(text) > self.max_bytes:
            raise _DamagedError(f"larger than {self.max_bytes} bytes")
        try:
            return decoder(self.kind).decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _DamagedError(str(error)) from error

    def _read_or_put_aside(self) -> Content:
        """Return the content, of a damaged file the default. The lock is held."""
        try:
            return self._read()
        except _DamagedError as error:
            aside = self._free_name()
            rename_synced(self.path, aside)
            log.error("a damaged file was put aside", file=str(self.path), aside=aside.name, error=str(error))
            return self.kind()

    def _free_name(self) -> Path:
        """Return a name for the damaged file that no earlier one has."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.damaged-{number}")
        return aside

    def _write(self, text: bytes) -> None:
        if len(text) > self.max_bytes:
            raise OSError(errno.EFBIG, f"more than {self.max_bytes} bytes", str(self.path))
        for left_over in self.path.parent.glob(f".{self.path.name}.*.tmp"):  # of a process that was killed
            left_over.unlink(missing_ok=True)
        write_atomic(self.path, text, self.mode)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        busy = TimeoutError(errno.ETIMEDOUT, "another process holds the lock", str(self.path))
        fd = lock_file(self.path.with_name(f".{self.path.name}.lock"), busy, timeout_s=self.timeout_s)
        try:
            yield
        finally:
            os.close(fd)


class _DamagedError(Exception):
    """The file is not what `Document` wrote."""
