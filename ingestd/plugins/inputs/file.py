"""``file``: lines of files, as they are appended, and files that are complete, plain or compressed.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-file. Text lines get the fields ``host``
and ``path``, with ECS ``[host][name]`` and ``[log][file][path]``, and in any case ``[@metadata][host]`` and
``[@metadata][path]`` if the config reads them; JSON records get those that the config reads.

The first worker reads all files. The journal knows how far each was read, so a process that is killed loses nothing and
stores nothing twice. Two things are beyond any reader: a file that is copied and emptied (`copytruncate`) loses what is
written between the two, and what was written before and not read yet, unless the copy has a name that the input reads;
and a file that was renamed out of the patterns is given up once nothing was written to it for a minute: reopen logs
soon after a rotation.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestd import metrics
from ingestd.event.fields import Event
from ingestd.files import folder_problem, readable_path
from ingestd.journal.base import KeptStreams
from ingestd.logs import get_logger
from ingestd.plugins.codecs._options import delimiter_bytes
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._file_completion import CompletedAction, Completion
from ingestd.plugins.inputs._file_discovery import Discovery
from ingestd.plugins.inputs._file_positions import Positions, session_path
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_records import Sincedb
from ingestd.plugins.inputs._file_settings import WatchSettings, seconds
from ingestd.plugins.inputs._file_watched import Reading
from ingestd.plugins.inputs._file_watcher import FileWatcher
from ingestd.plugins.interfaces import Sink, StopMode, delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext, OptionError, OptionWarning, option, plugin, required
from ingestd.plugins.stream_fields import FieldNames
from ingestd.protocols.framing.lines import LINE_FEED
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_TURN_BYTES = 4 << 20
"""Most that is read of a file before it is the turn of the next, whatever `file_chunk_count` is."""

_DEV_NULL = "/dev/null"


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``file``. Durations are seconds, or text such as `500 ms` or `2 weeks`."""

    path: list[str] = required("Absolute paths; may hold `*`, `?`, `[...]`, `{a,b}`, and `**` for folders.")
    exclude: list[str] = option([], "Patterns of file names that are not read.")
    mode: str = option(
        "tail",
        "`tail` follows files as they grow; in mode `read` a file is complete: its end ends the last line. Compressed "
        "files (gzip, zstd) are complete in both.",
        choices=("tail", "read"),
    )
    start_position: str = option(
        "end",
        "Where to start in files that exist when the input runs for the first time; later files are read from the "
        "start. In mode `read` all are.",
        choices=("beginning", "end"),
    )
    delimiter: str = option("\n", "What ends a line, see the codec `line`. Default: what the codec says.")
    stat_interval: str = option("1 second", "How often to check whether files have changed.")
    discover_interval: int = option(15, "How often to look for new files, in multiples of `stat_interval`.")
    close_older: str = option("1 hour", "Close a file that has not grown for this long; it is opened when it grows.")
    ignore_older: str = option("", "Skip files that have not changed for this long, until they change.")
    max_open_files: int = option(
        4095,
        "Maximum number of open files, at most half of what the process may open. More files can be read: each is "
        "opened when it has changed.",
    )
    file_chunk_size: int = option(262144, "Bytes to read at a time; 32768 in Logstash.")
    file_chunk_count: int = option(
        4611686018427387903, "How many chunks of a file to read before the next; at most 4 MiB are read in a row."
    )
    file_sort_by: str = option("last_modified", "Which file comes first.", choices=("last_modified", "path"))
    file_sort_direction: str = option("asc", "`desc`: the last one first.", choices=("asc", "desc"))
    file_completed_action: str = option(
        "delete",
        "In mode `read`, what happens to a file whose lines are all in the journal. A damaged one stays.",
        choices=("delete", "log", "log_and_delete"),
    )
    file_completed_log_path: str = option("", "The file that `log` appends paths to; after a crash, a path may repeat.")
    exit_after_read: bool = option(False, "In mode `read`, end when all files that exist were read.")
    check_archive_validity: bool = option(False, "Store nothing of a compressed file that is damaged or cut off.")
    sincedb_path: str = option(
        "",
        "The file that remembers which files were read; default: one in the data folder for these `path`. A sincedb "
        "of Logstash is read, and replaced. `/dev/null`: nothing is remembered after the daemon ends.",
    )
    sincedb_write_interval: str = option("15 seconds", "How often to write it.")
    sincedb_clean_after: str = option(
        "2 weeks", "Forget a file that has not existed for this long. A number means days."
    )
    ecs_compatibility: str = ecs_option("With ECS, `host` is `[host][name]` and `path` is `[log][file][path]`.")


class FileInput:
    """Reads files."""

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts, self._context = opts, context
        self.finite = opts.mode == "read" and opts.exit_after_read
        self._problems = Problems(context.pipeline_id, context.plugin_id)
        self._stat_seconds = max(seconds("stat_interval", opts.stat_interval), 0.01)
        self._write_seconds = seconds("sincedb_write_interval", opts.sincedb_write_interval)
        self._keep_seconds = seconds("sincedb_clean_after", opts.sincedb_clean_after, unit=86400)
        self._settings = WatchSettings(
            discovery=Discovery(opts.path, opts.exclude),
            discover_seconds=self._stat_seconds * max(opts.discover_interval, 1),
            from_end=opts.mode == "tail" and opts.start_position == "end",
            ignore_older=seconds("ignore_older", opts.ignore_older) if opts.ignore_older else 0,
            close_older=seconds("close_older", opts.close_older),
            max_open_files=_most_open(opts.max_open_files),
            by_path=opts.file_sort_by == "path",
            descending=opts.file_sort_direction == "desc",
            delimiter=delimiter_of(context.codec),
        )
        self._host = socket.gethostname()
        self._streams: KeptStreams | None = None
        self._ended = asyncio.Event()

    def resume(self, streams: KeptStreams) -> None:
        """See ``ResumingInput``."""
        self._streams = streams

    async def open(self) -> None:
        """Read the sincedb. Raises OSError if that is impossible."""
        path = session_path(self.sincedb_path) if self._opts.sincedb_path == _DEV_NULL else self.sincedb_path
        self._sincedb = Sincedb(path)
        for error in self._sincedb.load():
            log.error("a line of a sincedb cannot be read; its file may be read again", sincedb=path, error=error)

    @property
    def sincedb_path(self) -> Path:
        """Where the sincedb is: no two inputs may have the same."""
        if self._opts.sincedb_path not in ("", _DEV_NULL):
            return Path(self._opts.sincedb_path)
        paths = hashlib.blake2b("\0".join(self._opts.path).encode(), digest_size=8).hexdigest()
        return self._context.settings.data_dir / "sincedb" / f"{self._context.pipeline_id}-{paths}"

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``, or the end of all files. What was not read by then, the next process reads."""
        assert self._streams is not None  # noqa: S101 -- resume was called
        positions = Positions(self._sincedb, self._streams, sink, self._problems, self._keep_seconds)
        completion = Completion(self._action(), positions, self._problems)
        watcher = FileWatcher(self._settings, self._reading(sink), positions, self._problems, completion)
        tasks = BackgroundTasks(f"input {self._context.plugin_id}")
        tasks.start("reading files", self._read(watcher, positions, completion))
        try:
            await tasks.until(self._ended.wait())
        finally:
            await tasks.close()
            watcher.close()
        await positions.checkpoint(file.record for file in watcher.files.values())

    async def _read(self, watcher: FileWatcher, positions: Positions, completion: Completion) -> None:
        """Look at the files again and again."""
        next_discovery = next_write = 0.0
        while True:
            started = time.monotonic()
            if started >= next_discovery:
                await watcher.discover()
                next_discovery = started + self._settings.discover_seconds
            await watcher.look()
            await watcher.read()
            await completion.finish()
            self._measure(watcher)
            if self.finite and watcher.all_read:
                self._ended.set()
                return
            if started >= next_write:
                await positions.checkpoint(file.record for file in watcher.files.values())
                next_write = started + self._write_seconds
            if not watcher.behind:
                await asyncio.sleep(max(started + self._stat_seconds - time.monotonic(), 0.01))

    def _measure(self, watcher: FileWatcher) -> None:
        labels = self._context.pipeline_id, self._context.plugin_id
        metrics.FILES_WATCHED.set(len(watcher.files), *labels)
        metrics.FILES_UNREAD_BYTES.set(watcher.unread_bytes, *labels)

    def _reading(self, sink: Sink) -> Reading:
        opts = self._opts
        chunk = max(opts.file_chunk_size, 1)
        return Reading(
            sink=sink,
            max_line_bytes=self._context.settings.max_line_bytes,
            grouping=grouping_of(self._context.codec),
            fields=self._fields,
            delimiter=delimiter_of(self._context.codec),
            chunk_bytes=chunk,
            turn_bytes=min(chunk * max(opts.file_chunk_count, 1), max(_TURN_BYTES, chunk)),
            complete=opts.mode == "read",
            check_archives=opts.check_archive_validity,
        )

    def _fields(self, path: str) -> Event:
        return {"host": self._host, "path": readable_path(path)}

    def _action(self) -> CompletedAction | None:
        if self._opts.mode != "read":
            return None
        action, path = self._opts.file_completed_action, self._opts.file_completed_log_path
        return CompletedAction(delete="delete" in action, log_path=Path(path) if "log" in action else None)

    def problems(self) -> list[str]:
        """Return what is wrong with files."""
        return self._problems.sentences()

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._ended.set()


def _most_open(wanted: int) -> int:
    """Return how many files may be open: at most half of what the process may open, as it needs others."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = wanted if wanted > 0 else 4095
    return most if limit == resource.RLIM_INFINITY else max(min(most, limit // 2), 1)


def _stream_fields(opts: Options) -> FieldNames:
    metadata = {"host": "[@metadata][host]", "path": "[@metadata][path]"}
    names = ecs_select(
        opts, disabled={"host": "host", "path": "path"}, ecs={"host": "[host][name]", "path": "[log][file][path]"}
    )
    return {fact: [name, metadata[fact]] for fact, name in names.items()}


def _delimiter(opts: Options) -> bytes:
    delimiter = delimiter_bytes(opts.delimiter)
    return b"" if delimiter == LINE_FEED else delimiter


def _option_warnings(opts: Options) -> Iterator[OptionWarning]:
    for path in opts.path:
        if Path(path).is_dir():
            hint = f"name its files: {path.rstrip('/')}/*.log"
            yield OptionWarning("path", f"{path!r} is a folder, from which nothing is read", hint, value=path)


@plugin(
    "input",
    "file",
    Options,
    codec="line",
    stream=True,
    journaled=True,
    stream_fields=_stream_fields,
    delimiter=_delimiter,
    inflates=True,
    option_warnings=_option_warnings,
)
def build(opts: Options, context: BuildContext) -> FileInput:
    """Lines of files: logs as they grow, through rotations and restarts, and complete files, plain or compressed."""
    for path in opts.path:
        if not Path(path).is_absolute():
            raise OptionError(f"{path!r} is not an absolute path", path, "start it with /")
    if opts.sincedb_path and Path(opts.sincedb_path).is_dir():
        raise OptionError(f"sincedb_path {opts.sincedb_path!r} is a folder", opts.sincedb_path, "name a file in it")
    if opts.sincedb_path and (problem := folder_problem(Path(opts.sincedb_path).parent)):
        raise OptionError(f"sincedb_path {opts.sincedb_path!r}: {problem}", opts.sincedb_path, "name a file elsewhere")
    if opts.mode == "read" and "log" in opts.file_completed_action and not opts.file_completed_log_path:
        hint = 'file_completed_log_path => "/var/log/read_files.log"'
        raise OptionError(f"file_completed_action {opts.file_completed_action} needs file_completed_log_path", "", hint)
    return FileInput(opts, context)
