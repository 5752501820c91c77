"""What the command line and the dashboard show about alerts: rules with their states, and tests of channels."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ingestd.alerts.channels import ChannelError, send
from ingestd.alerts.config import AlertsConfig, page_rules
from ingestd.alerts.delivery import Outbox
from ingestd.alerts.messages import change_document, listed, measured_by, sentence
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import (
    TEST,
    AlertChange,
    AlertsState,
    Notification,
    PageRules,
    RuleState,
    new_id,
)
from ingestd.event.timestamp import from_epoch
from ingestd.units import format_duration


def all_rules(config: AlertsConfig, page: PageRules) -> dict[str, Rule | str]:
    """Return the rules of the file and of the page by name; a text instead of one says why it cannot be used."""
    found: dict[str, Rule | str] = dict(config.rules)
    for name, rule in page_rules(page, config):
        found.setdefault(name, rule)
    return found


def overview(config: AlertsConfig, page: PageRules, state: AlertsState, now: float) -> list[dict[str, Any]]:
    """Return each alert as JSON types, those that fire first, then by name."""
    rows = [
        _row(name, rule, state.rules.get(name), page, now) for name, rule in sorted(all_rules(config, page).items())
    ]
    return sorted(rows, key=lambda row: ("firing", "unknown", "waiting", "ok").index(row["state"]))


def channel_rows(config: AlertsConfig, state: AlertsState) -> list[dict[str, Any]]:
    """Return each channel as JSON types; ``error`` is empty if it works."""
    outbox = Outbox(state, config, new_id)
    errors = {name: f"did not reach {listed(reasons)}" for name, reasons in outbox.refused().items()}
    errors |= {name: delivery.error for name, delivery in outbox.failing().items()}
    waiting = [delivery.channel for delivery in state.outbox]
    return [
        {
            "channel": channel.name,
            "type": channel.type,
            "waiting": waiting.count(channel.name) + len(state.held.get(channel.name, ())),
            "error": errors.get(channel.name, ""),
        }
        for channel in config.channels.values()
    ]


def history(state: AlertsState, limit: int) -> list[dict[str, Any]]:
    """Return the last changes as JSON types, newest first."""
    return [change_document(change) for change in state.history[::-1][:limit]]


def describe(rule: Rule) -> str:
    """Return when an alert fires: ``events in 5m > 10``."""
    window = format_duration(rule.window_s)
    if rule.type == "silence":
        return f"no event in {window}"
    if rule.type == "new_problem":
        return f"a new problem in {window}"
    what = {
        "count": f"events in {window}",
        "rate": f"events/s in {window}",
        "change": f"ratio of events in {window} to those before",
    }.get(rule.type, f"{rule.metric} in {window}")
    return f"{what} {'>' if rule.above else '<'} {rule.bound:g}"


def try_channels(
    config: AlertsConfig, alert: str, names: tuple[str, ...], now: float, zone: datetime.tzinfo | None
) -> dict[str, str]:
    """Send a test through channels; returns for each of them why it failed, empty if it did not."""
    change = AlertChange(alert, TEST, now, now, None, "this is a test; nothing is wrong")
    notification = Notification(new_id(), TEST, now, (change,))
    results = {}
    for name in names:
        try:
            send(config.channels[name], notification, zone, config.page_url)
        except ChannelError as error:
            results[name] = str(error)
        else:
            results[name] = ""
    return results


def not_taken(results: Mapping[str, str]) -> str:
    """Return which channels did not take a test and why, a sentence; empty: all took it. See `try_channels`."""
    failed = [f"{channel}: {error}" for channel, error in results.items() if error]
    if not failed:
        return ""
    return f"the test was not accepted by {len(failed)} of {len(results)} channels: {'; '.join(failed)}"


def _row(name: str, rule: Rule | str, state: RuleState | None, page: PageRules, now: float) -> dict[str, Any]:
    until = page.muted.get(name, 0.0)
    common = {
        "alert": name,
        "muted": page.is_muted(name, now),
        "muted_until": from_epoch(until) if until else None,
        "settings": page.rules.get(name),
    }
    if isinstance(rule, str):
        return common | {"state": "unknown", "error": rule, "source": "page"}
    found = state or RuleState()
    kind = "waiting" if not found.evaluated and not found.error else "firing" if found.firing else "ok"
    return common | {
        "state": "unknown" if found.error else kind,
        "error": found.error,
        "source": rule.source,
        "since": from_epoch(found.since) if found.since else None,
        "evaluated": from_epoch(found.evaluated) if found.evaluated else None,
        "value": found.value,
        "text": sentence(rule, found.value) if found.evaluated else "",
        **measured_by(rule),
        "condition": describe(rule),
        "query": rule.query,
        "window_s": rule.window_s,
        "channels": list(rule.channels),
    }
