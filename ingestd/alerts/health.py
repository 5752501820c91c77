"""What needs attention about the alerts, in sentences for ``/health``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingestd.alerts.delivery import Outbox
from ingestd.alerts.messages import listed
from ingestd.alerts.state import AlertsState
from ingestd.units import counted

_HANGS_S = 60.0
"""How long sending may take longer than the channel's timeout before it counts as failing."""


def channel_problems(outbox: Outbox, sending: Mapping[str, float], now: float) -> Iterator[str]:
    """Yield what is wrong with channels; ``sending``: since when a channel is sent something, by its name."""
    for name, delivery in outbox.failing().items():
        times = "once" if delivery.attempts == 1 else counted(delivery.attempts, "time")
        yield f"alerts: the channel {name} has failed {times}: {delivery.error}"
    for name, reasons in outbox.refused().items():
        yield (
            f"alerts: the last notification of the channel {name} did not reach {listed(reasons)}: correct the "
            f"address, or remove it from alerts.channels.{name}.recipients"
        )
    for name, started in sending.items():
        channel = outbox.config.channels.get(name)
        if channel is not None and now - started > channel.timeout_s + _HANGS_S:
            yield f"alerts: the channel {name} has not answered for {now - started:.0f} s"


def rule_problems(state: AlertsState) -> Iterator[str]:
    """Yield why rules cannot be evaluated, each reason once."""
    reasons: dict[str, list[str]] = {}
    for name, rule in state.rules.items():
        if rule.error:
            reasons.setdefault(rule.error, []).append(name)
    for reason, names in reasons.items():
        yield f"alerts: {', '.join(names)} cannot be evaluated, their state is unknown: {reason}"
