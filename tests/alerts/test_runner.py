"""Alerts in the helper process: a defect in them does not end it."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import pytest

from ingestd.alerts import runner
from ingestd.alerts.engine import Engine
from ingestd.alerts.runner import AlertsRunner
from tests.alerts.site import CHANNEL, config_of
from tests.threads import Background
from tests.waiting import wait_until


def test_a_defect_is_reported_and_the_alerts_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_RETRY_S", 0.01)
    alerts, stop = AlertsRunner(), threading.Event()
    alerts.configure(config_of(tmp_path, f'[alerts]\ninterval = "100ms"\n{CHANNEL}'))
    with mock.patch.object(Engine, "step", side_effect=RuntimeError("a defect")) as step:  # noqa: SIM117 -- in order
        with Background(lambda: alerts.run(stop), stop.set):
            wait_until(lambda: step.call_count > 2, "several attempts")
            assert alerts.problems() == ["alerts failed, trying again: RuntimeError('a defect')"]
            step.side_effect = None
            wait_until(lambda: alerts.problems() == [], "the end of the failure")


def test_without_a_config_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_IDLE_TICK_S", 0.01)
    alerts, stop = AlertsRunner(), threading.Event()
    alerts.configure(None)
    with Background(lambda: alerts.run(stop), stop.set):
        alerts.configure(config_of(tmp_path, CHANNEL))
        wait_until(lambda: alerts._engine is not None, "the engine")
