"""``ingestd words``: what visitors search for, and how that changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from ingestd.analytics.words import COLUMNS, Unanswered, WordCount, WordReport, unanswered, words_csv, words_report
from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import json_option, limit_option, store_options
from ingestd.cli.common.queries import query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write_json, write_table, write_text
from ingestd.cli.common.times import now
from ingestd.event.timestamp import from_datetime
from ingestd.settings import Settings
from ingestd.stores.base import LogStore
from ingestd.stores.query import Query
from ingestd.units import counted

_TOP, _NO_RESULTS = "top", "no-results"
_CHANGES = ("rising", "new", "fallen")


@click.command()
@query_options()
@click.option("--compare", is_flag=True, help="Compare with the period before: change, rank, what rises and falls.")
@click.option(
    "--list",
    "which",
    type=click.Choice([_TOP, *_CHANGES, _NO_RESULTS]),
    help="Print only this list.  [default: top; with --compare as text: all]",
)
@limit_option(50, "Show at most this many words in a list.")
@store_options
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for Excel: with a byte order mark and without formulas.")
def words(  # noqa: PLR0913 -- click passes one argument for each option
    settings: Settings,
    query: Query,
    which: str | None,
    limit: int,
    *,
    compare: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Count what visitors search for, the words in search_word. Only visits that match QUERY are counted.

    The period before is as long as the one from --since to --until, and ends where that starts: whole days are compared
    with whole days. Rising and fallen words have changed by half or more, in number and as a share of all searches, and
    not by chance: a word with 3 searches instead of 1 is not rising. New words had no searches before.

    \b
    ingestd words --since 30d                          the most frequent words
    ingestd words --since 7d --compare                 and what rises, is new, falls, and finds nothing
    ingestd words --since yesterday --until yesterday --list rising --json
    ingestd words --since 30d --csv > words.csv        for Excel

    JSON is a list of {word, count, share, previous, change, rank, previous_rank}, most frequent first: share is of all
    searches, change is 1.0 for a word that doubled.
    """
    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    needs_before = compare or which in _CHANGES
    if needs_before and query.since is None:
        raise click.UsageError("to compare, give the period with --since, as in --since 7d")
    if query.since is not None and query.until is None:
        query = replace(query, until=from_datetime(now()))
    is_text = not as_json and not as_csv
    with opened_store(settings) as store:
        if which == _NO_RESULTS:
            found = unanswered(store, query, limit + 1)
            _print(_unanswered_rows(found, limit), ("word", "count"), as_json=as_json, as_csv=as_csv)
            _note_cut({which: found.words}, limit)
            _note_unanswered(found)
            return
        compared = needs_before or not is_text
        more, zone = limit + 1, settings.site_zone  # one more than is shown, to know whether there are more
        report = words_report(store, query, zone=zone, compare=compared, limit=more, listed=more)
        if not is_text:
            chosen = _list(report, which or _TOP)
            _print([word.document() for word in chosen[:limit]], COLUMNS, as_json=as_json, as_csv=as_csv)
            _note_cut({which or _TOP: chosen}, limit)
        elif not report.total:
            report_no_match(store, settings, query, "search_word")
        else:
            _show(store, query, report, which or (_TOP if not compare else None), limit)


def _print(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        write_json(list(rows))
    elif as_csv:
        sys.stdout.buffer.write(words_csv(rows, columns))
    else:
        cells = [[str(row["word"]), f"{row['count']:,}"] for row in rows]
        write_table([name.upper() for name in columns], cells, numbers=1, fit=True)


def _list(report: WordReport, name: str) -> Sequence[WordCount]:
    chosen: Sequence[WordCount] = report.words if name == _TOP else getattr(report, name)
    return chosen


def _unanswered_rows(found: Unanswered, limit: int) -> list[dict[str, Any]]:
    return [{"word": word, "count": count} for word, count in found.words[:limit]]


def _note_cut(lists: Mapping[str, Sequence[Any]], limit: int) -> None:
    """Say which lists have more words than are shown; they have one more than that then."""
    if cut := [name for name, words in lists.items() if len(words) > limit]:
        click.echo(f"there are more words than -n {limit} shows: {', '.join(cut)}", err=True)


def _note_unanswered(found: Unanswered) -> None:
    if not found.known:
        click.echo("no record says how many results its search had (search_results)", err=True)


def _show(store: LogStore, query: Query, report: WordReport, which: str | None, limit: int) -> None:
    """Print one list as text; None: all of them."""
    is_compared = report.before is not None
    lists: dict[str, Sequence[Any]] = {name: _list(report, name) for name in ([which] if which else [_TOP, *_CHANGES])}
    for name, words in lists.items():
        if name != _TOP and which is None:
            write_text(f"\n{name.capitalize()}:")
        if words:
            heads = ["WORD", "COUNT", "SHARE", *(["BEFORE", "CHANGE", "RANK", "WAS"] if is_compared else [])]
            rows = [list(_cells(word, is_compared=is_compared)) for word in words[:limit]]
            write_table(heads, rows, numbers=len(heads) - 1, fit=True)
        else:
            write_text("no words")
    if which is None:
        found = unanswered(store, query, limit + 1)
        lists[_NO_RESULTS] = found.words
        write_text("\nWithout results:")
        _print(_unanswered_rows(found, limit), ("word", "count"), as_json=False, as_csv=False)
        _note_unanswered(found)
    _note_cut(lists, limit)
    click.echo(_summary(report), err=True)


def _cells(word: WordCount, *, is_compared: bool) -> Iterator[str]:
    yield from (word.word, f"{word.count:,}", f"{100 * word.share:.1f} %")
    if is_compared:
        yield f"{word.previous:,}"
        yield "new" if word.change is None else f"{100 * word.change:+,.0f} %"
        yield from ("-" if rank is None else f"{rank:,}" for rank in (word.rank, word.previous_rank))


def _summary(report: WordReport) -> str:
    """Return how many searches and words there are: ``360 searches, 13 different words; before: 206 and 13``."""
    searches = "search" if report.total == 1 else "searches"
    text = f"{report.total:,} {searches}, {counted(report.distinct, 'different word')}"
    if report.before is None:
        return text
    if not report.previous_total:
        return f"{text}; no searches in the period before, so nothing is rising, new or fallen"
    return f"{text}; before: {report.previous_total:,} and {report.previous_distinct:,}"
