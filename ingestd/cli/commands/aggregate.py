"""``ingestd aggregate``: numbers computed from events, by the values of fields and over time."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import Value, csv_options, json_option, limit_option, store_options
from ingestd.cli.common.queries import FieldName, query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.tables import csv_text, number_text, value_text
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.cli.common.times import local_time, now, zone_name
from ingestd.event.fields import FieldError
from ingestd.event.timestamp import from_epoch_clamped
from ingestd.settings import Settings
from ingestd.stores.aggregation import (
    METRICS,
    Aggregation,
    AggregationError,
    Interval,
    Metric,
    MetricBucket,
    Terms,
    query_seconds,
    with_end,
)
from ingestd.stores.base import LogStore
from ingestd.stores.known_fields import PATH_FIELDS
from ingestd.stores.misspelt import misspelt
from ingestd.stores.query import Query
from ingestd.stores.zoned_histogram import zoned_interval
from ingestd.units import DURATION


class MetricType(click.ParamType[Any]):
    """A metric: ``count``, ``avg:duration_ms``."""

    name = "metric"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the metric."""
        if isinstance(value, Metric):
            return value
        try:
            return Metric.parse(value)
        except (AggregationError, FieldError) as error:
            self.fail(str(error), param, ctx)


@click.command()
@query_options()
@click.option(
    "--metric",
    "-m",
    "metrics",
    type=MetricType(),
    multiple=True,
    help=f"What to compute: {', '.join(METRICS)}; of a field: avg:duration_ms. Repeatable.  [default: count]",
)
@click.option("--by", "by", type=FieldName(), multiple=True, help="Group by the values of this field; at most twice.")
@click.option("--interval", type=Value(DURATION), help="Over time, in intervals of this width: 10m, 1h, 1d.")
@limit_option(10, "Show at most this many values of each field, those with the most events.")
@click.option("--query-strings", is_flag=True, help="Count paths with different query strings separately.")
@store_options
@json_option
@csv_options
def aggregate(  # noqa: PLR0913 -- click passes one argument for each option
    settings: Settings,
    query: Query,
    metrics: tuple[Metric, ...],
    by: tuple[str, ...],
    interval: float | None,
    limit: int,
    *,
    query_strings: bool,
    as_json: bool,
    as_csv: bool,
    bom: bool,
) -> None:
    """Compute numbers from the events that match QUERY: of all, for each value of a field, and over time.

    \b
    ingestd aggregate -m count -m p95:duration_ms --by request_path     how slow each path is
    ingestd aggregate --by geoip.country_name --by search_word          the words of each country
    ingestd aggregate 'level:>=ERROR' --by request_path --interval 1d   the errors of each path by day

    Metrics use the numbers in a field, and texts that are numbers. rate is per second: of the interval, or of the time
    from --since to --until; rate:bytes is a sum per second. distinct counts the different values. Values of
    request_path and url.path are taken without their query strings. Elasticsearch and OpenSearch approximate
    percentiles, and distinct above 40,000; the built-in store is exact. Times are those of the site.
    """
    terms = [Terms(field, limit, field in PATH_FIELDS and not query_strings) for field in by]
    zone, seconds = settings.site_zone, None if interval is None else max(int(interval), 1)
    try:
        wanted = Aggregation(
            metrics or (Metric("count"),), tuple(terms), None if seconds is None else Interval(seconds)
        )
        query = with_end(query, wanted, from_epoch_clamped(int(now().timestamp())))
        query_seconds(wanted, query)
    except AggregationError as error:
        raise click.UsageError(str(error)) from None
    with opened_store(settings) as store:
        if seconds is not None:
            wanted = replace(wanted, interval=zoned_interval(store, query, seconds, zone, now().timestamp()))
        found = store.aggregate(query, wanted)
        if as_json:
            write_json([bucket.document(wanted) for bucket in found])
        elif as_csv:
            heads = (*by, *([] if interval is None else ["time"]), *map(str, wanted.metrics))
            rows = [_cells(bucket, [_csv_value(value) for value in bucket.values], bucket.time) for bucket in found]
            sys.stdout.buffer.write(csv_text([heads, *rows], bom=bom))
        elif not found:
            report_no_match(store, settings, query, *by)
        else:
            _write_table(found, wanted, zone)
            _report_missing_fields(store, wanted, found)


def _write_table(found: Sequence[MetricBucket], wanted: Aggregation, zone: datetime.tzinfo | None) -> None:
    times = [None if bucket.time is None else local_time(bucket.time, zone=zone)[:19] for bucket in found]
    time_head = [] if wanted.interval is None else [f"TIME ({zone_name(zone)})"]
    names = [tables.printable(name).upper() for name in (*(term.field for term in wanted.terms), *time_head)]
    heads = [*names, *(tables.printable(str(metric)).upper() for metric in wanted.metrics)]
    rows = [
        _cells(bucket, [number_text(value) for value in bucket.values], time)
        for bucket, time in zip(found, times, strict=True)
    ]
    write_table(heads, rows, numbers=len(wanted.metrics), fit=bool(wanted.terms))


def _cells(bucket: MetricBucket, values: Sequence[str], time: str | None) -> list[str]:
    return [*map(value_text, bucket.key), *([] if time is None else [time]), *values]


def _csv_value(value: float | None) -> str:
    return "" if value is None else value_text(value)


def _report_missing_fields(store: LogStore, wanted: Aggregation, found: Sequence[MetricBucket]) -> None:
    """Say which fields do not exist, of those of which there are no values at all."""
    values = zip(wanted.metrics, zip(*(bucket.values for bucket in found), strict=True), strict=True)
    empty = dict.fromkeys(metric.field for metric, of in values if metric.field and not any(of))
    for sentence in misspelt(store, None, list(empty)) if empty else ():
        click.echo(sentence, err=True)
