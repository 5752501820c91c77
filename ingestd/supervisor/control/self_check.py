"""How the installed code is asked, before an upgrade, whether it can take over: see ``ingestd.app.upgrade_check``."""

from __future__ import annotations

CHECK_FLAG = "--check-upgrade"
"""What it is started with."""


class UpgradeError(Exception):
    """The installed code cannot take over."""
