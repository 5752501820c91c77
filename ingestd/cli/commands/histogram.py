"""``ingestd histogram``: how many events there were over time, as bars."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from ingestd.cli.common import tables
from ingestd.cli.common.asking import FieldName, as_json_option, opened_store, query_options, store_settings
from ingestd.cli.common.flags import Value
from ingestd.cli.common.printing import (
    colour_of,
    coloured,
    screen_cells,
    tell_nothing_found,
    write,
    write_text,
    zone_name,
)
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.stores.base import Bucket, LogStore
from ingestd.stores.query import LEVELS, Query
from ingestd.units import DURATION
from ingestd.web.intervals import MOST_BARS, bar_seconds

_DAY = 86_400
_MOST_COLUMNS = 6
_BAR_CELLS = 40
_MARKS = "░▒▓█"
_LEVEL_MARKS = {"DEBUG": "·", "INFO": "░", "WARNING": "▒", "WARN": "▒", "ERROR": "▓", "CRITICAL": "█", "FATAL": "█"}
_OTHERS, _NONE = "(others)", "(none)"


@click.command()
@query_options()
@click.option("--interval", type=Value(DURATION), help="Time of one bar: 10m, 1h, 1d.  [default: about 30 bars]")
@click.option("--by", "field", type=FieldName(), default="level", show_default=True, help="Field that parts the bars.")
@store_settings
@as_json_option
def histogram(settings: Settings, query: Query, interval: float | None, field: str, as_json: bool) -> None:
    """Show how many events there were over time, by level or another field. Times are local times."""
    with opened_store(settings) as store:
        seconds = max(int(interval), 1) if interval is not None else _seconds(store, query)
        found = store.histogram(query, seconds, _utc_offset(), field)
        if as_json:
            write(dumps([{"time": one.time, "counts": one.counts} for one in found]))
        elif not found:
            tell_nothing_found(store)
        else:
            for line in lines(found, seconds, field, screen_cells(), colours=coloured()):
                write_text(line)


def lines(buckets: Sequence[Bucket], seconds: int, field: str, cells: int | None, *, colours: bool) -> Iterator[str]:
    """Return a table: the time, a column of numbers for each value, and a bar that is parted by them.

    Args:
        buckets: At least one, in order of time; those between that are missing are empty.
        seconds: What a bar stands for.
        field: What the counts are by.
        cells: Width of the terminal, ``None``: no terminal.
        colours: Whether levels may be coloured.
    """
    values = _columns(buckets, field)
    rows = [(time, _gathered(counts, values)) for time, counts in _filled(buckets, seconds)]
    most = max(sum(counts) for _, counts in rows)
    heads = (f"TIME ({zone_name()})", *(tables.printable(value or _NONE) for value in values))
    texts = [(_label(time, seconds), *(f"{count:,}" if count else "" for count in counts)) for time, counts in rows]
    plain = list(_padded(heads, texts))
    room = _BAR_CELLS if cells is None else max(cells - tables.width(plain[0]) - len(tables.GAP), 10)
    marks = [_LEVEL_MARKS.get(value, _MARKS[at % len(_MARKS)]) for at, value in enumerate(values)]
    colour = [colour_of(value) if colours and field == "level" else None for value in values]
    yield plain[0].rstrip()
    for text, (_, counts) in zip(plain[1:], rows, strict=True):
        parts = zip(_cut(counts, room, most), marks, colour, strict=True)
        bar = "".join(click.style(mark * size, fg=one) if one else mark * size for size, mark, one in parts if size)
        yield f"{text}{tables.GAP}{bar}".rstrip()


def _seconds(store: LogStore, query: Query) -> int:
    """Return a width of bars that shows what there is, or the time that was asked for, in about 30 of them."""
    begin = _epoch(query.since) if query.since else None
    end = _epoch(query.until) if query.until else None
    if begin is None or end is None:
        width = _DAY
        found = store.histogram(query, width)
        if len(found) == 1:
            width = 3600
            found = store.histogram(query, width)
        if not found:
            return 3600
        begin = _epoch(found[0].time) if begin is None else begin
        end = _epoch(found[-1].time) + width if end is None else end
    return bar_seconds(2 * (end - begin))


def _epoch(time: str) -> float:
    return datetime.datetime.fromisoformat(time).timestamp()


def _utc_offset() -> int:
    """Return how many seconds local time is ahead of UTC, now."""
    offset = datetime.datetime.now().astimezone().utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _columns(buckets: Sequence[Bucket], field: str) -> list[str]:
    """Return the values that get a column: levels by severity, others by number; the rarest share one."""
    totals: Counter[str] = Counter()
    for bucket in buckets:
        totals.update(bucket.counts)
    values = [value for value, _ in totals.most_common()]
    if len(values) > _MOST_COLUMNS:
        values = [*values[: _MOST_COLUMNS - 1], _OTHERS]
    if field == "level":
        values.sort(key=lambda value: LEVELS.get(value, 0))
    return values


def _gathered(counts: dict[str, int], values: list[str]) -> list[int]:
    known = [counts.get(value, 0) for value in values]
    if _OTHERS in values:
        known[values.index(_OTHERS)] += sum(counts.values()) - sum(known)
    return known


def _filled(buckets: Sequence[Bucket], seconds: int) -> Iterator[tuple[float, dict[str, int]]]:
    """Return time and counts of each bar, also of those without events, unless they would be too many."""
    times = [_epoch(bucket.time) for bucket in buckets]
    fill = (times[-1] - times[0]) / seconds < MOST_BARS
    expected = times[0]
    for time, bucket in zip(times, buckets, strict=True):
        while fill and expected < time:
            yield expected, {}
            expected += seconds
        yield time, bucket.counts
        expected = time + seconds


def _label(time: float, seconds: int) -> str:
    local = datetime.datetime.fromtimestamp(time)
    if seconds % _DAY == 0:
        return f"{local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M}" if seconds % 60 == 0 else f"{local:%Y-%m-%d %H:%M:%S}"


def _padded(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(tables.width, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        yield tables.GAP.join(tables.pad(text, widths[at], right=at > 0) for at, text in enumerate(row))


def _cut(counts: Sequence[int], cells: int, most: int) -> list[int]:
    """Return how many cells each count gets of a bar; the longest bar has ``cells``, none that counts is empty."""
    ends, total, before = [], 0, 0
    for count in counts:
        total += count
        before = max(round(total * cells / most), before + (1 if count else 0))
        ends.append(before)
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
