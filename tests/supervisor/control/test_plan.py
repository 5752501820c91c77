"""Loading of a plan, and changes of the files that it came from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingestd.supervisor.control.plan import ConfigWatcher, Plan, PlanError, load_plan


def plan(fingerprint: Callable[[], object] = lambda: None) -> Plan:
    return Plan((), 1, 0, lambda number, channel: 0, None, fingerprint, watch=True)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("2 mistakes"), "2 mistakes"),
        (OSError(2, "no such file"), "no such file"),
        (RuntimeError("a defect"), "loading the config failed: RuntimeError('a defect')"),
    ],
    ids=["wrong", "unreadable", "defect"],
)
def test_whatever_fails_the_plan_is_refused(error: Exception, text: str) -> None:
    def load() -> Plan:
        raise error

    with pytest.raises(PlanError) as caught:
        load_plan(load)
    assert text in str(caught.value)


def test_a_change_counts_once_it_is_complete() -> None:
    content = "a"
    watcher = ConfigWatcher(plan(lambda: content))
    assert not watcher.changed(1)
    content = "b"
    assert not watcher.changed(2), "it may be incomplete"
    content = "bc"
    assert not watcher.changed(3)
    assert not watcher.changed(3.5), "too early for another check"
    assert watcher.changed(4)
    watcher.mark_loaded()
    assert not watcher.changed(5)


def test_files_that_cannot_be_read_are_no_change() -> None:
    error: OSError | None = None

    def fingerprint() -> object:
        if error:
            raise error
        return "a"

    watcher = ConfigWatcher(plan(fingerprint))
    error = PermissionError(13, "Permission denied")
    assert not watcher.changed(1)
    assert not watcher.changed(2)
    error = None
    assert not watcher.changed(3)
    assert not watcher.changed(4)
