"""``ingestd tail``: the newest events, and new ones as they arrive."""

from __future__ import annotations

import datetime
import select
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import click

from ingestd.cli.common.errors import drop_stdout
from ingestd.cli.common.events import event_printer, report_no_match
from ingestd.cli.common.options import json_option, limit_option, store_options
from ingestd.cli.common.queries import query_options
from ingestd.cli.common.stores import check_interrupt, opened_store
from ingestd.cli.common.terminal import write, write_text
from ingestd.cli.common.times import zone_name, zone_note
from ingestd.event.jsontext import readable_line
from ingestd.event.timestamp import from_datetime
from ingestd.settings import Settings
from ingestd.stores.base import Hit, LogStore, StoreError
from ingestd.stores.follow import OVERLAP_SECONDS, UnseenEvents, event_key
from ingestd.stores.query import Query

_POLL_SECONDS = 1.0
_SHARE = 4
"""Queries take at most one part in four of the time: a slow store is polled less often."""

_PAGE = 5000
"""Events fetched per poll; if more arrive between two polls, the rest is skipped and the command says so."""


@click.command()
@query_options(times=False)
@click.option("-f", "--follow", is_flag=True, help="Show new events as they arrive, until Ctrl-C.")
@limit_option(20, "Number of events to start with.", minimum=0)
@store_options
@json_option
def tail(settings: Settings, query: Query, follow: bool, limit: int, as_json: bool) -> None:
    """Show the newest events that match QUERY, newest last."""
    zone = settings.site_zone
    show = _printer(zone, as_json=as_json)
    if not as_json and zone_note(zone):
        click.echo(f"times are those of {zone_name(zone)}", err=True)
    with opened_store(settings) as store:
        try:
            news = UnseenEvents()
            if follow:  # first: what arrives between the two queries is then new, or among the newest
                news.pick(_recent(store, query), _key)
            newest = list(store.search(query, limit)) if limit else []
            news.pick(newest, _key)
            show(hit.document for hit in reversed(newest))
            if limit and not newest and not as_json:
                report_no_match(store, settings, query)
            if follow:
                _follow(store, query, news, show)
        except KeyboardInterrupt:  # the usual way to stop
            return


def _follow(store: LogStore, query: Query, news: UnseenEvents, show: Callable[[Iterable[bytes]], None]) -> None:
    """Show new events until stdout has no reader any more."""
    pause, problem = _POLL_SECONDS, ""
    while _has_reader(pause):
        started = time.monotonic()
        try:
            found = _recent(store, query)
        except StoreError as error:  # it may recover
            check_interrupt()
            if str(error) != problem:
                problem = str(error)
                click.echo(f"error: {problem}; retrying", err=True)
        else:
            problem = ""
            fresh = news.pick(found, _key)
            if len(fresh) == _PAGE:
                click.echo(f"more than {_PAGE:,} new events at once; some are not shown", err=True)
            show(hit.document for hit in fresh)
        pause = max(_POLL_SECONDS, (time.monotonic() - started) * (_SHARE - 1))


def _recent(store: LogStore, query: Query) -> list[Hit]:
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=OVERLAP_SECONDS)
    return list(store.search(replace(query, since=from_datetime(since)), _PAGE))


def _key(hit: Hit) -> str:
    return event_key(hit.index, hit.id, lambda: hit.document)


def _printer(zone: datetime.tzinfo | None, *, as_json: bool) -> Callable[[Iterable[bytes]], None]:
    lines = event_printer(zone)

    def show(documents: Iterable[bytes]) -> None:
        for document in documents:
            if as_json:
                write(readable_line(document))
                continue
            for line in lines(document):
                write_text(line)
        sys.stdout.flush()

    return show


def _has_reader(seconds: float) -> bool:
    """Wait up to ``seconds``; return False as soon as stdout is a pipe without a reader."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # POLLERR is always reported
    if not poll.poll(seconds * 1000):
        return True
    drop_stdout()
    return False
