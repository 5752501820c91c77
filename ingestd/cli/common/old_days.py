"""What a command announces about days that it stores although they are older than retention keeps."""

from __future__ import annotations

from collections.abc import Callable

import click

from ingestd.settings import Settings
from ingestd.units import format_duration


def announce_old_days(done: str, settings: Settings) -> Callable[[str], None]:
    """Return the function that announces them, given the first such index; ``done``: imported, replayed."""

    def announce(index: str) -> None:
        age, keep = (format_duration(seconds) for seconds in (settings.retention.max_age, settings.restore.keep))
        days = f"{done} days older than retention.max_age ({age}), such as {index},"
        click.echo(f"{days} stay for restore.keep ({keep}); then retention deletes them", err=True)

    return announce
