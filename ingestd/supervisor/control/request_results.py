"""What becomes of a reload or an upgrade, in a file of the data folder: the command that asked for it waits for that.

The file has its final size from the start and is written in place, so that a full disk does not keep a result from
being reported. It outlives ``exec``: the new supervisor, in the same process, reports the result of the upgrade.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ingestd.files import overwrite
from ingestd.logs import get_logger
from ingestd.supervisor.state import Request

log = get_logger(__name__)

_NAME = "ingestd.requests"
_FILE_BYTES = 64 << 10
_MAX_TEXT = 1500
"""Characters of a text, of which there are two for each kind of request; each takes at most six bytes in the file."""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """How far the requests of one kind are.

    ``started`` and ``finished`` number them: every request with a number up to ``finished`` has its result, and that of
    the last one is ``error``, why it was refused, or empty, and ``text``, what was done.
    """

    started: int = 0
    finished: int = 0
    error: str = ""
    text: str = ""


class RequestResults:
    """Notes when requests start and what becomes of them. Failing to write is logged and changes nothing else.

    Args:
        data_dir: The data folder, which this process has claimed.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _NAME
        _, self._results = _read(self._path)
        self._write()

    def start(self, request: Request) -> None:
        """Note that a request is being done from now on."""
        result = self._get(request)
        self._put(request, RequestResult(result.started + 1, result.finished, result.error, result.text))

    def finish(self, request: Request, *, error: str = "", text: str = "") -> None:
        """Note what became of all requests of this kind that were started."""
        started = self._get(request).started
        self._put(request, RequestResult(started, started, error[:_MAX_TEXT], text[:_MAX_TEXT]))

    def finish_all(self, *, error: str = "", text: str = "") -> None:
        """Note what became of everything that was started."""
        for name, result in self._results.items():
            if result.finished < result.started:
                self.finish(Request(name), error=error, text=text)

    def _get(self, request: Request) -> RequestResult:
        return self._results.get(request.value, RequestResult())

    def _put(self, request: Request, result: RequestResult) -> None:
        self._results[request.value] = result
        self._write()

    def _write(self) -> None:
        content = orjson.dumps({"pid": os.getpid(), "results": self._results})
        try:
            overwrite(self._path, content, _FILE_BYTES)
        except OSError as error:
            log.warning("the result of a request cannot be written for the command that waits for it", error=error)


def read_results(data_dir: Path, pid: int) -> dict[str, RequestResult] | None:
    """Return how far the requests to process ``pid`` are, by kind; None: it does not report that."""
    found, results = _read(data_dir / _NAME)
    return results if found == pid else None


def _read(path: Path) -> tuple[int, dict[str, RequestResult]]:
    """Return the process that wrote the file, 0 if none did or it is writing now, and the results."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        return content["pid"], {name: RequestResult(**result) for name, result in content["results"].items()}
    return 0, {}
