"""``file``: events appended to files whose names may depend on the event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-file. Events whose name
lies outside of the fixed part of ``path`` go to ``filename_failure`` in that folder, as in Logstash.

After a kill, events may appear twice. One that the kill cut off stays as a line of its own and is written again; with
``gzip``, what follows it in the file cannot be decompressed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip as gzip_format
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.sprintf import Template
from ingestd.files import IMPOSSIBLE_NAME, release_lock, try_lock, write_all
from ingestd.logs import Outage, get_logger
from ingestd.plugins.interfaces import Codec, Prepared
from ingestd.plugins.registry import BuildContext, OptionError, Touch, ignored, option, plugin, refused, required

log = get_logger(__name__)

_MAX_OPEN = 64
_RETRY_SECONDS = 1.0
_TURN_TRIES, _TURN_SECONDS = 1000, 0.001
_IMPOSSIBLE = IMPOSSIBLE_NAME | {errno.EINVAL}
"""Errors of the file name, which may come from the event."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``file``."""

    path: Template = required("The file to append to; may hold %{field} and %{+YYYY.MM.dd}.")
    gzip: bool = option(False, "Compress; every write is a gzip member of its own.")
    write_behavior: str = option(
        "append", "`overwrite` empties a file when it is first opened.", choices=("append", "overwrite")
    )
    dir_mode: int = option(-1, "Permissions of new folders, as in `0750`; -1: the system's default.")
    file_mode: int = option(-1, "Permissions of new files, as in `0640`; -1: the system's default.")
    filename_failure: str = option("_filepath_failures", "File for events whose name leaves the folder.")
    create_if_deleted: bool = option(True, "Recreate a file that was removed while it was open.")
    flush_interval: int = option(2, "Accepted for compatibility with Logstash: every batch is written at once.")


def touches(opts: Options) -> Touch:
    """Return the fields that the file name is made of."""
    return Touch(reads=opts.path.reads)


class FileOutput:
    """Appends to any number of files; the least recently used are closed."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts = opts
        self._plugin_id = context.plugin_id
        self._codec: Codec = context.codec
        self._delimiter = b"" if opts.gzip else self._codec.delimiter or b""
        self._names = namer(opts.path)
        self._moving = opts.path.static is None
        self._root = _fixed_folder(opts.path.text)
        self._failure_path = str(self._root / opts.filename_failure)
        self._files: OrderedDict[str, int] = OrderedDict()
        self._seen: set[str] = set()
        text = "a file cannot be written; inputs wait until it can"
        self._disk_refuses = Outage(log.error, text, log.info, "files can be written again")

    async def open(self) -> None:
        """Do nothing: files are opened when an event goes there."""

    def prepare(self, batch: Batch) -> Prepared[dict[str, bytes]]:
        """Return the text of the events of each file."""
        texts = {path: self._codec.encode(part) for path, part in self._by_file(batch)}
        return Prepared(texts, sum(map(len, texts.values())))

    async def deliver(self, payloads: Sequence[dict[str, bytes]]) -> None:
        """Append all events, one write for each file; waits while the disk is full."""
        texts: dict[str, list[bytes]] = {}
        for payload in payloads:
            for path, text in payload.items():
                texts.setdefault(path, []).append(text)
        if len(texts) > 1:  # all are opened first: if a name fails in an odd way, nothing was written that comes again
            for path in texts:
                await self._append(path, b"")
        for path, parts in texts.items():
            data = b"".join(parts)
            await self._append(path, gzip_format.compress(data, 6) if self._opts.gzip else data)

    def retry_reason(self) -> str:
        """Return what the disk refuses; see ``WithRetries``."""
        return self._disk_refuses.reason

    def _by_file(self, batch: Batch) -> list[tuple[str, Batch]]:
        names = [self._inside(name) for name in self._names(batch)]
        if len(set(names)) <= 1:
            return [(names[0], batch)] if names else []
        parts: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            parts.setdefault(name, []).append(position)
        return [(name, batch.part(positions)) for name, positions in parts.items()]

    def _inside(self, name: str) -> str:
        """Return ``name``, or the failure file if it lies outside of the folder or a field is missing."""
        path = os.path.normpath(name)
        if "%{" in name or not path.startswith(str(self._root).rstrip(os.sep) + os.sep) or "\0" in name:
            return self._failure_path
        return path

    async def _append(self, path: str, data: bytes) -> None:
        """Append to a file, which is made if need be; to the failure file if its name is not possible."""
        while True:
            try:
                await asyncio.to_thread(self._write, path, data)
                break
            except (OSError, ValueError) as error:  # ValueError: characters that no file name may have
                impossible = not isinstance(error, OSError) or error.errno in _IMPOSSIBLE
                if impossible and self._moving and path != self._failure_path:
                    log.error("an event's file name is not possible", output=self._plugin_id, path=path[:1000])
                    path = self._failure_path
                    continue
                self._disk_refuses.failed(output=self._plugin_id, path=path, error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._disk_refuses.recovered(output=self._plugin_id, path=path)

    def _write(self, path: str, data: bytes) -> None:
        fd = self._file(path)
        if data:
            with _turn(fd):
                _append_whole(fd, data, self._delimiter)

    def _file(self, path: str) -> int:
        fd = self._files.get(path)
        if fd is not None:
            if os.fstat(fd).st_nlink:
                self._files.move_to_end(path)
                return fd
            if not self._opts.create_if_deleted and path != self._failure_path:
                return self._file(self._failure_path)  # as in Logstash; in the deleted file it would be lost
            os.close(self._files.pop(path))
        while len(self._files) >= _MAX_OPEN:
            os.close(self._files.popitem(last=False)[1])
        folder = Path(path).parent
        folder.mkdir(parents=True, exist_ok=True, mode=_mode(self._opts.dir_mode, 0o777))
        empty = self._opts.write_behavior == "overwrite" and path not in self._seen
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_TRUNC if empty else 0)
        self._seen.add(path)
        self._files[path] = os.open(path, flags, _mode(self._opts.file_mode, 0o666))
        return self._files[path]

    async def close(self) -> None:
        """Close all files."""
        while self._files:
            os.close(self._files.popitem()[1])


@contextlib.contextmanager
def _turn(fd: int) -> Iterator[None]:
    """Let no other worker write to a file meanwhile, unless a foreign program keeps it locked for long."""
    with contextlib.suppress(OSError):  # a file system without locks
        for _ in range(_TURN_TRIES):
            if try_lock(fd):
                break
            time.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            release_lock(fd)


def _append_whole(fd: int, data: bytes, delimiter: bytes) -> None:
    """Append all of ``data``, or nothing, to a regular file; first end a line that a killed process has left.

    Raises:
        OSError: The disk refuses.
    """
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):
        write_all(fd, data)
        return
    torn = delimiter and about.st_size and _last_bytes(fd, about.st_size, delimiter) != delimiter
    try:
        write_all(fd, delimiter + data if torn else data)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, about.st_size)
        raise


def _last_bytes(fd: int, size: int, delimiter: bytes) -> bytes:
    """Return the last bytes of a file that is open for writing; ``delimiter`` if they may not be read."""
    try:
        reader = os.open(f"/dev/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return delimiter
    try:
        return os.pread(reader, len(delimiter), max(size - len(delimiter), 0))
    finally:
        os.close(reader)


def _mode(option_value: int, default: int) -> int:
    return default if option_value < 0 else option_value


def _fixed_folder(path: str) -> Path:
    """Return the deepest folder that no placeholder is part of, absolute."""
    fixed = path.split("%{", maxsplit=1)[0]
    folder = os.path.dirname(fixed)  # noqa: PTH120 -- "a/" names the folder a, not its parent
    return Path(os.path.normpath(folder or "."))


_LEGACY = {
    "message_format": refused('choose the codec: codec => line { format => "..." }'),
    "max_size": ignored("files are not rotated here; use logrotate"),
    "stale_cleanup_interval": ignored("the least recently used files are closed"),
}


@plugin("output", "file", Options, touches=touches, codec="json_lines", legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> FileOutput:
    """Files: one line of JSON an event, unless another codec is given."""
    if not Path(opts.path.text).is_absolute():
        raise ValueError("the path must be absolute: the daemon's working folder is not yours")
    if opts.path.text.endswith("/") or (opts.path.static is not None and Path(opts.path.text).is_dir()):
        raise OptionError(f"path {opts.path.text!r} is a folder", opts.path.text, "name a file in it")
    for name, mode in (("dir_mode", opts.dir_mode), ("file_mode", opts.file_mode)):
        if mode > 0o777:
            raise ValueError(f"{name} {mode} is not possible: write it in octal, with a leading zero, as in 0640")
    return FileOutput(opts, context)
