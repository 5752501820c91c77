"""The helper process of the daemon: the sealer of the built-in store, and the scheduler of backup and retention.

They share a process, since each process costs memory, and both of them rest most of the time.
"""

from __future__ import annotations

import threading

from ingestd.settings import Settings, SettingsError
from ingestd.supervisor.processes.helpers import Helper, run_beside

_SEAL_SECONDS = 10.0
"""How often append logs to seal are looked for."""

_BREAK_SECONDS = 0.5
"""How long a step of backup and retention may still take when the daemon stops."""


def helpers(settings: Settings) -> list[Helper]:
    """Return the helpers of a daemon. What they need is imported in their own process.

    Raises:
        SettingsError: The schedule is wrong; the text says how.
    """
    if settings.schedule.cron == "off":
        return [Helper("maintenance", lambda stop: _seal(settings, stop))]
    if settings.explicit("schedule.cron"):
        _check_schedule(settings)
    return [Helper("maintenance", lambda stop: _seal_and_schedule(settings, stop))]


def _check_schedule(settings: Settings) -> None:
    """Report a mistake in the schedule before the daemon starts."""
    from ingestd.lifecycle import build  # noqa: PLC0415

    try:
        build.schedule(settings)
    except ValueError as error:
        raise SettingsError([f"{settings.origins['schedule.cron']}: error: {error}"]) from None


def _seal(settings: Settings, stop: threading.Event) -> None:
    from ingestd.stores.local import store_root  # noqa: PLC0415
    from ingestd.stores.local.files.sealer import Policy, run  # noqa: PLC0415

    interval_s = min(_SEAL_SECONDS, max(0.1, settings.seal_after / 3))
    run(store_root(settings.data_dir), stop, interval_s=interval_s, policy=Policy(idle_s=settings.seal_after))


def _seal_and_schedule(settings: Settings, stop: threading.Event) -> None:
    """Run both: an upload that takes hours must not hold up a stop, and may break off anywhere."""
    from ingestd.lifecycle import build  # noqa: PLC0415

    scheduler = build.scheduler(settings)
    assert scheduler is not None  # noqa: S101 -- else the sealer is alone
    run_beside(scheduler.run, lambda stop: _seal(settings, stop), stop, _BREAK_SECONDS)
