"""Notifications on their way out, and what holds them back.

A change of an alert goes to each of its channels as a notification of its own, unless it is held: in quiet hours, when
the channel has reached its limit of notifications, or when many wait because the channel fails. What is held is sent as
one summary afterwards. All of it is part of the `AlertsState`, which is saved before anything is sent; a notification
keeps its id, so a receiver can tell when it is sent twice because the daemon was killed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from ingestd.alerts.config import AlertsConfig, RecipientsError
from ingestd.alerts.messages import listed
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import MAX_HELD, SUMMARY, AlertChange, AlertsState, Notification, PendingNotification

MAX_WAITING = 20
"""Notifications that wait for a channel that fails; further changes are held for a summary."""

_REFUSED_FOR_NOW_S = 1800.0
"""How long recipients that are refused for now are tried again, while later notifications wait."""

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 600.0


@dataclass(slots=True)
class Outbox:
    """Puts changes into the outbox of a state, and takes them out; saves nothing.

    Attributes:
        state: The state.
        config: The channels and limits.
        new_id: Returns an id for a notification.
    """

    state: AlertsState
    config: AlertsConfig
    new_id: Callable[[], str]

    def add(self, change: AlertChange, channels: Iterable[str], now: float, rule: Rule | None = None) -> None:
        """Send a change to channels, or hold it for them; ``rule``: None if it is gone."""
        quiet = self._is_quiet(now) and not (rule is not None and rule.urgent)
        for channel in channels:
            if channel not in self.config.channels:
                continue
            if quiet or self.state.held.get(channel) or not self._has_room(channel, now):
                self._hold(channel, change)
            else:
                self._send(channel, Notification(self.new_id(), change.state, now, (change,)), now)

    def release(self, now: float) -> None:
        """Send what was held, as far as nothing holds it back any more."""
        if self._is_quiet(now):
            return
        for channel in [channel for channel, held in self.state.held.items() if held]:
            if not self._has_room(channel, now):
                continue
            changes, left_out = tuple(self.state.held.pop(channel)), self.state.left_out.pop(channel, 0)
            alone = len(changes) == 1 and not left_out
            state = changes[0].state if alone else SUMMARY
            self._send(channel, Notification(self.new_id(), state, now, changes, left_out), now)

    def drop_unknown(self) -> list[str]:
        """Forget what is for channels that are no longer there; returns their names."""
        state, known = self.state, self.config.channels
        gone = {delivery.channel for delivery in state.outbox} | {*state.held}
        gone -= {*known}
        state.outbox = [delivery for delivery in state.outbox if delivery.channel in known]
        for by_channel in (state.held, state.left_out, state.sent, state.refused):
            for name in gone | ({*by_channel} - {*known}):
                by_channel.pop(name, None)
        return sorted(gone)

    def due(self, channel: str, now: float) -> PendingNotification | None:
        """Return what is to be sent to a channel now: the first in its row."""
        first = next((delivery for delivery in self.state.outbox if delivery.channel == channel), None)
        if first is None:
            return None
        too_far = first.next_at > now + _LONGEST_RETRY_S  # the clock was wrong
        return first if first.next_at <= now or too_far else None

    def sent(self, delivery: PendingNotification, refused: Mapping[str, str]) -> None:
        """Take out what was sent; the history says whom it missed."""
        self.state.outbox = [other for other in self.state.outbox if other is not delivery]
        self.state.refused.pop(delivery.channel, None)
        if refused:
            self._note_missed(delivery, refused)

    def _note_missed(self, delivery: PendingNotification, refused: Mapping[str, str]) -> None:
        channel, missed = delivery.channel, delivery.notification.changes
        self.state.refused[channel] = dict(refused)
        text = f"{channel} did not reach {listed(refused)}"
        keys = {(change.alert, change.state, change.time) for change in missed}
        self.state.history = [
            msgspec.structs.replace(change, undelivered=(*change.undelivered, text))
            if (change.alert, change.state, change.time) in keys
            else change
            for change in self.state.history
        ]

    def failed(self, delivery: PendingNotification, error: str, now: float) -> None:
        """Note that a channel did not take it; it is sent again after a pause that doubles."""
        delivery.attempts += 1
        delivery.error = error
        delivery.next_at = now + min(_FIRST_RETRY_S * 2 ** (delivery.attempts - 1), _LONGEST_RETRY_S)

    def left_out(self, delivery: PendingNotification) -> tuple[str, ...]:
        """Return the recipients that it is not sent to (any more): see `PendingNotification`.

        If nobody has got it and all have refused it for good, they are asked all the same: it must not be lost.
        """
        channel = self.config.channels[delivery.channel]
        if not delivery.taken and not {*channel.recipients} - {*delivery.refused}:
            return ()
        return (*delivery.taken, *delivery.refused)

    def note_refusal(
        self, delivery: PendingNotification, error: RecipientsError, now: float
    ) -> tuple[dict[str, str], bool]:
        """Keep who has got it, and who refused it for good.

        Returns:
            All that have refused it, and whether it is sent again: to those that refused it for now, unless the last
            notification missed them, too; to all as long as nobody has got it.
        """
        before = {each: reason for each, reason in delivery.refused.items() if each not in error.refused}
        for_good = {each: reason for each, reason in error.refused.items() if each not in error.again}
        delivery.taken, delivery.refused = (*delivery.taken, *error.taken), before | for_good
        if delivery.taken:
            delivery.refused_since = delivery.refused_since or now
        missed = self.state.refused.get(delivery.channel, {})
        is_early = 0 <= now - delivery.refused_since < _REFUSED_FOR_NOW_S
        again = not delivery.taken or (is_early and any(each not in missed for each in error.again))
        return before | error.refused, again

    def refused(self) -> dict[str, dict[str, str]]:
        """Return the recipients that the last notification of a channel did not reach, as far as they are still set."""
        found = {}
        for channel, reasons in self.state.refused.items():
            wanted = self.config.channels[channel].recipients if channel in self.config.channels else ()
            if left := {address: reason for address, reason in reasons.items() if address in wanted}:
                found[channel] = left
        return found

    def failing(self) -> dict[str, PendingNotification]:
        """Return the first delivery of each channel that fails."""
        found: dict[str, PendingNotification] = {}
        for delivery in self.state.outbox:
            found.setdefault(delivery.channel, delivery)
        return {channel: delivery for channel, delivery in found.items() if delivery.error}

    def _is_quiet(self, now: float) -> bool:
        hours = self.config.quiet_hours
        return hours is not None and hours.include(now, self.config.zone)

    def _has_room(self, channel: str, now: float) -> bool:
        if sum(delivery.channel == channel for delivery in self.state.outbox) >= MAX_WAITING:
            return False
        lately = [time for time in self.state.sent.get(channel, ()) if now - self.config.per_s < time <= now]
        self.state.sent[channel] = lately
        return not self.config.max_notifications or len(lately) < self.config.max_notifications

    def _hold(self, channel: str, change: AlertChange) -> None:
        held = self.state.held.setdefault(channel, [])
        held.append(change)
        if len(held) > MAX_HELD:
            del held[0]
            self.state.left_out[channel] = self.state.left_out.get(channel, 0) + 1

    def _send(self, channel: str, notification: Notification, now: float) -> None:
        self.state.sent.setdefault(channel, []).append(now)
        self.state.outbox.append(PendingNotification(channel, notification))
