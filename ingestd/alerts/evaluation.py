"""What a rule measures on a store, and whether its alert fires."""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.alerts.rules import Rule
from ingestd.alerts.state import MAX_PROBLEMS, RuleState
from ingestd.event.jsontext import loads
from ingestd.event.timestamp import from_epoch
from ingestd.stores.aggregation import Aggregation
from ingestd.stores.base import LogStore
from ingestd.stores.query import And, Condition, Equal, Or, Query

PROBLEM, TITLE = "problem", "problem_title"
"""The fields with the id and the title of an event's problem, which the filter ``problem`` sets."""

_MOST = 500
"""Problems that are looked at in a window, the most frequent."""

_AT_ONCE = 100
"""Problems that a query asks for: servers limit the clauses of a query to 1,024."""

_TITLES = 20
"""Problems whose titles are looked up."""

_TITLE_CHARS = 200

_CATCH_UP_S = 300.0
"""How long events that have waited for the store take to arrive in it, at most, before an alert changes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: the value, None if there is none, and the new problems by id, with their titles."""

    value: float | None
    problems: tuple[tuple[str, str], ...] = ()


def measure(store: LogStore, rule: Rule, state: RuleState, end: float) -> Measured:
    """Return what a rule measures in the window that ends at ``end``, in seconds since 1970.

    Problems that are seen are added to those that ``state`` knows.

    Raises:
        StoreError: The store does not respond.
    """
    query = _query(rule, end - rule.window_s, end)
    match rule.type:
        case "change":
            return Measured(change(rule, store.count(query), _count_before(store, rule, end)))
        case "metric":
            assert rule.metric is not None  # noqa: S101 -- make_rule
            (bucket,) = store.aggregate(query, Aggregation((rule.metric,)))
            return Measured(bucket.values[0])
        case "new_problem":
            return _new_problems(store, rule, state, end)
    events = store.count(query)
    return Measured(events / rule.window_s if rule.type == "rate" else events)


def change(rule: Rule, events: int, before: int) -> float | None:
    """Return how many times as many events there are as before; None: too few to say."""
    if max(events, before) < rule.minimum or not events + before:
        return None
    return events / max(before, 1)


def advance(rule: Rule, state: RuleState, measured: Measured, now: float) -> bool:
    """Put a value into the state; returns whether the alert fires or resolves by it, or fires for new problems."""
    state.value, state.error = measured.value, ""
    state.streak = state.streak + 1 if contradicts(rule, state, measured.value) else 0
    if state.streak >= rule.evaluations:
        state.firing, state.since, state.streak = not state.firing, now, 0
        return True
    return bool(measured.problems)


def contradicts(rule: Rule, state: RuleState, value: float | None) -> bool:
    """Return whether a value speaks for the other state: to resolve if the alert fires, else to fire."""
    return rule.clears(value) if state.firing else rule.breaches(value)


def may_be_missing(rule: Rule, state: RuleState, now: float, lag_s: float) -> bool:
    """Return whether events of the window may not be stored yet, so that too few of them do not justify a change.

    They wait in the journal while the store does not respond, and in their senders while the daemon is down.
    """
    history_s = rule.window_s * (2 if rule.type == "change" else 1) + lag_s
    catching_up = 0 <= now - state.recovered < min(history_s, _CATCH_UP_S)
    if rule.above:
        return state.firing and catching_up
    return not state.firing and (catching_up or now - state.watching_since < history_s)


def _query(rule: Rule, since: float, until: float) -> Query:
    return Query(from_epoch(since), from_epoch(until), rule.condition)


def _count_before(store: LogStore, rule: Rule, end: float) -> int:
    return store.count(_query(rule, end - 2 * rule.window_s, end - rule.window_s))


def _new_problems(store: LogStore, rule: Rule, state: RuleState, end: float) -> Measured:
    """Return the problems in the window that were first seen in it, and those of them that are seen for the first time.

    The value is the number of the former.
    """
    start = end - rule.window_s
    seen = [str(top.value) for top in store.top(PROBLEM, _query(rule, start, end), _MOST)]
    unknown = [problem for problem in seen if problem not in state.known]
    old = seen_before(store, unknown, start)
    fresh = [problem for problem in unknown if problem not in old]
    for problem in seen:  # those that were seen last come last
        first = state.known.pop(problem, 0 if problem in old else end)
        state.known[problem] = first
    for problem in list(state.known)[: max(len(state.known) - MAX_PROBLEMS, 0)]:
        del state.known[problem]
    new = sum(state.known[problem] > start for problem in seen)
    titled = [(problem, _title(store, problem, start, end)) for problem in fresh[:_TITLES]]
    return Measured(new, (*titled, *((problem, "") for problem in fresh[_TITLES:])))


def seen_before(store: LogStore, problems: list[str], start: float) -> set[str]:
    """Return which of these problems have events before ``start``."""
    found: set[str] = set()
    for at in range(0, len(problems), _AT_ONCE):
        some = problems[at : at + _AT_ONCE]
        query = Query(None, from_epoch(start), _any_of(some))
        found.update(str(top.value) for top in store.top(PROBLEM, query, len(some)))
    return found


def _any_of(problems: list[str]) -> Condition:
    return Or(tuple(Equal(PROBLEM, problem) for problem in problems))


def _title(store: LogStore, problem: str, start: float, end: float) -> str:
    """Return the title of a problem, as the filter has set it; else the first line of its latest event's message."""
    query = Query(from_epoch(start), from_epoch(end), And((Equal(PROBLEM, problem),)))
    for hit in store.search(query, 1):
        event = loads(hit.document)
        for text in (event.get(TITLE), event.get("message")):
            if isinstance(text, str) and text.strip():
                return text.strip().splitlines()[0][:_TITLE_CHARS]
    return ""
