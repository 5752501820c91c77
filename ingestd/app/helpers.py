"""The helper process of the daemon: the sealer of the built-in store, the scheduler of backup and retention, alerts.

They share a process, since each process costs memory, and all of them are idle most of the time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial

from ingestd.alerts.runner import AlertsRunner
from ingestd.settings import Settings, SettingsError
from ingestd.supervisor.processes.helpers import Helper, run_beside

_SEAL_SECONDS = 10.0
"""How often append logs to seal are looked for."""

_BREAK_SECONDS = 0.5
"""How long a step of backup and retention, or of alerts, may still take when the daemon stops."""


def helpers(settings: Settings) -> list[Helper]:
    """Return the helpers of a daemon. What they need is imported in their own process.

    Raises:
        SettingsError: The schedule is wrong; the text says how.
    """
    sealing, alerts = _Sealing(settings), AlertsRunner()
    work = sealing.run
    if settings.schedule.cron != "off":
        if settings.explicit("schedule.cron"):
            _check_schedule(settings)
        work = partial(_seal_and_schedule, settings, sealing)

    def run(stop: threading.Event) -> None:
        run_beside(alerts.run, work, stop, _BREAK_SECONDS)

    def problems() -> Sequence[str]:
        return [*sealing.problems(), *alerts.problems()]

    return [Helper("maintenance", run, problems=problems, configure=alerts.configure)]


def _check_schedule(settings: Settings) -> None:
    """Report a mistake in the schedule before the daemon starts."""
    from ingestd.lifecycle import build  # noqa: PLC0415

    try:
        build.schedule(settings)
    except ValueError as error:
        raise SettingsError([f"{settings.origins['schedule.cron']}: error: {error}"]) from None


class _Sealing:
    """The sealer, and what it could not do in its last pass."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._errors: Mapping[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Seal until ``stop`` is set. What that needs is imported once there is a store: many sites use a server."""
        from ingestd.stores.local import store_root  # noqa: PLC0415

        seal_after = self._settings.seal_after
        root, interval_s = store_root(self._settings.data_dir), min(_SEAL_SECONDS, max(0.1, seal_after / 3))
        while not root.is_dir():
            if stop.wait(interval_s):
                return
        from ingestd.stores.local.sealing.sealer import Policy, run  # noqa: PLC0415

        run(root, stop, interval_s=interval_s, policy=Policy(idle_s=seal_after), on_errors=self._note)

    def problems(self) -> Sequence[str]:
        """Return why indices cannot be sealed, in sentences."""
        from ingestd.stores.local.sealing.sealing_errors import sentences  # noqa: PLC0415

        return sentences(self._errors)

    def _note(self, errors: Mapping[str, str]) -> None:
        self._errors = errors


def _seal_and_schedule(settings: Settings, sealing: _Sealing, stop: threading.Event) -> None:
    """Run both: an upload that takes hours must not hold up a stop, and may break off anywhere."""
    from ingestd.lifecycle import build  # noqa: PLC0415

    scheduler = build.scheduler(settings)
    assert scheduler is not None  # noqa: S101 -- else the sealer is alone
    run_beside(scheduler.run, sealing.run, stop, _BREAK_SECONDS)
