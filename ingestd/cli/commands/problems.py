"""``ingestd problems``: errors of the same cause, and what was decided about them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from ingestd.analytics.problem_marks import MarkError, UnknownProblemError, check_mark, load_marks, mark_problem
from ingestd.analytics.problems import MAX_PROBLEMS, Problem, is_known, list_problems
from ingestd.cli.common.errors import os_errors
from ingestd.cli.common.options import json_option, limit_option, store_options
from ingestd.cli.common.owner import caller, recorded
from ingestd.cli.common.queries import time_options
from ingestd.cli.common.stores import opened_store, store_errors
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.cli.common.times import local_time, now, zone_name
from ingestd.event.timestamp import from_datetime
from ingestd.settings import Settings
from ingestd.stores.open import open_store
from ingestd.stores.query import Query

_STATES = ("open", "resolved", "muted", "all")


@click.group(invoke_without_command=True)
@time_options
@click.option(
    "--state", type=click.Choice(_STATES), default="all", show_default=True, help="Show only problems in this state."
)
@limit_option(50, "Show at most this many problems, most frequent first.")
@store_options
@json_option
@click.pass_context
def problems(  # noqa: PLR0913 -- click passes one argument for each option
    context: click.Context,
    settings: Settings,
    since: str | None,
    until: str | None,
    state: str,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """List the problems of the site: errors with the same cause, the most frequent first.

    \b
    ingestd problems --since 7d
    ingestd problems resolve 3f9c2ab01d77 --note "fixed in 2.4"
    ingestd problems mute 3f9c2ab01d77 --note "a bot"

    The filter `problem` groups errors while they are received: by the exception and the innermost function of the
    site's own code; without a trace, by the message. NEW: not seen before --since. REGRESSED: seen again after it was
    resolved. The first and the last time are taken from all stored events.
    """
    if context.invoked_subcommand is not None:
        return
    zone = settings.site_zone
    with os_errors("the data folder"):
        marks = load_marks(settings.data_dir)
    with opened_store(settings) as store:
        found = list_problems(store, Query(since, until), marks, limit=limit + 1, now=from_datetime(now()))
    _note_cut(len(found), limit)
    shown = [problem for problem in found[:limit] if state in ("all", problem.state)]
    if as_json:
        write_json([problem.document() for problem in shown])
    elif not shown:
        click.echo("no problems", err=True)
    else:
        heads = ("PROBLEM", "TITLE", "STATE", "PATHS", f"LAST SEEN ({zone_name(zone)})", "VISITORS", "COUNT")
        write_table(heads, [_row(problem, zone) for problem in shown], numbers=2, fit=True)


def _note_cut(found: int, limit: int) -> None:
    """Say that there may be more problems than were looked at."""
    if found > limit or found >= MAX_PROBLEMS:
        looked_at = f"-n {min(limit, MAX_PROBLEMS)}"
        more = f"-n {MAX_PROBLEMS} or a shorter period" if limit < MAX_PROBLEMS else "a shorter period"
        click.echo(f"there may be more problems than {looked_at} looks at, the most frequent; try {more}", err=True)


def _row(problem: Problem, zone: Any) -> tuple[str, ...]:
    badges: list[str] = [problem.state] if problem.state != "open" else []
    badges += ["new"] * problem.is_new + ["regressed"] * problem.is_regressed
    last = local_time(problem.last_seen, zone=zone)[:19]
    paths = ", ".join(problem.paths)
    return problem.problem, problem.title, ", ".join(badges), paths, last, f"{problem.visitors:,}", f"{problem.count:,}"


def _command(action: str, text: str) -> Callable[..., None]:
    @problems.command(action, help=text)
    @click.argument("problem")
    @click.option("--note", default="", help="Why.")
    @store_options
    def command(settings: Settings, problem: str, note: str) -> None:
        with store_errors(), recorded(settings, f"problems.{action}", problem) as record:
            try:
                check_mark(problem, action, note)
                if not _is_known(settings, problem):
                    raise UnknownProblemError(problem)
                at = from_datetime(now())
                mark = mark_problem(settings.data_dir, problem, action, at=at, by=caller(), note=note)
            except MarkError as error:
                raise click.ClickException(str(error)) from None
            record.text = note
        click.echo(f"{problem} is {mark.state}")

    return command


def _is_known(settings: Settings, problem: str) -> bool:
    with closing(open_store(settings.store or settings.elasticsearch, settings.data_dir)) as store:
        return is_known(settings.data_dir, store, problem)


_command("resolve", "Mark a PROBLEM, by its id, as resolved; if it is seen again it is shown as regressed.")
_command("mute", "Mute a PROBLEM, by its id: the dashboard lists it separately.")
_command("reopen", "Open a PROBLEM, by its id, that was resolved or muted.")
