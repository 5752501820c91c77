"""``ingestd histogram``: events over time, as bars."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from ingestd.analytics.periods import MAX_BARS, bar_seconds
from ingestd.cli.common import tables
from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import Value, json_option, store_options
from ingestd.cli.common.queries import FieldName, query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import colour_of, coloured, screen_cells, write_json, write_text
from ingestd.cli.common.times import local_datetime, now, zone_name
from ingestd.display import display_width
from ingestd.settings import Settings
from ingestd.stores.base import Bucket, LogStore
from ingestd.stores.known_fields import LEVELS
from ingestd.stores.level_histogram import LEVEL, level_histogram
from ingestd.stores.misspelt import misspelt
from ingestd.stores.query import Query
from ingestd.stores.zoned_histogram import epoch, local_seconds, zoned_histogram
from ingestd.units import DURATION

_HOUR, _DAY = 3600, 86_400
_MOST_COLUMNS = 6
_BAR_CELLS, _HEAD_CELLS = 40, 40
_MARKS = "░▒▓█"
_LEVEL_MARKS = {"DEBUG": "·", "INFO": "░", "WARNING": "▒", "WARN": "▒", "ERROR": "▓", "CRITICAL": "█", "FATAL": "█"}
_OTHERS, _NONE = "(others)", "(none)"


@click.command()
@query_options()
@click.option("--interval", type=Value(DURATION), help="Width of a bar: 10m, 1h, 1d.  [default: about 30 bars]")
@click.option("--by", "field", type=FieldName(), default=LEVEL, show_default=True, help="Field to split the bars by.")
@store_options
@json_option
def histogram(settings: Settings, query: Query, interval: float | None, field: str, as_json: bool) -> None:
    """Show the number of events over time, by level or another field. Times are those of the site."""
    with opened_store(settings) as store:
        seconds = max(int(interval), 1) if interval is not None else _seconds(store, query)
        zone = settings.site_zone
        time = now().timestamp()
        found = level_histogram(lambda of, by: zoned_histogram(store, of, seconds, zone, time, by), query, field)
        if as_json:
            write_json([{"time": bucket.time, "counts": bucket.counts} for bucket in found])
        elif not found:
            report_no_match(store, settings, query)
        else:
            for line in lines(found, seconds, field, screen_cells(), colours=coloured(), zone=zone):
                write_text(line)
            if field != LEVEL and not any(value for bucket in found for value in bucket.counts):
                for sentence in misspelt(store, None, [field]):
                    click.echo(sentence, err=True)


def lines(
    buckets: Sequence[Bucket],
    seconds: int,
    field: str,
    cells: int | None,
    *,
    colours: bool,
    zone: datetime.tzinfo | None = None,
) -> Iterator[str]:
    """Return a table: the time, a column of numbers for each value, and a bar split by value.

    Args:
        buckets: At least one, in order of time; gaps are empty buckets.
        seconds: The width of a bar.
        field: The field that the counts are by.
        cells: Width of the terminal, ``None``: not a terminal.
        colours: Whether to colour levels.
        zone: The time zone of the bars; None: the machine's.
    """
    values = _columns(buckets, field)
    rows = [(time, _counts_of(counts, values)) for time, counts in _filled(buckets, seconds, zone)]
    most = max(sum(counts) for _, counts in rows)
    heads = (
        f"TIME ({zone_name(zone)})",
        *(tables.fit(tables.printable(value or _NONE), _HEAD_CELLS) for value in values),
    )
    texts = [(_label(time, seconds), *(f"{count:,}" if count else "" for count in counts)) for time, counts in rows]
    plain = list(_padded(heads, texts))
    room = _BAR_CELLS if cells is None else max(cells - display_width(plain[0]) - len(tables.GAP), 10)
    marks = [_LEVEL_MARKS.get(value, _MARKS[at % len(_MARKS)]) for at, value in enumerate(values)]
    colour = [colour_of(value) if colours and field == "level" else None for value in values]
    yield plain[0].rstrip()
    for text, (_, counts) in zip(plain[1:], rows, strict=True):
        parts = zip(_cut(counts, room, most), marks, colour, strict=True)
        bar = "".join(click.style(mark * size, fg=fg) if fg else mark * size for size, mark, fg in parts if size)
        yield f"{text}{tables.GAP}{bar}".rstrip()


def _seconds(store: LogStore, query: Query) -> int:
    """Return the width of a bar, in seconds, for about 30 bars over the time of the query or of the events found."""
    start = epoch(query.since) if query.since else None
    end = epoch(query.until) if query.until else None
    if start is None or end is None:
        width = _DAY
        found = store.histogram(query, width)
        if len(found) == 1:
            width = 3600
            found = store.histogram(query, width)
        if not found:
            return 3600
        start = epoch(found[0].time) if start is None else start
        end = epoch(found[-1].time) + width if end is None else end
    return bar_seconds(2 * (end - start))


def _columns(buckets: Sequence[Bucket], field: str) -> list[str]:
    """Return the values that get a column: levels by severity, others by count; the rarest share a column."""
    totals: Counter[str] = Counter()
    for bucket in buckets:
        totals.update(bucket.counts)
    values = [value for value, _ in totals.most_common()]
    if len(values) > _MOST_COLUMNS:
        values = [*values[: _MOST_COLUMNS - 1], _OTHERS]
    if field == "level":
        values.sort(key=lambda value: LEVELS.get(value, 0))
    return values


def _counts_of(counts: dict[str, int], values: list[str]) -> list[int]:
    known = [counts.get(value, 0) for value in values]
    if _OTHERS in values:
        known[values.index(_OTHERS)] += sum(counts.values()) - sum(known)
    return known


def _filled(
    buckets: Sequence[Bucket], seconds: int, zone: datetime.tzinfo | None
) -> Iterator[tuple[datetime.datetime, dict[str, int]]]:
    """Yield local time and counts of each bar; empty bars are included unless there would be too many.

    Bars are equally wide in local time, up to an hour in UTC: the hour that comes twice in autumn has its own bars.
    """
    is_local = seconds > _HOUR
    times = [local_seconds(epoch(bucket.time), zone) if is_local else epoch(bucket.time) for bucket in buckets]
    for time, counts in _with_gaps(times, buckets, seconds):
        yield local_datetime(time, datetime.UTC if is_local else zone), counts


def _with_gaps(
    times: Sequence[float], buckets: Sequence[Bucket], seconds: int
) -> Iterator[tuple[float, dict[str, int]]]:
    fill = (times[-1] - times[0]) / seconds < MAX_BARS
    expected = times[0]
    for time, bucket in zip(times, buckets, strict=True):
        while fill and expected < time:
            yield expected, {}
            expected += seconds
        yield time, bucket.counts
        expected = time + seconds


def _label(local: datetime.datetime, seconds: int) -> str:
    if seconds % _DAY == 0:
        return f"{local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M}" if seconds % 60 == 0 else f"{local:%Y-%m-%d %H:%M:%S}"


def _padded(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(display_width, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        yield tables.GAP.join(tables.pad(text, widths[at], right=at > 0) for at, text in enumerate(row))


def _cut(counts: Sequence[int], cells: int, most: int) -> list[int]:
    """Return how many cells of a bar each count gets: ``cells`` for ``most``, at least one for each that is not 0."""
    ends, total, before = [], 0, 0
    for count in counts:
        total += count
        before = max(round(total * cells / most), before + (1 if count else 0))
        ends.append(before)
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
