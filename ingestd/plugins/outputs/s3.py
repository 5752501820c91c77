"""``s3``: events in objects of an S3 bucket, by day and hour.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-s3. Unlike there, events are compressed
JSON lines, or rows of Parquet, in folders by their own times, and objects are named after the pipeline, the worker and
when they were started: ``logs/2026/11/22/10/main-w0-20261122T101500Z-9f86d081884c7d65.ndjson.gz``.

An event counts as delivered once it is on the disk in ``temporary_directory``, synced; it leaves the disk once its
object is in the bucket. What a killed process has left there is uploaded by the next one, or by another worker, under
the same names: nothing is lost or duplicated. While S3 is unavailable, up to ``max_local_bytes`` are kept there; then
events wait in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ingestd import metrics
from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.tally import Tally
from ingestd.logs import Outage, get_logger
from ingestd.names import spool_name
from ingestd.plugins.codecs.json_lines import JsonLinesCodec
from ingestd.plugins.interfaces import Codec, Prepared, Rejection
from ingestd.plugins.outputs._s3_access import access, check_options
from ingestd.plugins.outputs._s3_options import LEGACY, Options
from ingestd.plugins.outputs._s3_segments import Block, Header
from ingestd.plugins.outputs._s3_spool import Spool
from ingestd.plugins.outputs._s3_uploads import Uploads
from ingestd.plugins.registry import BuildContext, OptionError, Touch, plugin
from ingestd.protocols.framing.lines import LINE_FEED
from ingestd.stores.backups import Repository
from ingestd.stores.base import StoreError
from ingestd.stores.object_store import ObjectStore, S3Access
from ingestd.tasks import BackgroundTasks
from ingestd.units import format_size

log = get_logger(__name__)

_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 10.0
"""How long a stop waits for uploads; what is left is uploaded after the next start."""

_FIRST_ADOPTION_SECONDS, _ADOPTION_SECONDS = 10.0, 60.0
_MAX_FOLDER_BYTES = 800  # a key has at most 1,024; the rest is for the name
_CONTROL = dict.fromkeys([*range(32), 127], "_")


def touches(opts: Options) -> Touch:
    """Return the fields that folders are made of."""
    return Touch(reads=opts.folder().reads)


class _Part(NamedTuple):
    """The events of a payload for one folder: the text of each, or of all, and their ids."""

    folder: str
    texts: list[bytes]
    ids: list[str]


class S3Output:
    """Appends events to files, and uploads these as objects."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, opts: Options, context: BuildContext, access: S3Access) -> None:
        self._opts, self._context, self._access = opts, context, access
        self._plugin_id = context.plugin_id
        self._codec: Codec = context.codec
        self._folders = namer(opts.folder())
        self._spool: Spool | None = None
        self._uploads: Uploads | None = None
        self._tasks = BackgroundTasks(f"output {context.plugin_id}")
        self._recent: set[str] = set()
        self._unchecked = 2 * self.batch_bytes
        self._room = asyncio.Event()
        self._foreign: list[Path] = []
        text = "a file of events cannot be written; inputs wait until it can"
        self._disk_refuses = Outage(log.error, text, log.info, "files of events can be written again")
        text = "a file of events cannot be renamed; it is not uploaded until it can"
        self._rename_refused = Outage(log.error, text, log.info, "files of events can be renamed again")
        text = "too much waits for its upload; inputs wait until there is room"
        self._full = Outage(log.error, text, log.info, "there is room for events again")

    async def open(self) -> None:
        """Open the files, and upload what a crash left.

        Raises:
            OSError: The folder cannot be used, another output writes there, or there are no such credentials.
        """
        try:
            objects = self._objects()
        except StoreError as error:
            raise OSError(str(error)) from None
        self._spool = await asyncio.to_thread(self._open_spool)
        self._recent = self._spool.recent
        self._uploads = Uploads(
            self._spool,
            objects,
            threshold=self._opts.upload_multipart_threshold,
            storage_class="" if self._opts.storage_class == "STANDARD" else self._opts.storage_class,
            plugin_id=self._plugin_id,
            changed=self._room.set,
        )
        if waiting := self._spool.waiting_bytes:
            log.info("events of an earlier process are uploaded", output=self._plugin_id, bytes=waiting)
        for number in range(self._opts.upload_workers_count):
            self._tasks.keep_running(f"upload {number}", self._uploads.run)
        if self._opts.validate_credentials_on_root_bucket:
            self._tasks.keep_running("check the bucket", self._check)
        self._tasks.keep_running("rotate", self._rotate_by_time)
        self._tasks.keep_running("adopt", self._adopt)

    def _open_spool(self) -> Spool:
        root = Path(self._opts.temporary_directory or self._context.settings.data_dir / "s3")
        destination = f"{self._opts.bucket} {self._opts.endpoint}"
        folder = root / spool_name(self._context.writer_id, self._plugin_id, destination)
        worker = self._context.writer_id.partition("_")[0]
        name = f"{self._context.pipeline_id}-{worker}"
        return Spool(folder, name, _header(self._opts, self._codec), 4 * self.batch_bytes)

    def _objects(self) -> ObjectStore:
        settings = {"bucket": self._opts.bucket, "region": self._opts.region, "endpoint": self._opts.endpoint}
        return ObjectStore(Repository("", "s3", settings), access=self._access)

    def prepare(self, batch: Batch) -> Prepared[list[_Part]]:
        """Return the text of the events for each folder, and the events that have none."""
        folders = self._folders(batch)
        places: dict[str, list[int]] = {}
        for row, folder in enumerate(folders):
            places.setdefault(folder, []).append(row)
        parts: list[_Part] = []
        rejected: list[Rejection] = []
        for folder, rows in places.items():
            part = batch if len(places) == 1 else batch.part(rows)
            key, problem = _key(folder)
            if problem:
                rejected += [
                    Rejection(problem, raw, event_id)
                    for raw, event_id in zip(part.documents(), part.ids(), strict=True)
                ]
            else:
                parts.append(_Part(key, self._texts(part), [*part.ids()]))
        return Prepared(parts, sum(len(text) for part in parts for text in part.texts), rejected)

    def _texts(self, batch: Batch) -> list[bytes]:
        """Return the text of a batch; of each event, as long as events may come that are there already."""
        if not self._recent:
            return [self._codec.encode(batch)]
        return [self._codec.encode(batch.part([row])) for row in range(len(batch))]

    async def deliver(self, payloads: Sequence[list[_Part]]) -> list[Tally]:
        """Append all events to the files; waits while the disk, or what is allowed of it, is full."""
        tallies = [Tally(delivered=sum(len(part.ids) for part in payload)) for payload in payloads]
        parts = [(part, tally) for payload, tally in zip(payloads, tallies, strict=True) for part in payload]
        self._unchecked -= sum(len(text) for part, _ in parts for text in part.texts)
        blocks: dict[str, tuple[list[bytes], list[str]]] = {}
        for part, tally in parts:
            texts, ids = self._new(part, tally)
            if ids:
                known_texts, known_ids = blocks.setdefault(part.folder, ([], []))
                known_texts += texts
                known_ids += ids
        if self._unchecked <= 0:
            self._recent = set()
        if blocks:
            await self._append([Block(folder, b"".join(texts), ids) for folder, (texts, ids) in blocks.items()])
        return tallies

    def _new(self, part: _Part, tally: Tally) -> tuple[list[bytes], list[str]]:
        """Return the events that are not there from a delivery before a crash: texts and ids.

        The last deliveries before it, of about ``batch_bytes`` each, may come again.
        """
        if self._recent.isdisjoint(part.ids) or len(part.texts) < len(part.ids):
            return part.texts, part.ids
        rows = [row for row, event_id in enumerate(part.ids) if not event_id or event_id not in self._recent]
        tally.delivered -= len(part.ids) - len(rows)
        tally.duplicates += len(part.ids) - len(rows)
        return [part.texts[row] for row in rows], [part.ids[row] for row in rows]

    async def _append(self, blocks: list[Block]) -> None:
        spool = self._opened()
        await self._wait_for_room(sum(len(block.text) for block in blocks))
        while True:
            try:
                await asyncio.to_thread(spool.append, blocks)
                break
            except OSError as error:
                self._disk_refuses.failed(output=self._plugin_id, error=error.strerror or error)
                await self._rotate()  # what is uploaded leaves room
                await asyncio.sleep(_RETRY_SECONDS)
        self._disk_refuses.recovered(output=self._plugin_id)
        if spool.size >= self._opts.size_file and self._opts.rotation_strategy != "time":
            await self._rotate()
        self._measure()

    async def _wait_for_room(self, size: int) -> None:
        """Wait until uploads leave room for some bytes."""
        spool = self._opened()
        while (waiting := spool.waiting_bytes) and waiting + size > self._opts.max_local_bytes:
            await self._rotate()
            reason = self._uploads.reason if self._uploads is not None else ""
            text = f"{format_size(waiting)} wait for their upload, max_local_bytes allows no more"
            self._full.failed(output=self._plugin_id, error=f"{text}: {reason}" if reason else text)
            self._room.clear()
            if spool.waiting_bytes == waiting:
                with contextlib.suppress(TimeoutError):  # the disk may have refused to rotate
                    await asyncio.wait_for(self._room.wait(), _RETRY_SECONDS)
        self._full.recovered(output=self._plugin_id)

    async def _rotate(self) -> None:
        """Hand the events so far to the uploads, unless the disk refuses: then it is tried again."""
        try:
            await asyncio.to_thread(self._opened().rotate)
            self._rename_refused.recovered(output=self._plugin_id)
        except OSError as error:
            self._rename_refused.failed(output=self._plugin_id, error=error)
        if self._uploads is not None:
            self._uploads.wake()

    async def _rotate_by_time(self) -> None:
        seconds, spool = self._opts.time_file * 60, self._opened()
        while True:
            await asyncio.sleep(min(1.0, seconds / 4))
            due = spool.size and time.monotonic() - spool.opened_at >= seconds
            if due and self._opts.rotation_strategy != "size":
                await self._rotate()
            self._measure()

    def _measure(self) -> None:
        metrics.SPOOLED_BYTES.set(self._opened().waiting_bytes, self._plugin_id)

    async def _check(self) -> None:
        assert self._uploads is not None  # noqa: S101 -- set by ``open``
        await self._uploads.check(_fixed_folder(self._opts.folder().text))

    async def _adopt(self) -> None:
        """Upload what workers and outputs have left that are no more."""
        await asyncio.sleep(_FIRST_ADOPTION_SECONDS)
        any_bucket = False
        while True:
            try:
                taken, self._foreign = await asyncio.to_thread(self._opened().adopt, any_bucket=any_bucket)
                for path in taken:
                    log.info("events that another process has left are uploaded", output=self._plugin_id, path=path)
            except OSError as error:
                log.warning("what other processes have left cannot be read", output=self._plugin_id, error=error)
            if self._uploads is not None:
                self._uploads.wake()
            await asyncio.sleep(_ADOPTION_SECONDS)
            any_bucket = True  # another output that has the old bucket now would have taken its events

    def _opened(self) -> Spool:
        assert self._spool is not None  # noqa: S101 -- ``open`` was called
        return self._spool

    def retry_reason(self) -> str:
        """Return why events wait; see ``WithRetries``."""
        return self._disk_refuses.reason or self._full.reason

    def problems(self) -> list[str]:
        """Return what keeps events on this machine; see ``WithProblems``."""
        if self._spool is None or self._uploads is None:
            return []
        found: list[str] = []
        if reason := self._uploads.reason:
            waiting = self._spool.waiting_bytes
            kept = f"; {format_size(waiting)} of events wait on this machine" if waiting else ""
            found.append(f"output {self._plugin_id} cannot upload objects: {reason}{kept}")
        if reason := self._rename_refused.reason:
            found.append(f"output {self._plugin_id} cannot rename a file of events: {reason}")
        found += [
            f"output {self._plugin_id} could not read a part of its events: {path}" for path in self._uploads.damaged
        ]
        found += [
            f"{folder} has events for another bucket or endpoint, and no output uploads them: configure it again, or "
            "move the folder away"
            for folder in self._foreign
        ]
        return found

    async def close(self) -> None:
        """Upload what can be uploaded soon; the rest is kept for the next start."""
        if self._spool is None or self._uploads is None:
            return
        await self._rotate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                while self._spool.closed and not self._uploads.outage.ongoing:
                    self._room.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._room.wait(), 0.5)
        await self._tasks.close()
        await self._uploads.close()
        await asyncio.to_thread(self._spool.close)
        self._spool = None
        metrics.SPOOLED_BYTES.set(0, self._plugin_id)  # the next process counts what is left


def _header(opts: Options, codec: Codec) -> Header:
    extension = ".ndjson" if isinstance(codec, JsonLinesCodec) else ".txt"
    if opts.format == "parquet":
        extension = ".parquet"
    elif opts.encoding == "gzip":
        extension += ".gz"
    return Header(opts.bucket, opts.endpoint, opts.format, opts.encoding, extension)


def _key(folder: str) -> tuple[str, str]:
    """Return a folder as the start of a key, and why there is none; empty: there is."""
    if "%{" in folder:  # as in Logstash, it would be a folder of this name
        return "", f"the event lacks a field of its object's name {folder}"
    text = folder.encode("utf-8", "replace").decode().translate(_CONTROL)
    key = "/".join("_" if part in {".", ".."} else part for part in text.split("/") if part)
    size = len(key.encode())
    return (
        key,
        f"the folder of its object has {size} bytes; S3 allows {_MAX_FOLDER_BYTES}" if size > _MAX_FOLDER_BYTES else "",
    )


def _fixed_folder(text: str) -> str:
    """Return the folders that no placeholder is part of."""
    fixed, placeholder, _ = text.partition("%{")
    return (fixed.rpartition("/")[0] if placeholder else fixed).strip("/")


@plugin("output", "s3", Options, touches=touches, codec="json_lines", legacy=LEGACY)
def build(opts: Options, context: BuildContext) -> S3Output:
    """Objects of an S3 bucket by day and hour, as compressed JSON lines or in Parquet."""
    check_options(opts)
    codec = context.codec
    if opts.format == "parquet" and not (isinstance(codec, JsonLinesCodec) and codec.delimiter == LINE_FEED):
        raise OptionError("format => parquet has columns, and needs no codec", opts.format, "leave the codec out")
    return S3Output(opts, context, access(opts))
