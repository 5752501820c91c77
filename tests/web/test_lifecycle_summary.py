"""What ``/health`` reports of the last run of backup and retention."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ingestd.lifecycle.state import Report, State
from ingestd.web.lifecycle_summary import LastRun

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)

CASES = [  # id, what failed, what is reported
    ("nothing", {}, ()),
    ("an_index", {"logstash-2026.11.21": "no space"}, ("logstash-2026.11.21: no space",)),
    ("all_of_it", {"": "no answer"}, ("backup and retention: no answer",)),
    (
        "many",
        {f"i{n}": "x" for n in range(9)},
        ("i0: x", "i1: x", "i2: x", "6 more indices could not be backed up or deleted"),
    ),
]


@pytest.mark.parametrize(("failed", "sentences"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_failures(failed: dict[str, str], sentences: tuple[str, ...], tmp_path: Path) -> None:
    last = LastRun(tmp_path)
    assert last.failures() == ()  # there was none yet
    state = State.load(tmp_path)
    state.report = Report(NOW, failed=failed)
    state.save()
    assert last.failures() == sentences
    assert last.failures() == sentences
    state.report = Report(NOW)
    state.save()
    assert last.failures() == ()


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    State.path_in(tmp_path).write_text("{torn")
    assert LastRun(tmp_path).failures() == ()
