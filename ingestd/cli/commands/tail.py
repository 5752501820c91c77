"""``ingestd tail``: the newest events, and what comes in."""

from __future__ import annotations

import datetime
import os
import select
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import click

from ingestd.cli.common.asking import as_json_option, opened_store, query_options, store_settings
from ingestd.cli.common.printing import event_printer, write, write_text
from ingestd.settings import Settings
from ingestd.stores.base import Hit, LogStore, StoreError
from ingestd.stores.follow import OVERLAP_SECONDS, News, event_key
from ingestd.stores.query import Query

_POLL_SECONDS = 1.0
_SHARE = 4
"""At most one part in so many of the time is spent on asking; a store that is slow to answer is asked less often."""

_PAGE = 5000
"""So many events are looked at for what is new; more in one second than this are left out, and that is told."""


@click.command()
@query_options(times=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes in, until Ctrl-C.")
@click.option("-n", "n", type=click.IntRange(min=0), default=20, show_default=True, help="Begin with so many events.")
@store_settings
@as_json_option
def tail(settings: Settings, query: Query, follow: bool, n: int, as_json: bool) -> None:
    """Show the newest events that QUERY finds, the oldest of them first."""
    show = _printer(as_json=as_json)
    with opened_store(settings) as store:
        try:
            news = News()
            if follow:  # asked first: what comes between the two questions is new, or among the newest
                news.pick(_recent(store, query), _key)
            newest = list(store.search(query, n)) if n else []
            news.pick(newest, _key)
            show(hit.document for hit in reversed(newest))
            if follow:
                _follow(store, query, news, show)
        except KeyboardInterrupt:  # the way to end it
            return


def _follow(store: LogStore, query: Query, news: News, show: Callable[[Iterable[bytes]], None]) -> None:
    """Show what comes in, until stdout has no reader any more."""
    pause, problem = _POLL_SECONDS, ""
    while _has_reader(pause):
        began = time.monotonic()
        try:
            found = _recent(store, query)
        except StoreError as error:  # it may come back
            if str(error) != problem:
                problem = str(error)
                click.echo(f"error: {problem}; tried again", err=True)
        else:
            problem = ""
            fresh = news.pick(found, _key)
            if len(fresh) == _PAGE:
                click.echo(f"more than {_PAGE:,} events at once; some are left out", err=True)
            show(hit.document for hit in fresh)
        pause = max(_POLL_SECONDS, (time.monotonic() - began) * (_SHARE - 1))


def _recent(store: LogStore, query: Query) -> list[Hit]:
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=OVERLAP_SECONDS)
    text = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return list(store.search(replace(query, since=text), _PAGE))


def _key(hit: Hit) -> str:
    return event_key(hit.index, hit.id, lambda: hit.document)


def _printer(*, as_json: bool) -> Callable[[Iterable[bytes]], None]:
    lines = event_printer()

    def show(documents: Iterable[bytes]) -> None:
        for document in documents:
            if as_json:
                write(document)
                continue
            for line in lines(document):
                write_text(line)
        sys.stdout.flush()

    return show


def _has_reader(seconds: float) -> bool:
    """Wait; return False as soon as stdout is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors are told without being asked for
    if not poll.poll(seconds * 1000):
        return True
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    return False
