"""Runs manual actions, each in a process of its own, one at a time, and remembers the last one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ingestd.action_log import DONE, FAILED
from ingestd.decoders import decoder
from ingestd.lifecycle.manual_actions import ManualAction
from ingestd.logs import get_logger
from ingestd.tasks import BackgroundTasks
from ingestd.web.processes.action_process import ActionMessage, ActionRequest
from ingestd.web.processes.child_process import ChildProcess
from ingestd.web.responses import utc_now

log = get_logger(__name__)

_INTERRUPTED = ActionMessage(error="it was interrupted; start it again")
_HANGS = ActionMessage(error="its process stopped responding and was killed; start it again")

Ended = Callable[[str, str], Awaitable[None]]

_CHECK_SECONDS = 5.0
_SILENT_CHECKS = 12
"""A process that writes nothing for this many checks is stuck. One check counts once, however long the machine was
suspended in it: the process was, too."""


class ActionRunner:
    """Runs one action at a time. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._process: ChildProcess | None = None
        self._tasks = BackgroundTasks("manual actions")
        self._task: asyncio.Task[None] | None = None
        self.last: dict[str, Any] | None = None
        """The last action as JSON types: ``state`` is running, done or failed, ``message`` says how it ended."""

    @property
    def busy(self) -> bool:
        """Whether an action is running."""
        return self._task is not None and not self._task.done()

    def start(self, action: ManualAction, settings: Mapping[str, str], ended: Ended | None = None) -> None:
        """Start an action; none may be running.

        Args:
            action: What to do.
            settings: Texts by name.
            ended: Awaited at its end with the outcome, as the action log has it, and a sentence.
        """
        self.last = {
            "kind": action.kind,
            "index": action.index or None,
            "day": action.day or None,
            "state": "running",
            "done": 0,
            "total": 0,
            "message": "",
            "started": utc_now(),
            "ended": None,
        }
        log.info("manual action started", kind=action.kind, index=action.index, day=action.day)
        request = ActionRequest(dict(settings), action)
        self._task = self._tasks.start(f"manual action {action.kind}", self._run(request, self.last, ended))

    async def close(self) -> None:
        """Interrupt the running action; it can be started again."""
        await self._tasks.close()
        if self._process is not None:
            await self._process.end()

    async def _run(self, request: ActionRequest, shown: dict[str, Any], ended: Ended | None) -> None:
        """Run an action, and show what its process reports; whatever happens, its end is shown."""
        end = _INTERRUPTED
        try:
            end = await self._run_process(request, shown)
        except OSError as error:
            end = ActionMessage(error=f"no process can be started for it: {error.strerror or error}")
        except Exception:
            end = ActionMessage(error="it was aborted by an internal error; the daemon's log has the reason")
            raise
        finally:
            if self._process is not None:
                self._process.kill()
            state = "failed" if end.result is None else "done"
            shown |= {"state": state, "message": end.result or end.error, "ended": utc_now()}
            if end.result is None:
                log.warning("manual action failed", kind=request.action.kind, error=end.error)
            if ended is not None:
                outcome = FAILED if end.result is None else DONE
                await asyncio.shield(ended(outcome, end.result or end.error or ""))

    async def _run_process(self, request: ActionRequest, shown: dict[str, Any]) -> ActionMessage:
        """Return the last message of the process. Raises OSError."""
        end = _INTERRUPTED
        process = self._process = await ChildProcess.start("ingestd.web.processes.action_process")
        process.write(msgspec.json.encode(request) + b"\n")
        while True:
            try:
                line = await _read_line(process.stdout)
            except TimeoutError:
                return _HANGS
            if not line:
                break
            message = decoder(ActionMessage).decode(line)
            if message.alive:
                continue
            if message.result is not None or message.error is not None:
                end = message
            else:
                shown |= {"done": message.done, "total": message.total}
        await process.wait()
        await process.end()
        return end


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end. Raises TimeoutError if it does not come for ``_SILENT_CHECKS`` checks."""
    for _ in range(_SILENT_CHECKS - 1):
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(stream.readline(), _CHECK_SECONDS)
    return await asyncio.wait_for(stream.readline(), _CHECK_SECONDS)
