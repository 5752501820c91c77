"""Results of requests: numbers that survive ``exec``, in a file that is written in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.supervisor.control.request_results import RequestResult, RequestResults, read_results
from ingestd.supervisor.state import Request


def read(folder: Path, request: Request) -> RequestResult:
    results = read_results(folder, os.getpid())
    assert results is not None
    return results.get(request.value, RequestResult())


def test_a_result_concerns_all_requests_that_were_started(tmp_path: Path) -> None:
    results = RequestResults(tmp_path)
    for _ in range(2):
        results.start(Request.RELOAD)
    assert read(tmp_path, Request.RELOAD) == RequestResult(2, 0)
    results.finish(Request.RELOAD, error="no")
    assert read(tmp_path, Request.RELOAD) == RequestResult(2, 2, "no")
    results.start(Request.RELOAD)
    assert read(tmp_path, Request.RELOAD) == RequestResult(3, 2, "no")


def test_the_next_program_reports_what_was_started_before(tmp_path: Path) -> None:
    first = RequestResults(tmp_path)
    first.start(Request.RELOAD)
    first.finish(Request.RELOAD, text="done")
    first.start(Request.UPGRADE)
    second = RequestResults(tmp_path)
    assert read(tmp_path, Request.UPGRADE) == RequestResult(1, 0)
    second.finish_all(text="upgraded")
    assert read(tmp_path, Request.UPGRADE) == RequestResult(1, 1, "", "upgraded")
    assert read(tmp_path, Request.RELOAD) == RequestResult(1, 1, "", "done")


def test_results_of_another_process_are_not_ours(tmp_path: Path) -> None:
    assert read_results(tmp_path, os.getpid()) is None
    RequestResults(tmp_path)
    assert read_results(tmp_path, os.getpid() + 1) is None


def test_long_texts_fit_into_the_file(tmp_path: Path) -> None:
    """Its size never changes: a full disk keeps no result from being written."""
    results = RequestResults(tmp_path)
    [file] = tmp_path.iterdir()
    size = file.stat().st_size
    for request in Request:
        results.start(request)
        results.finish(request, error="오" * 100_000, text="\0" * 100_000)
    assert file.stat().st_size == size
    assert read(tmp_path, Request.UPGRADE).error.startswith("오")


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = RequestResults(tmp_path / "gone")
    results.start(Request.RELOAD)
    assert set(caplog.messages) == {"the result of a request cannot be written for the command that waits for it"}
