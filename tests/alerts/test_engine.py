"""Alerts over the built-in store: when they fire, resolve, and wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from ingestd.alerts.channels import RecipientsError
from ingestd.alerts.evaluation import Measured
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import PageRules, page_rules_document, state_document
from ingestd.stores.base import StoreError
from tests.alerts.site import CHANNEL, START, Site, shown

pytestmark = pytest.mark.usefixtures("shared_duckdb")

ERRORS = f'{CHANNEL}[alerts.rules.errors]\nquery = "level:ERROR"\nabove = 3\n'

Steps = list[tuple[Callable[[Site], Any] | None, list[str]]]


def add(number: int = 1, **fields: Any) -> Callable[[Site], None]:
    return lambda site: site.add(number, **fields)


def rest(seconds: float) -> Callable[[Site], None]:
    def pass_time(site: Site) -> None:
        site.now += seconds

    return pass_time


def away(now: bool) -> Callable[[Site], None]:
    def change(site: Site) -> None:
        site.away = now
        site.engine.close()

    return change


FIRES, RESOLVES = ["firing errors"], ["resolved errors"]

CASES: dict[str, tuple[str, Steps]] = {  # settings of the rule, what happens before each evaluation, what is sent
    "count_fires_once_and_resolves_once": (
        "above = 3",
        [(add(3), []), (add(1), FIRES), (None, []), (None, []), (None, []), (None, RESOLVES), (None, [])],
    ),
    "other_events_do_not_count": ("above = 3", [(add(9, level="INFO"), []), (add(9, ago=3000), [])]),
    "late_events_count_when_they_come": ("above = 3", [(add(4, ago=200), FIRES)]),
    "what_may_still_come_is_not_looked_at": ("above = 3", [(add(4, ago=-55), []), (None, FIRES)]),
    "rate": (
        'type = "rate"\nabove = 0.1\nwindow = "60s"',
        [(add(6), []), (add(7), FIRES), (None, RESOLVES), (None, [])],
    ),
    "below": (
        'below = 2\nwindow = "2m"',
        [(add(2), []), (add(2), []), (add(2), []), (None, []), (None, FIRES), (add(2), RESOLVES)],
    ),
    "resolve_has_a_bound_of_its_own": (
        'above = 3\nresolve = 1\nwindow = "60s"',
        [(add(4), FIRES), (add(4), []), (add(2), []), (add(2), []), (add(1), RESOLVES)],
    ),
    "evaluations_must_agree": (
        'above = 3\nevaluations = 2\nwindow = "60s"',
        [(add(4), []), (add(4), FIRES), (None, []), (add(4), []), (None, []), (None, RESOLVES)],
    ),
    "times_the_window_before": (
        'type = "change"\nabove = 3\nwindow = "60s"\nminimum = 8',
        [(add(7), []), (add(2), []), (add(9), FIRES), (add(9), RESOLVES)],
    ),
    "a_percentile": (
        'type = "metric"\nmetric = "p95:duration_ms"\nabove = 500\nwindow = "60s"',
        [(add(9, duration_ms=100), []), (add(2, duration_ms=900), FIRES), (None, RESOLVES)],
    ),
    "silence_waits_until_it_has_watched_for_long_enough": (
        'type = "silence"\nwindow = "2m"',
        [(None, []), (None, []), (None, []), (None, FIRES), (None, []), (add(1), RESOLVES)],
    ),
    "after_a_pause_it_watches_first": (
        'type = "silence"\nwindow = "2m"',
        [(add(1), []), (rest(3600), []), (None, []), (None, []), (None, FIRES)],
    ),
    "the_clock_may_jump_back": (
        'type = "silence"\nwindow = "2m"',
        [(add(1), []), (rest(-86400), []), (None, []), (None, []), (None, FIRES)],
    ),
    "new_problem": (
        'type = "new_problem"\nwindow = "2m"',
        [
            (add(2, problem="old", ago=7000), []),
            (add(2, problem="old"), []),
            (add(2, problem="new"), FIRES),
            (add(2, problem="newer"), FIRES),
            (add(2, problem="old"), []),
            (None, RESOLVES),
            (add(2, problem="new"), []),
        ],
    ),
    "a_reminder": (
        'above = 3\nwindow = "1h"\nremind = "3m"',
        [(add(4), FIRES), (None, []), (None, []), (None, ["reminder errors"]), (None, [])],
    ),
    "unknown_is_not_resolved": (
        'above = 3\nwindow = "2m"',
        [
            *[(add(4), FIRES), (away(now=True), []), (None, []), (away(now=False), [])],
            *[(None, []), (None, []), (None, RESOLVES)],  # until then, events may still wait in the journal
        ],
    ),
    "what_waited_for_the_store_is_not_missed": (
        'above = 3\nwindow = "2m"',
        [(add(4), FIRES), (away(now=True), []), (None, []), (away(now=False), []), (add(4), []), (add(4), [])],
    ),
    "a_failure_from_time_to_time_does_not_hide_a_silence": (
        'type = "silence"\nwindow = "18m"',
        [
            (add(1), []),
            *[*[(None, [])] * 8, (away(now=True), []), (away(now=False), [])] * 2,
            *[(None, [])] * 4,
            (None, FIRES),
        ],
    ),
    "after_a_long_outage_it_watches_first": (
        'type = "silence"\nwindow = "6m"',
        [
            *[(add(1), []), (away(now=True), []), *[(None, [])] * 3, (away(now=False), [])],
            *[(None, [])] * 6,
            (None, FIRES),
        ],
    ),
    "a_store_that_was_away_is_no_silence": (
        'type = "silence"\nwindow = "2m"',
        [
            *[(add(1), [])] * 4,
            *[(away(now=True), []), (away(now=False), []), (None, []), (None, []), (None, FIRES)],
        ],
    ),
}


@pytest.mark.parametrize(("rule", "steps"), CASES.values(), ids=CASES)
def test_when_it_fires_and_resolves(rule: str, steps: Steps, tmp_path: Path) -> None:
    query = "" if "new_problem" in rule else 'query = "level:ERROR"\n'
    site = Site(tmp_path, f"{CHANNEL}[alerts.rules.errors]\n{query}{rule}\n")
    for before, expected in steps:
        if before is not None:
            before(site)
        assert site.step() == expected
    assert len({notification.id for _, notification in site.sent}) == len(site.sent)


def test_the_sentence_says_what_was_measured(tmp_path: Path) -> None:
    site = Site(tmp_path, ERRORS)
    site.add(12)
    site.step()
    (change,) = site.sent[0][1].changes
    assert change.text == "12 events in 5m, more than 3"
    assert (change.value, change.since, change.query) == (12, START + 60, "level:ERROR")


def test_a_new_problem_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path, f'{CHANNEL}[alerts.rules.new]\ntype = "new_problem"\n')
    site.add(problem="a1", message="first line\nsecond")
    site.add(problem="b2", problem_title="ValueError in views.py")
    site.step()
    (change,) = site.sent[0][1].changes
    assert sorted(change.problems) == [("a1", "first line"), ("b2", "ValueError in views.py")]
    assert change.text == "2 new problems in 5m"


def test_state_and_history_survive_a_restart(tmp_path: Path) -> None:
    site = Site(tmp_path, ERRORS)
    site.add(4)
    assert site.step() == ["firing errors"]
    again = Site(tmp_path, ERRORS, site.now)
    assert [again.step() for _ in range(6)] == [[], [], [], [], ["resolved errors"], []]
    history = state_document(tmp_path / "data").load().history
    assert [change.state for change in history] == ["firing", "resolved"]
    assert history[1].since == START + 60


def test_what_was_saved_but_not_sent_is_sent_after_a_restart_with_the_same_id(tmp_path: Path) -> None:
    site = Site(tmp_path, ERRORS)
    site.broken.add("ops")
    site.add(4)
    assert site.step() == []
    (delivery,) = state_document(tmp_path / "data").load().outbox
    again = Site(tmp_path, ERRORS, site.now)
    assert again.step(2) == ["firing errors"]
    assert again.sent[0][1] == delivery.notification
    assert state_document(tmp_path / "data").load().outbox == []


def test_a_failing_channel_is_reported_retried_with_backoff_and_keeps_the_order(tmp_path: Path) -> None:
    other = CHANNEL.replace("ops]", "other]")
    site = Site(tmp_path, f'{other}{ERRORS}window = "60s"\n')
    site.broken.add("ops")
    site.add(4)
    assert site.step() == ["firing errors"]
    assert site.sent[0][0] == "other"
    assert site.engine.problems() == ["alerts: the channel ops has failed once: it is broken"]
    assert site.step() == ["resolved errors"]
    site.broken.clear()
    assert site.step(0.5) == [], "it waits longer after each failure"
    assert site.step(10) == ["firing errors", "resolved errors"]
    assert site.engine.problems() == []


def test_what_no_thread_can_send_is_sent_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    site = Site(tmp_path, ERRORS)
    site.add(4)
    site.now += 60
    site.engine.evaluate(site.now)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        site.engine.deliver(site.now)
    monkeypatch.undo()
    assert site.step(1) == ["firing errors"]


def test_an_away_store_is_reported_and_keeps_the_metric(tmp_path: Path) -> None:
    site = Site(tmp_path, ERRORS)
    site.add(4)
    site.step()
    away(now=True)(site)
    site.step()
    text = "alerts: errors cannot be evaluated, their state is unknown: the server does not respond"
    assert site.engine.problems() == [text]
    assert metrics.ALERT_FIRING.series() == [(("errors",), 1)]
    away(now=False)(site)
    site.step()
    assert site.engine.problems() == []


MAIL = """[alerts.channels.mail]
type = "email"
host = "smtp.test"
sender = "a@test"
recipients = ["{0}", "gone@test"]
"""


def test_a_recipient_that_is_refused_is_told_and_the_others_get_nothing_twice(tmp_path: Path) -> None:
    rule = ERRORS.removeprefix(CHANNEL)
    site = Site(tmp_path, MAIL.format("ops@test") + rule)
    later = RecipientsError("refused gone@test (450 later)", ("ops@test",), {"gone@test": "450 later"}, ("gone@test",))
    for_good = RecipientsError("refused gone@test (550 no)", (), {"gone@test": "550 no"}, ())
    site.refusals += [later, for_good]
    site.add(4)
    site.step()
    assert site.engine.problems() == ["alerts: the channel mail has failed once: it refused gone@test (450 later)"]
    site.step()
    assert site.left_out == [(), ("ops@test",)]
    (problem,) = site.engine.problems()
    assert "the last notification of the channel mail did not reach gone@test (550 no): correct the address" in problem
    state = state_document(tmp_path / "data").load()
    assert state.outbox == []
    assert state.history[-1].undelivered == ("mail did not reach gone@test (550 no)",)
    site = Site(tmp_path, MAIL.format("ops@test") + rule, site.now)
    assert site.engine.problems() == [problem], "a restart does not forget it"
    site.configure(MAIL.replace("gone@test", "web@test").format("ops@test") + rule)
    site.step()
    assert site.engine.problems() == [], "the address was mended"
    site.configure(MAIL.format("ops@test") + rule)
    for _ in range(6):
        site.step()
    assert [shown(notification) for _, notification in site.sent] == ["resolved errors"]
    assert site.engine.problems() == [], "all of them got the next one"


def test_a_recipient_that_is_refused_for_now_holds_up_the_others_for_half_an_hour_at_most(tmp_path: Path) -> None:
    """That of an outage before does not count, and the next notification waits for the same address no more."""
    later = RecipientsError("refused gone@test (450 later)", ("ops@test",), {"gone@test": "450 later"}, ("gone@test",))
    site = Site(tmp_path, MAIL.format("ops@test") + ERRORS.removeprefix(CHANNEL))
    site.broken.add("mail")
    site.add(4)
    site.step()
    site.broken.clear()
    site.refusals += [later] * 9
    site.step(7200)  # the alert resolves: one more that waits
    assert site.left_out == [()]
    for left in (7, 6, 5):
        site.step(599)
        assert len(site.refusals) == left
    assert state_document(tmp_path / "data").load().history[0].undelivered == ()
    site.step(20)
    assert len(site.refusals) == 3, "both, once each"
    state = state_document(tmp_path / "data").load()
    assert state.outbox == []
    assert [change.undelivered for change in state.history] == [("mail did not reach gone@test (450 later)",)] * 2
    site.refusals.clear()
    site.add(4)
    assert site.step() == ["firing errors"]
    assert site.engine.problems() == []


def refused(again: tuple[str, ...] = (), taken: tuple[str, ...] = (), **reasons: str) -> RecipientsError:
    return RecipientsError("refused", taken, {f"{name}@test": reason for name, reason in reasons.items()}, again)


def test_those_who_refuse_for_good_are_not_asked_again_while_others_are(tmp_path: Path) -> None:
    """Each of them is in /health all the time, and in the history in the end."""
    mail = MAIL.replace('"gone@test"', '"gone@test", "web@test"').format("ops@test")
    site = Site(tmp_path, mail + ERRORS.removeprefix(CHANNEL))
    site.refusals += [
        refused(("web@test",), ("ops@test",), gone="550 no", web="450 later"),
        refused(("web@test",), web="451 later"),
    ]
    site.add(4)
    site.step()
    site.step()
    assert site.left_out == [(), ("ops@test", "gone@test")]
    text = "alerts: the channel mail has failed 2 times: it refused gone@test (550 no), web@test (451 later)"
    assert site.engine.problems() == [text]
    again = Site(tmp_path, mail + ERRORS.removeprefix(CHANNEL), site.now)
    assert again.step() == ["firing errors"]
    assert again.left_out == [("ops@test", "gone@test")], "a restart does not forget them"
    (problem,) = again.engine.problems()
    assert "mail did not reach gone@test (550 no): correct" in problem
    assert state_document(tmp_path / "data").load().history[-1].undelivered == (
        "mail did not reach gone@test (550 no)",
    )


def test_what_all_refuse_is_not_lost(tmp_path: Path) -> None:
    """Nobody has got it: those who refused it for good are asked again once the others have done so, too."""
    site = Site(tmp_path, MAIL.format("ops@test") + ERRORS.removeprefix(CHANNEL))
    site.refusals += [refused(("ops@test",), gone="550 no", ops="450 later"), refused(ops="550 relaying denied")]
    site.add(4)
    site.step()
    site.step(3600)
    text = "alerts: the channel mail has failed 2 times: it refused gone@test (550 no), ops@test (550 relaying denied)"
    assert site.engine.problems() == [text]
    assert site.step(600)[0] == "firing errors"
    assert site.left_out[:3] == [(), ("gone@test",), ()]
    assert site.engine.problems() == []


def test_a_store_that_hangs_is_waited_for_once_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One rule that hangs for a fault of its own does not keep the others from being evaluated."""
    rules = "".join(f"[alerts.rules.{name}]\nabove = 0\n" for name in "abc")
    site = Site(tmp_path, f"{CHANNEL}{rules}")
    monkeypatch.setattr("ingestd.alerts.engine._SLOW_S", 0.0)
    hanging, asked = {"a", "b", "c"}, list[str]()

    def hang(store: object, rule: Rule, *more: object) -> Measured:
        asked.append(rule.name)
        if rule.name in hanging:
            raise StoreError("it took too long")
        return Measured(0)

    monkeypatch.setattr("ingestd.alerts.engine.measure", hang)
    rounds = []
    for now in ({"a", "b", "c"}, {"a", "b", "c"}, {"a"}, {"a"}, set[str]()):
        hanging.clear()
        hanging.update(now)
        site.step()
        rounds.append("".join(asked))
        asked.clear()
    assert rounds == ["a", "b", "ca", "cba", "bca"]
    assert site.engine.problems() == []


QUIET = '[alerts]\nquiet_hours = "10:02-10:06"\n'


def test_quiet_hours_are_summed_up_after_them(tmp_path: Path) -> None:
    settings = f'index_timezone = "UTC"\n{QUIET}{ERRORS}window = "60s"\n'
    site = Site(tmp_path, settings)
    assert site.step() == []
    site.add(4)
    assert [site.step() for _ in range(3)] == [[], [], []]
    site = Site(tmp_path, settings, site.now)  # what is held survives a restart
    assert [site.step() for _ in range(2)] == [[], ["summary: firing errors; resolved errors"]]


def test_an_urgent_alert_does_not_wait(tmp_path: Path) -> None:
    site = Site(tmp_path, f'index_timezone = "UTC"\n{QUIET}{ERRORS}urgent = true\n')
    site.step(120)
    site.add(4)
    assert site.step() == ["firing errors"]


def test_a_flood_becomes_a_summary(tmp_path: Path) -> None:
    rules = "".join(f'[alerts.rules.r{nr}]\nabove = 0\nwindow = "1h"\n' for nr in range(5))
    site = Site(tmp_path, f'[alerts]\nmax_notifications = 2\nper = "2m"\n{CHANNEL}{rules}')
    site.add(1)
    assert site.step() == ["firing r0", "firing r1"]
    assert [site.step(), site.step()] == [[], ["summary: firing r2; firing r3; firing r4"]]


def test_a_removed_rule_resolves_and_other_settings_count_from_the_next_step(tmp_path: Path) -> None:
    site = Site(tmp_path, ERRORS)
    site.add(4)
    site.step()
    site.configure(CHANNEL)
    assert site.step() == ["resolved errors"]
    assert metrics.ALERT_FIRING.series() == []
    site.configure(ERRORS.replace("above = 3", "above = 2"))
    assert site.step() == ["firing errors"]


def page(tmp_path: Path, rules: dict[str, dict[str, Any]], muted: dict[str, float]) -> None:
    with page_rules_document(tmp_path / "data").update() as content:
        content.rules, content.muted = rules, muted


def test_rules_of_the_page_and_muting(tmp_path: Path) -> None:
    site = Site(tmp_path, CHANNEL)
    site.add(4)
    page(tmp_path, {"errors": {"above": 3, "window": "4m"}, "bad": {"abov": 3}}, {"errors": START + 150})
    assert site.step() == [], "it is muted"
    assert site.engine.problems() == ["alerts: the rule bad cannot be used: unknown key 'abov': did you mean above?"]
    assert [site.step(), site.step()] == [[], ["firing errors"]], "it still fires when it is not muted any more"
    page(tmp_path, {"errors": {"above": 3, "window": "4m"}}, {"errors": 0})
    assert [site.step(), site.step()] == [[], ["resolved errors"]], "who knows that it fires learns that it does not"
    assert [(change.state, change.muted) for change in state_document(tmp_path / "data").load().history] == [
        ("firing", True),
        ("resolved", True),
    ]


def test_page_rules_default_to_nothing(tmp_path: Path) -> None:
    assert page_rules_document(tmp_path).load() == PageRules()
