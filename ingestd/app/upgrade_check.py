"""Whether the installed code can take over from a running daemon: ``ingestd run --check-upgrade``.

The daemon runs this in a process of its own before an upgrade. Everything that would fail after ``exec``, when there is
no way back, fails here: a module that cannot be imported, wrong settings, a wrong config, another data folder that is
in use. What it is going to listen on is written to stdout, so that the daemon can try that itself.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
import sys

import orjson

import ingestd
from ingestd.settings import Settings
from ingestd.supervisor.connections.sockets import Listener
from ingestd.supervisor.control.plan import Plan
from ingestd.supervisor.pidfile import find
from ingestd.supervisor.state import UpgradeError


def check_upgrade(settings: Settings, plan: Plan) -> None:
    """Check what was not checked by making ``plan``, and write what it listens on to stdout.

    Raises:
        UpgradeError: The installed code cannot take over; the text says why.
    """
    import_all()
    _check_data_dir(settings)
    sys.stdout.buffer.write(orjson.dumps([_for_supervisor(listener) for listener in plan.listeners]))


def _for_supervisor(listener: Listener) -> dict[str, object]:
    """Return what the supervisor that asks, of whatever version, knows about a listener."""
    return {name: value for name, value in dataclasses.asdict(listener).items() if name != "outlives_reader"}


def import_all() -> None:
    """Import every module of this package: many are imported only when they are needed.

    Raises:
        UpgradeError: One cannot be imported.
    """
    for module in pkgutil.walk_packages(ingestd.__path__, "ingestd."):
        if not module.name.endswith(".__main__"):
            try:
                importlib.import_module(module.name)
            except Exception as error:
                raise UpgradeError(f"{module.name} cannot be imported: {error!r}") from error


def _check_data_dir(settings: Settings) -> None:
    pid = find(settings.data_dir)
    if pid not in (None, os.getppid()):
        raise UpgradeError(f"another ingestd (process {pid}) uses {settings.data_dir}")
    folder = next(path for path in (settings.data_dir, *settings.data_dir.absolute().parents) if path.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UpgradeError(f"the data folder {settings.data_dir} cannot be written: no rights in {folder}")
