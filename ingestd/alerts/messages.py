"""Notifications as text and as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ingestd.alerts.rules import WITHOUT_BOUND, Rule
from ingestd.alerts.state import FIRING, REMINDER, RESOLVED, SUMMARY, TEST, AlertChange, Notification
from ingestd.event.timestamp import from_epoch
from ingestd.units import counted, format_duration

_MOST_LINES = 20
REMOVED = "removed"
_MARKS = {FIRING: "FIRING", RESOLVED: "RESOLVED", REMINDER: "STILL FIRING", TEST: "TEST"}


def sentence(rule: Rule, value: float | None, problems: int = 0) -> str:
    """Return what was measured and what is expected: ``12 events in 5m, more than 10``."""
    window = format_duration(rule.window_s)
    if rule.type == "new_problem":
        return f"{counted(problems or int(value or 0), 'new problem')} in {window}"
    if rule.type == "silence":
        return f"{'no event' if not value else counted(int(value), 'event')} in {window}"
    if value is None:
        return f"no value in {window}"
    measured = {
        "count": counted(int(value), "event"),
        "rate": f"{value:.6g} events/s",
        "change": f"{value:.6g} times as many events as before",
    }.get(rule.type, f"{rule.metric} is {value:.6g}")
    side = ("more than" if rule.above else "less than") if rule.breaches(value) else "bound"
    return f"{measured} in {window}, {side} {rule.bound:g}"


def measured_by(rule: Rule) -> dict[str, Any]:
    """Return what a rule measures and its bound, as fields of an `AlertChange`."""
    side = {} if rule.type in WITHOUT_BOUND else {"above" if rule.above else "below": rule.bound}
    return {"type": rule.type, "metric": str(rule.metric or ""), **side}


def listed(reasons: Mapping[str, str]) -> str:
    """Return recipients with the reasons why they were refused, as a text."""
    return ", ".join(f"{address} ({reason})" for address, reason in reasons.items())


def local_time(time: float, zone: datetime.tzinfo | None) -> str:
    """Return a time for people: ``2026-11-19 10:05:00+09:00``."""
    return datetime.datetime.fromtimestamp(time, zone).astimezone(zone).isoformat(" ", "seconds")


def title(notification: Notification) -> str:
    """Return one line: ``[FIRING] errors: 12 events in 5m, more than 10``."""
    if notification.state == SUMMARY:
        names = dict.fromkeys(change.alert for change in notification.changes)
        number = len(notification.changes) + notification.left_out
        return f"[SUMMARY] {counted(number, 'change')} of {counted(len(names), 'alert')}"
    (change,) = notification.changes
    return f"[{_MARKS[change.state]}] {change.alert}: {change.text}"


def text(notification: Notification, zone: datetime.tzinfo | None, page_url: str = "") -> str:
    """Return the whole text, several lines."""
    shown = notification.changes[-_MOST_LINES:]
    lines = [title(notification)]
    for change in shown:
        if notification.state == SUMMARY:
            lines.append(f"{local_time(change.time, zone)} {_MARKS[change.state]} {change.alert}: {change.text}")
        else:
            lines += [f"Since {local_time(change.since, zone)}", *([f"Query: {change.query}"] if change.query else [])]
        lines += [f"- {name or problem}" for problem, name in change.problems[:_MOST_LINES]]
    if hidden := len(notification.changes) - len(shown) + notification.left_out:
        lines.append(f"and {hidden:,} more")
    if page_url:
        lines.append(link(notification.changes[-1], page_url))
    return "\n".join(lines)


def link(change: AlertChange, page_url: str) -> str:
    """Return the address of the events in the dashboard."""
    if not change.window_s:
        return f"{page_url}/"
    since, until = from_epoch(change.since - change.window_s), from_epoch(change.time)
    return f"{page_url}/#q={quote(change.query, safe='')}&from={quote(since)}&to={quote(until)}"


def document(notification: Notification, page_url: str = "") -> dict[str, Any]:
    """Return the notification as JSON types: of webhooks and commands."""
    changes = [_change(change, page_url) for change in notification.changes]
    common = {"id": notification.id, "state": notification.state, "title": title(notification)}
    if notification.state == SUMMARY:
        return common | {
            "time": from_epoch(notification.time),
            "changes": changes,
            "left_out": notification.left_out,
        }
    return changes[0] | common


def _change(change: AlertChange, page_url: str) -> dict[str, Any]:
    found = change_document(change)
    return found | ({"url": link(change, page_url)} if page_url else {})


def change_document(change: AlertChange) -> dict[str, Any]:
    """Return a change as JSON types."""
    return {
        "alert": change.alert,
        "state": change.state,
        "time": from_epoch(change.time),
        "since": from_epoch(change.since),
        "value": change.value,
        "text": change.text,
        "query": change.query,
        "type": change.type,
        "metric": change.metric,
        "above": change.above,
        "below": change.below,
        "window_s": change.window_s,
        "muted": change.muted,
        "problems": [{"problem": problem, "title": name} for problem, name in change.problems],
    } | ({"undelivered": list(change.undelivered)} if change.undelivered else {})
