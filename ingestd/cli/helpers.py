"""The helper processes of the daemon: the sealer of the built-in store, and the scheduler of backup and retention."""

from __future__ import annotations

import threading

from ingestd.runtime.helpers import Helper
from ingestd.settings import Settings


def helpers(settings: Settings) -> list[Helper]:
    """Return the helpers of a daemon. What they need is imported in their own processes.

    Raises:
        ValueError: The schedule is wrong; the text says how.
    """
    found = [Helper("sealer", lambda stop: _seal(settings, stop))]
    if settings.schedule.cron != "off":
        if settings.explicit("schedule.cron"):
            from ingestd.lifecycle import build  # noqa: PLC0415 -- only to tell a mistake before the start

            build.schedule(settings)
        found.append(Helper("scheduler", lambda stop: _schedule(settings, stop)))
    return found


def _seal(settings: Settings, stop: threading.Event) -> None:
    from ingestd.stores.local import store_root  # noqa: PLC0415
    from ingestd.stores.local.sealer import run  # noqa: PLC0415

    run(store_root(settings.data_dir), stop)


def _schedule(settings: Settings, stop: threading.Event) -> None:
    from ingestd.lifecycle import build  # noqa: PLC0415

    scheduler = build.scheduler(settings)
    assert scheduler is not None  # noqa: S101 -- else there is no such helper
    scheduler.run(stop)
