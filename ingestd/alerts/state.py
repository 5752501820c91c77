"""What alerts remember: files in the data folder.

`AlertsState` is written by the daemon alone, before anything is sent; `PageRules` by the page.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from ingestd.documents import Document

FIRING, RESOLVED, REMINDER, SUMMARY, TEST = "firing", "resolved", "reminder", "summary", "test"

MAX_HISTORY = 500
"""Changes of alerts that are remembered."""

MAX_HELD = 500
"""Changes that wait for the end of quiet hours, for each channel; the oldest are left out of the summary."""

MAX_PROBLEMS = 2000
"""Problems that a rule remembers as known; those that were not seen for the longest time are forgotten."""


class AlertChange(msgspec.Struct, frozen=True):
    """An alert fired or resolved, or still fires (``reminder``).

    Attributes:
        alert: Its name.
        state: ``firing``, ``resolved``, ``reminder`` or ``test``.
        time: When, in seconds since 1970.
        since: Since when it fires or fired.
        value: What was measured; None: nothing.
        text: A sentence.
        muted: Nobody was notified.
        problems: The new problems, id and title.
        undelivered: Whom a channel did not reach, and why, in a sentence for each channel; only in the history.
        type: What was measured, as `Rule.type`; ``removed``: the rule was; empty: not known, as in older files.
        metric: The number of the type ``metric``.
        above, below: The bound, if there is one.
    """

    alert: str
    state: str
    time: float
    since: float
    value: float | None
    text: str
    query: str = ""
    window_s: float = 0
    muted: bool = False
    problems: tuple[tuple[str, str], ...] = ()
    undelivered: tuple[str, ...] = ()
    type: str = ""
    metric: str = ""
    above: float | None = None
    below: float | None = None


class Notification(msgspec.Struct, frozen=True):
    """What is sent: ``id`` is the same each time that it is sent. Several changes are a ``summary``."""

    id: str
    state: str
    time: float
    changes: tuple[AlertChange, ...]
    left_out: int = 0


class PendingNotification(msgspec.Struct):
    """A notification on its way to a channel: ``attempts`` that failed, the next one at ``next_at``.

    ``taken``: the recipients that have got it; they do not get it again. ``refused``: why others do not get it, for
    good; they are not asked again. ``refused_since``: when others of them were first refused, 0: none was.
    """

    channel: str
    notification: Notification
    attempts: int = 0
    next_at: float = 0
    error: str = ""
    taken: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    refused_since: float = 0


class RuleState(msgspec.Struct):
    """The state of an alert.

    Attributes:
        firing: Whether it fires.
        since: Since when it fires, or does not.
        value: The last value.
        streak: Evaluations in a row that contradict ``firing``.
        error: Why it could not be evaluated the last time; empty: it could.
        notified: Whether the channels have been, or are about to be, notified that it fires.
        notified_at: When they were last.
        channels: Those that were.
        evaluated: When it was evaluated last.
        watching_since: Since when it is, without a pause or failures of more than three intervals.
        recovered: When the store last answered again after failures; 0: it never failed.
        known: Problems that are no longer new, by id: when they were first seen; 0: before the rule was.
    """

    firing: bool = False
    since: float = 0
    value: float | None = None
    streak: int = 0
    error: str = ""
    notified: bool = False
    notified_at: float = 0
    channels: tuple[str, ...] = ()
    evaluated: float = 0
    watching_since: float = 0
    recovered: float = 0
    known: dict[str, float] = {}


class AlertsState(msgspec.Struct):
    """The state of all alerts.

    Attributes:
        rules: By name.
        outbox: What is to be sent, in order.
        held: What waits to be summed up, by channel.
        left_out: How many changes were dropped from ``held``.
        sent: When notifications were sent lately, by channel.
        history: The last changes, oldest first.
        evaluated: When the rules were evaluated last.
        refused: Recipients that the last notification of a channel did not reach, with the reason, by channel.
    """

    rules: dict[str, RuleState] = {}
    outbox: list[PendingNotification] = []
    held: dict[str, list[AlertChange]] = {}
    left_out: dict[str, int] = {}
    sent: dict[str, list[float]] = {}
    history: list[AlertChange] = []
    evaluated: float = 0
    refused: dict[str, dict[str, str]] = {}


class PageRules(msgspec.Struct):
    """What the page has made: rules as `settings.parse_rule` takes them, and until when alerts are muted (0: ever)."""

    rules: dict[str, dict[str, Any]] = {}
    muted: dict[str, float] = {}

    def is_muted(self, alert: str, now: float) -> bool:
        """Return whether an alert is muted."""
        until = self.muted.get(alert)
        return until is not None and (until == 0 or now < until)


def state_document(data_dir: Path) -> Document[AlertsState]:
    """Return the file of the state."""
    return Document(data_dir / "alerts.json", AlertsState, max_bytes=64 << 20)


def page_rules_document(data_dir: Path) -> Document[PageRules]:
    """Return the file of what the page has made."""
    return Document(data_dir / "alert_rules.json", PageRules)


def new_id() -> str:
    """Return an id for a notification."""
    return os.urandom(12).hex()
