"""``elapsed``: measure the time between the event that starts a task and the one that ends it.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-elapsed and the plugin's version 4.1.
Unlike there, the clock is the latest timestamp of the events, so that the same events always give the same result: a
task expires when an event comes that is later by `timeout`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from socket import gethostname
from typing import Any

from ingestd.event.fields import Event, FieldRef, add_tag
from ingestd.event.timestamp import is_canonical, to_epoch_ns
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.registry import BuildContext, ExpandFn, Touch, filter_plugin, option, required

_NS = 1_000_000_000
_MAX_TASKS = 100_000  # about 50 MB; the oldest then expire early


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``elapsed``."""

    start_tag: str = required("Tag of events that start a task.")
    end_tag: str = required("Tag of events that end a task.")
    unique_id_field: FieldRef = required("Field with the id of the task.")
    timeout: float = option(1800.0, "How long to wait for the end of a task, in seconds.")
    new_event_on_match: bool = option(False, "Make a new event with the time, instead of adding it to the end event.")
    keep_start_event: str = option(
        "first", "Which start event of an id counts if there are several.", choices=("first", "last")
    )


def _touches(options: Options) -> Touch:
    names = frozenset({options.unique_id_field.text, "tags", "elapsed_time", "elapsed_timestamp_start"})
    return Touch(reads=names | {"@timestamp"}, sets=names)


@filter_plugin("elapsed", Options, touches=_touches, outcome="any_number")
def build(options: Options, context: BuildContext) -> ExpandFn:
    """Measure the time between the event that starts a task and the one that ends it.

    The end event, or a new one, gets `elapsed_time` in seconds, `elapsed_timestamp_start`, and the tags `elapsed` and
    `elapsed_match`; an end without a start gets `elapsed_end_without_start`. A task that does not end in time makes an
    event with the tags `elapsed` and `elapsed_expired_error`. Both events of a task must come to the same worker.
    """
    ref, common_options = options.unique_id_field, context.common_options
    tasks = _Tasks(round(options.timeout * _NS), keeps_first=options.keep_start_event == "first")
    makes_new = options.new_event_on_match
    always = {"@version": "1"} if ref.top == "host" else {"@version": "1", "host": gethostname()}

    def new_event(stamp: str) -> Event:
        return {"@timestamp": stamp, **always}

    def expired(stamp: str) -> Iterator[Event]:
        for task in tasks.expired():
            event = new_event(stamp)
            _describe(event, task, ref, tasks.now_ns - task.start_ns, "elapsed_expired_error")
            common_options(event)
            yield event

    def elapsed(event: Event) -> list[Event]:
        stamp, identity = event.get("@timestamp"), ref.get(event)
        if identity is None or type(stamp) is not str or not is_canonical(stamp):
            return [event]
        time_ns, made = to_epoch_ns(stamp), list[Event]()
        tasks.now_ns = max(tasks.now_ns, time_ns)
        if _has_tag(event, options.start_tag):
            common_options(event)
            tasks.start(_Task(identity, stamp, time_ns))
        elif _has_tag(event, options.end_tag):
            common_options(event)
            task = tasks.end(identity)
            if task is None:
                add_tag(event, "elapsed_end_without_start")
            else:
                target = new_event(stamp) if makes_new else event
                _describe(target, task, ref, time_ns - task.start_ns, "elapsed_match")
                if makes_new:
                    common_options(target)
                    made.append(target)
        return [event, *made, *expired(stamp)]

    return elapsed


def _has_tag(event: Event, tag: str) -> bool:
    tags = event.get("tags")
    return tag in tags if type(tags) is list else tags == tag


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that was started."""

    identity: Any
    stamp: str
    start_ns: int


def _describe(event: Event, task: _Task, ref: FieldRef, elapsed_ns: int, tag: str) -> None:
    """Add the time of a task to an event."""
    add_tag(event, "elapsed")
    add_tag(event, tag)
    event["elapsed_time"] = elapsed_ns / _NS
    ref.set(event, task.identity)
    event["elapsed_timestamp_start"] = task.stamp


class _Tasks:
    """The tasks that have not ended, by id. ``now_ns`` is the latest timestamp of an event."""

    def __init__(self, timeout_ns: int, *, keeps_first: bool) -> None:
        self._timeout_ns, self._keeps_first = timeout_ns, keeps_first
        self._tasks: dict[str, _Task] = {}
        self.now_ns = 0

    def start(self, task: _Task) -> None:
        """Remember a task."""
        key = to_s(task.identity)
        if key in self._tasks and self._keeps_first:
            return
        self._tasks.pop(key, None)
        self._tasks[key] = task

    def end(self, identity: Any) -> _Task | None:
        """Forget a task and return it, None if it was not started."""
        return self._tasks.pop(to_s(identity), None)

    def expired(self) -> list[_Task]:
        """Forget the tasks that are too old, or too many, and return them; only the oldest are looked at."""
        expired: list[_Task] = []
        for task in self._tasks.values():
            if self.now_ns - task.start_ns < self._timeout_ns and len(self._tasks) - len(expired) <= _MAX_TASKS:
                break
            expired.append(task)
        for task in expired:
            del self._tasks[to_s(task.identity)]
        return expired
