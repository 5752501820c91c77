"""Syncs the journal of a pipeline and its dead letters to the disk: at an interval, and before acknowledgements."""

from __future__ import annotations

import asyncio
import contextlib

from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.journal.base import JournalError, RecordQueue
from ingestd.logs import Outage, get_logger
from ingestd.pipeline.group_sync import GroupSync
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)


class JournalSync:
    """Syncs the journal and the dead letters of one pipeline, in threads.

    Args:
        pipeline: Its name, for the log.
        journal: Of the pipeline.
        dead_letters: Of the pipeline.
        tasks: Of the pipeline.
    """

    def __init__(
        self, pipeline: str, journal: RecordQueue, dead_letters: DurableDeadLetters, tasks: BackgroundTasks
    ) -> None:
        self._pipeline, self._journal, self._dead_letters = pipeline, journal, dead_letters
        self._group_sync = GroupSync(self._sync_received, tasks)
        text = "the journal cannot be synced to the disk"
        self._sync_outage = Outage(log.error, text, log.info, "the journal can be synced to the disk again")
        text = "events are not acknowledged, as they may not be on the disk; their senders send them again"
        self._refused_outage = Outage(log.error, text, log.info, "events are acknowledged again")

    async def sync_all(self) -> None:
        """Sync both, which also frees what is delivered; that it fails is logged."""
        if self._dead_letters.unsynced:
            with contextlib.suppress(OSError):  # logged there
                await asyncio.to_thread(self._dead_letters.sync)
        try:
            await asyncio.to_thread(self._journal.sync)
            self._sync_outage.recovered(pipeline=self._pipeline)
        except JournalError as error:
            self._sync_outage.failed(pipeline=self._pipeline, error=error)

    async def synced(self) -> None:
        """Return as soon as everything received before the call is on the disk.

        Raises:
            OSError: It cannot be synced, or could not be before; that is logged.
        """
        try:
            await self._group_sync.wait()
        except OSError as error:
            self._refused_outage.failed(pipeline=self._pipeline, error=error)
            raise
        self._refused_outage.recovered(pipeline=self._pipeline)

    def _sync_received(self) -> None:
        if self._dead_letters.unsynced:
            self._dead_letters.sync()
        self._journal.sync_records()
