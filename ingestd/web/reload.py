"""What ``POST /reload`` reports."""

from __future__ import annotations

from typing import NamedTuple


class ReloadResult(NamedTuple):
    """What became of a reload.

    Attributes:
        error: Why the new config is not in force; empty: it is.
        text: What was applied.
        late: Whether that is not known yet.
    """

    error: str
    text: str = ""
    late: bool = False
