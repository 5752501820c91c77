"""``throttle``: mark the events of a key that come too often, or not often enough.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-throttle and the plugin's version 4.0.
Unlike there, the oldest keys are forgotten at once when there are more counters than `max_counters`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template, render_rows
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.event.timestamp import is_canonical, to_epoch_ns
from ingestd.plugins.filters._ruby import to_i
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option, required

_NS = 1_000_000_000
_DEFAULT_PERIOD_S = 60
_STAMP = FieldRef("@timestamp")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``throttle``."""

    key: Template = required("Text by which events are counted, such as `%{host}%{message}`.")
    before_count: int = option(-1, "Throttle the events of a period before this number is reached; -1: none.")
    after_count: int = option(-1, "Throttle the events of a period after this number; -1: none.")
    period: Template = option(Template("60"), "Length of a period in seconds; may contain `%{field}`.")
    max_age: int = option(3600, "How long counters are kept after the newest event of their key, in seconds.")
    max_counters: int = option(100_000, "Maximum number of counters; -1: no limit.")


def _touches(options: Options) -> Touch:
    return Touch(reads=options.key.reads | options.period.reads | {"@timestamp"})


@filter_plugin("throttle", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Count the events of each key in periods of time, and throttle some.

    The common options run for events that are throttled: add a tag, and drop by it. Time is that of the events; the
    first event of a key starts a period. Each worker counts the events that it receives.
    """
    counters = _Counters(options.max_age, options.max_counters)
    before, after = options.before_count, options.after_count

    def throttle(table: Table, rows: Rows, received_ns: int) -> Rows:
        keys, periods = render_rows(options.key, table, rows), render_rows(options.period, table, rows)
        throttled: list[int] = []
        for row, key, period, stamp in zip(rows, keys, periods, table.pick(table.values(_STAMP), rows), strict=True):
            second = _second(stamp, received_ns)
            count = counters.count(key, second, to_i(period))
            if (before != -1 and count < before) or (after != -1 and count > after):
                throttled.append(row)
        return throttled

    return throttle


def _second(stamp: object, received_ns: int) -> int:
    """Return the seconds since the epoch of an event's timestamp; without one, of its receipt."""
    if stamp is ABSENT or type(stamp) is not str or not is_canonical(stamp):
        return received_ns // _NS
    return to_epoch_ns(stamp) // _NS


@dataclass(slots=True)
class _KeyCounters:
    """The counters of a key by the starts of their periods, in seconds since the epoch."""

    first: int
    latest: int
    periods: dict[int, int] = field(default_factory=dict)


class _Counters:
    """Counts events by key and period."""

    def __init__(self, max_age_s: int, limit: int) -> None:
        self._max_age_s, self._limit = max_age_s, limit
        self._keys: OrderedDict[str, _KeyCounters] = OrderedDict()  # the one used last at the end
        self._total, self._latest = 0, 0

    def count(self, key: str, second: int, period_s: int) -> int:
        """Count an event; return how many there were of its key in its period."""
        period_s = period_s if period_s > 0 else _DEFAULT_PERIOD_S
        counters = self._keys.get(key)
        if counters is None:
            counters = self._keys[key] = _KeyCounters(second, second)
        self._keys.move_to_end(key)
        counters.latest, self._latest = max(counters.latest, second), max(self._latest, second)
        start = second - (second - counters.first) % period_s
        count = counters.periods.get(start, 0) + 1
        counters.periods[start] = count
        if count == 1:
            self._total += 1
            self._forget(counters)
        return count

    def _forget(self, counters: _KeyCounters) -> None:
        """Forget periods of a key, and keys, that are too old or too many."""
        oldest = max(counters.periods) - self._max_age_s
        for start in [start for start in counters.periods if start < oldest]:
            del counters.periods[start]
            self._total -= 1
        while len(self._keys) > 1:
            first = next(iter(self._keys.values()))
            expired = first.latest < self._latest - self._max_age_s
            if not expired and not 0 <= self._limit < self._total:
                break
            self._total -= len(self._keys.popitem(last=False)[1].periods)
