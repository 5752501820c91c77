"""Rules of alerts: what the settings of one mean together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ingestd.display import point_at
from ingestd.event.fields import FieldError
from ingestd.settings import AlertRuleSettings
from ingestd.stores.aggregation import AggregationError, Metric
from ingestd.stores.query import Condition, QueryError
from ingestd.suggest import did_you_mean

_MAX_WINDOW_S = 366 * 86_400
WITHOUT_BOUND = ("new_problem", "silence")


class RuleError(ValueError):
    """A rule cannot be used: ``key`` is the setting that is wrong, the text says why in one or more lines."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert fires; the fields are those of `AlertRuleSettings`.

    Attributes:
        name: Of the alert.
        bound: What the value is compared with.
        above: Whether it fires above ``bound``; else below.
        resolve: It resolves at this value, or beyond it on the good side.
        condition: The parsed ``query``.
        channels: Names of the channels.
        source: ``file`` or ``page``: where it can be changed.
    """

    name: str
    type: str
    query: str
    condition: Condition | None
    window_s: float
    bound: float
    above: bool
    resolve: float
    evaluations: int
    metric: Metric | None
    minimum: int
    channels: tuple[str, ...]
    remind_s: float
    urgent: bool
    source: str = "file"

    def breaches(self, value: float | None) -> bool:
        """Return whether a value is a reason to fire; None, no value, is none."""
        return value is not None and (value > self.bound if self.above else value < self.bound)

    def clears(self, value: float | None) -> bool:
        """Return whether a value is a reason to resolve."""
        return value is None or (value <= self.resolve if self.above else value >= self.resolve)


def make_rule(name: str, found: AlertRuleSettings, channels: Collection[str], source: str = "file") -> Rule:
    """Return the rule that settings describe; ``channels`` are the names of all channels.

    Raises:
        RuleError: They do not fit together, or the query is wrong.
    """
    if not 1 <= found.window <= _MAX_WINDOW_S:
        raise RuleError("window", "a window has from 1 second to 366 days")
    if found.evaluations < 1:
        raise RuleError("evaluations", "at least one evaluation must agree")
    bound, above, resolve = _bounds(found)
    return Rule(
        name=name,
        type=found.type,
        query=found.query,
        condition=_condition(found.query),
        window_s=found.window,
        bound=bound,
        above=above,
        resolve=resolve,
        evaluations=found.evaluations,
        metric=_metric(found),
        minimum=found.minimum,
        channels=_channels(found.channels, channels),
        remind_s=found.remind,
        urgent=found.urgent,
        source=source,
    )


def _bounds(found: AlertRuleSettings) -> tuple[float, bool, float]:
    """Return the bound, whether it fires above it, and where it resolves."""
    given = [name for name in ("above", "below") if getattr(found, name) is not None]
    if found.type in WITHOUT_BOUND:
        for name in (*given, *(["resolve"] if found.resolve is not None else [])):
            raise RuleError(name, f"an alert of the type {found.type} has no bound; leave it out")
        if found.type == "new_problem" and found.evaluations > 1:
            raise RuleError("evaluations", "a new problem is new in one evaluation only; leave it out")
        return (1.0, False, 1.0) if found.type == "silence" else (0.0, True, 0.0)
    if len(given) != 1:
        what = "both are set: choose one" if given else f"set one of them, such as above = {_example(found.type)}"
        raise RuleError("above", f"the bound is above or below; {what}")
    above = given[0] == "above"
    bound = float(found.above if found.above is not None else found.below or 0)
    resolve = bound if found.resolve is None else found.resolve
    if (resolve > bound) if above else (resolve < bound):
        side = "greater than above" if above else "less than below"
        raise RuleError("resolve", f"{resolve:g} is {side}, {bound:g}: the alert would fire and resolve at once")
    return bound, above, resolve


def _example(kind: str) -> str:
    return {"count": "10", "rate": "0.5", "change": "3"}.get(kind, "500")


def _metric(found: AlertRuleSettings) -> Metric | None:
    if found.type != "metric":
        if found.metric:
            raise RuleError("metric", 'a metric needs type = "metric"')
        return None
    if not found.metric:
        raise RuleError("metric", "set what to compute, such as p95:duration_ms")
    try:
        return Metric.parse(found.metric)
    except (AggregationError, FieldError) as error:
        raise RuleError("metric", str(error)) from None


def _condition(query: str) -> Condition | None:
    from ingestd.stores.lucene import parse  # noqa: PLC0415 -- most daemons have no rule

    try:
        return parse(query)
    except QueryError as error:
        head = point_at(error.message, query, error.column, error.length, error.hint)
        raise RuleError("query", head) from None


def _channels(wanted: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    for name in wanted:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}" if known else "there is none"
            raise RuleError("channels", f"there is no channel {name!r}: {hint}")
    return tuple(dict.fromkeys(wanted)) or tuple(known)
