"""Evaluates the rules at intervals and sends what follows.

The order of each step: evaluate, save the state with its outbox, send, save that it was sent. So after a kill nothing
is lost, and nothing is sent twice unless the kill came between the last two: then with the same id.

One thread evaluates. Each channel that has something to send has a thread of its own until that is done or fails: one
that hangs delays neither the rules nor other channels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from ingestd import metrics
from ingestd.alerts import channels
from ingestd.alerts.config import AlertsConfig, page_rules
from ingestd.alerts.delivery import Outbox
from ingestd.alerts.evaluation import Measured, advance, contradicts, may_be_missing, measure
from ingestd.alerts.health import channel_problems, rule_problems
from ingestd.alerts.messages import REMOVED, listed, measured_by, sentence
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import (
    FIRING,
    MAX_HISTORY,
    REMINDER,
    RESOLVED,
    AlertChange,
    AlertsState,
    PageRules,
    PendingNotification,
    RuleState,
    new_id,
    page_rules_document,
    state_document,
)
from ingestd.decoders import decoder
from ingestd.files import file_version
from ingestd.logs import get_logger
from ingestd.stores.base import LogStore, StoreError

log = get_logger(__name__)

_SLOW_S = 3.0
"""A rule that fails after this long has waited for the store: the others are not evaluated in this round."""

_PAUSE_INTERVALS = 3
"""Evaluations that may fail to come before the time between counts as a pause: the daemon or the machine rested."""

Send = Callable[..., None]


@dataclass
class Engine:
    """The alerts of a daemon.

    Attributes:
        config: Rules and channels; see `configure`.
        opened: Opens the store; called again after an error.
        clock: Returns the time, in seconds since 1970.
        send: Sends a notification, as `channels.send` does.
    """

    config: AlertsConfig
    opened: Callable[[AlertsConfig], LogStore]
    clock: Callable[[], float]
    send: Send = channels.send
    _state: AlertsState = field(default_factory=AlertsState)
    _page: PageRules = field(default_factory=PageRules)
    _page_version: object = None
    _next_config: AlertsConfig | None = None
    _store: LogStore | None = None
    _rules: dict[str, Rule] = field(default_factory=dict)
    _unusable: dict[str, str] = field(default_factory=dict)
    _unsaved: str = ""
    _saved: bytes = b""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _saving: threading.Lock = field(default_factory=threading.Lock)
    _sending: dict[str, float] = field(default_factory=dict)
    _slow: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._document = state_document(self.config.data_dir)
        self._page_document = page_rules_document(self.config.data_dir)
        try:
            self._state = self._document.load()
        except OSError as error:
            self._unsaved = str(error)
        self._next_config = self.config
        self._refresh()
        self._publish()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do: no rule, and nothing to send."""
        return not (self._rules or self._state.rules or self._state.outbox or any(self._state.held.values()))

    def configure(self, config: AlertsConfig) -> None:
        """Use other rules and channels from the next step on; the state of rules that stay is kept. From any thread."""
        with self._lock:
            self._next_config = config

    def _apply_config(self) -> None:
        """Use the config that `configure` was called with last, if it was; the lock is held."""
        if self._next_config is None:
            return
        config, self._next_config = self._next_config, None
        if (config.server, config.indices) != (self.config.server, self.config.indices):
            self._close_store()
        self.config = config
        self._page_version = None
        if gone := self._outbox.drop_unknown():
            log.warning("notifications were dropped: their channels are gone", channels=", ".join(gone))

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._close_store()

    def step(self) -> list[threading.Thread]:
        """Evaluate the rules if that is due, and send what is due; returns the threads that do so."""
        now = self.clock()
        self._refresh()
        since = now - self._state.evaluated
        if since >= self.config.interval_s or since < 0:
            self.evaluate(now)
        return self.deliver(now)

    def _refresh(self) -> None:
        with self._lock:
            self._apply_config()
            self._load_page()

    def evaluate(self, now: float) -> None:
        """Evaluate each rule once, and save what follows from it."""
        state = self._state
        with self._lock:
            state.evaluated = now
            self._forget_rules(now)
        hung = ""
        for rule in sorted(self._rules.values(), key=lambda rule: self._slow.get(rule.name, 0)):
            if hung:  # each of them would wait as long
                self._note_error(rule, self._state_of(rule, now), hung)
                continue
            started = time.monotonic()
            error = self._evaluate_rule(rule, now)
            self._slow.pop(rule.name, None)
            if error and time.monotonic() - started >= _SLOW_S:
                hung = error
                self._slow[rule.name] = now  # after the others the next time: it may be its own fault
        with self._lock:
            self._outbox.release(now)
            self._publish()
        self._save()

    def deliver(self, now: float) -> list[threading.Thread]:
        """Send what is due; returns the threads that do so."""
        with self._lock:
            due = [name for name in self.config.channels if name not in self._sending and self._outbox.due(name, now)]
            self._sending |= dict.fromkeys(due, now)
        threads = {name: threading.Thread(target=self._drain, args=(name,), daemon=True) for name in due}
        try:
            for thread in threads.values():
                thread.start()
        finally:  # the system may refuse a thread: then it stays due
            with self._lock:
                for name in [name for name in due if threads[name].ident is None]:
                    del self._sending[name]
        return list(threads.values())

    def problems(self) -> list[str]:
        """Return what needs attention, in sentences."""
        with self._lock:
            found = [*channel_problems(self._outbox, self._sending, self.clock()), *rule_problems(self._state)]
            found += [f"alerts: the rule {name} cannot be used: {text}" for name, text in self._unusable.items()]
            if self._unsaved:
                found.append(f"alerts: their state cannot be saved: {self._unsaved}")
            return found

    @property
    def _outbox(self) -> Outbox:
        return Outbox(self._state, self.config, new_id)

    # Rules

    def _load_page(self) -> None:
        """Read what the page has made, if it has changed."""
        version = (file_version(self._page_document.path),)
        if version == self._page_version:
            return
        try:
            self._page = self._page_document.load()
        except OSError as error:
            log.warning("the rules from the dashboard cannot be read", error=error)
            return
        self._page_version = version
        rules, self._unusable = dict(self.config.rules), {}
        for name, rule in page_rules(self._page, self.config):
            if isinstance(rule, Rule):
                rules[name] = rule
            else:
                self._unusable[name] = rule
        self._rules = rules

    def _forget_rules(self, now: float) -> None:
        """Forget the state of rules that are gone; if the channels were notified that one fires, it resolves."""
        for name in [name for name in self._state.rules if name not in self._rules]:
            if name in self._unusable:
                continue
            old = self._state.rules.pop(name)
            if old.firing:
                change = AlertChange(name, RESOLVED, now, old.since, None, "the rule was removed", type=REMOVED)
                self._record(change)
                if old.notified:
                    self._outbox.add(change, old.channels, now)

    def _state_of(self, rule: Rule, now: float) -> RuleState:
        return self._state.rules.setdefault(rule.name, RuleState(since=now))

    def _evaluate_rule(self, rule: Rule, now: float) -> str:
        """Evaluate a rule; returns why that failed, empty if it did not."""
        state = self._state_of(rule, now)
        known = dict(state.known)
        work = msgspec.structs.replace(state, known=known)
        try:
            if self._store is None:
                self._store = self.opened(self.config)
            measured = measure(self._store, rule, work, now - self.config.lag_s)
        except (StoreError, OSError, ValueError) as error:
            return self._note_error(rule, state, str(error))
        except Exception as error:  # a defect must not end the evaluation of the others
            if not state.error:
                log.exception("the evaluation of an alert failed", alert=rule.name)
            return self._note_error(rule, state, f"the evaluation failed: {error!r}")
        with self._lock:
            state.known = known
            if state.error:
                log.info("an alert is evaluated again", alert=rule.name)
                state.recovered = now
            if not 0 <= now - state.evaluated <= max(_PAUSE_INTERVALS * self.config.interval_s, 1):
                state.watching_since = now
            state.evaluated = now
            self._take(rule, state, measured, now)
        return ""

    def _note_error(self, rule: Rule, state: RuleState, error: str) -> str:
        """Note that the state is unknown: whether the alert fires stays as it was. Returns the error."""
        with self._lock:
            if not state.error:
                log.warning("an alert cannot be evaluated, its state is unknown", alert=rule.name, error=error)
            state.error = error
        return error

    def _take(self, rule: Rule, state: RuleState, measured: Measured, now: float) -> None:
        """Change the state by what was measured, and notify."""
        if may_be_missing(rule, state, now, self.config.lag_s) and contradicts(rule, state, measured.value):
            state.value, state.error = measured.value, ""
            return
        since, muted = state.since, self._page.is_muted(rule.name, now)
        changed = advance(rule, state, measured, now)
        if state.firing:
            since = state.since
        change = self._change(rule, FIRING if state.firing else RESOLVED, measured, since, now, muted=muted)
        if changed:
            self._record(change)
        if state.firing and not muted:
            if changed or not state.notified:
                self._notify(rule, state, change, now)
            elif rule.remind_s and not 0 <= now - state.notified_at < rule.remind_s:
                self._notify(rule, state, msgspec.structs.replace(change, state=REMINDER), now)
        elif not state.firing and state.notified:
            self._outbox.add(change, state.channels, now, rule)
            state.notified = False

    def _change(
        self, rule: Rule, kind: str, measured: Measured, since: float, now: float, *, muted: bool = False
    ) -> AlertChange:
        return AlertChange(
            rule.name,
            kind,
            now,
            since,
            measured.value,
            sentence(rule, measured.value, len(measured.problems)),
            rule.query,
            rule.window_s,
            muted,
            measured.problems,
            **measured_by(rule),
        )

    def _notify(self, rule: Rule, state: RuleState, change: AlertChange, now: float) -> None:
        state.notified, state.notified_at, state.channels = True, now, rule.channels
        self._outbox.add(change, rule.channels, now, rule)

    def _record(self, change: AlertChange) -> None:
        self._state.history.append(change)
        del self._state.history[:-MAX_HISTORY]
        log.info("an alert changed", alert=change.alert, state=change.state, text=change.text)

    # Sending

    def _drain(self, name: str) -> None:
        """Send what is due to a channel, in order, until one fails."""
        try:
            while self._send_next(name):
                pass
        except Exception:  # a defect: the notification stays in the outbox
            log.exception("a notification cannot be sent", channel=name)
        finally:
            with self._lock:
                self._sending.pop(name, None)

    def _send_next(self, name: str) -> bool:
        """Send the next notification to a channel; returns whether it was taken."""
        with self._lock:
            config, now = self.config, self.clock()
            delivery = self._outbox.due(name, now)
            channel = config.channels.get(name)
            if delivery is None or channel is None:
                return False
            self._sending[name] = now
            left_out = self._outbox.left_out(delivery)
        try:
            self.send(channel, delivery.notification, config.zone, config.page_url, left_out)
        except channels.RecipientsError as error:
            return self._note_refusal(name, delivery, error)
        except Exception as error:  # noqa: BLE001 -- a ChannelError, or a defect: logged, and sent again
            text = str(error) if isinstance(error, channels.ChannelError) else f"sending failed: {error!r}"
            self._note_failure(name, delivery, text)
            return False
        self._note_sent(name, delivery, {each: why for each, why in delivery.refused.items() if each in left_out})
        return True

    def _note_refusal(self, name: str, delivery: PendingNotification, error: channels.RecipientsError) -> bool:
        """Note that some recipients were refused; those that may be tried again are. Returns whether it is done."""
        with self._lock:
            refused, again = self._outbox.note_refusal(delivery, error, self.clock())
        if again:
            self._note_failure(name, delivery, f"it refused {listed(refused)}")
        else:
            self._note_sent(name, delivery, refused)
        return not again

    def _note_sent(self, name: str, delivery: PendingNotification, refused: dict[str, str]) -> None:
        """Note that a notification is done, though some recipients may have refused it."""
        if refused:
            log.warning("some recipients did not get a notification", channel=name, refused=listed(refused))
        elif delivery.attempts:
            log.info("a channel of alerts works again", channel=name)
        with self._lock:
            self._outbox.sent(delivery, refused)
        self._save()
        metrics.NOTIFICATIONS_SENT.add(1, name)

    def _note_failure(self, name: str, delivery: object, text: str) -> None:
        metrics.NOTIFICATIONS_FAILED.add(1, name)
        with self._lock:
            for found in self._state.outbox:
                if found is delivery:
                    if not found.attempts:
                        log.warning("a channel of alerts fails, trying again", channel=name, error=text)
                    self._outbox.failed(found, text, self.clock())
        self._save()

    # State

    def _save(self) -> None:
        """Save the state. If that fails, notifications are sent all the same: they may be about the full disk.

        The disk may be slow: `problems` does not wait for it.
        """
        with self._saving:
            with self._lock:
                encoded = msgspec.json.encode(self._state)
            if encoded == self._saved:
                return
            state = decoder(AlertsState).decode(encoded)
            try:
                with self._document.update() as content:
                    for name in AlertsState.__struct_fields__:
                        setattr(content, name, getattr(state, name))
            except OSError as error:
                if not self._unsaved:
                    log.error("the state of alerts cannot be saved; they keep running", error=error)
                self._unsaved = str(error)
            else:
                self._saved, self._unsaved = encoded, ""

    def _publish(self) -> None:
        metrics.ALERT_FIRING.replace([((name,), [int(rule.firing)]) for name, rule in self._state.rules.items()])

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
