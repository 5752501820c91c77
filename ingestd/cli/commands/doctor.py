"""``ingestd doctor``: what is missing or wrong in a running system, and how to fix it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

import click

from ingestd.cli.common.options import json_option, settings_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import coloured, write_json, write_text
from ingestd.cli.daemons.daemon_metrics import DaemonCounts, daemon_counts
from ingestd.diagnosis.checks import diagnose
from ingestd.diagnosis.finding import Finding, Status, diagnosis_document, is_healthy
from ingestd.diagnosis.gather import Scope, gather
from ingestd.lifecycle.build import rules
from ingestd.settings import Settings
from ingestd.stores.open import is_builtin
from ingestd.supervisor.pidfile import find, was_used

_COLOURS = {Status.OK: "green", Status.NOTE: "blue", Status.WARNING: "yellow", Status.FIX: "red"}
_CHECK_CELLS = len("deadletters")


@click.command()
@settings_options(
    "data_dir",
    "store",
    "elasticsearch",
    "index_timezone",
    "backup.repository",
    "retention.max_age",
    "http",
    "http_password_file",
    "http_token_file",
    "http_prefix",
)
@json_option
def doctor(settings: Settings, as_json: bool) -> None:
    """Look at a running system: what arrives and what is missing, clocks, Kafka, disk, rights, sealing, backups,
    retention.

    Each line is ok, a note on something unused, a warning, or something to fix, with the way to do it. Works on the
    data folder, or on a server with --elasticsearch or --store; use the settings of the daemon.

    Exit codes: 0 nothing has to be fixed (there may be notes and warnings); 1 something has to be fixed; 2 wrong usage
    or settings.
    """
    with opened_store(settings) as store:
        facts = gather(settings, store, _scope(settings), datetime.datetime.now(datetime.UTC))
    findings = diagnose(facts)
    if as_json:
        write_json(diagnosis_document(findings))
    else:
        for line in report(findings, colours=coloured()):
            write_text(line)
    if not is_healthy(findings):
        raise SystemExit(1)


def _scope(settings: Settings) -> Scope:
    builtin = is_builtin(settings.store or settings.elasticsearch)
    here = builtin or was_used(settings.data_dir)  # else the daemon may run on another machine
    pid = find(settings.data_dir) or 0 if here else None
    counts = daemon_counts(settings) if pid else DaemonCounts()
    return Scope(
        builtin_store=builtin,
        rules=rules(settings, builtin_store=builtin) if settings.schedule.cron != "off" else None,
        pid=pid,
        senders=counts.senders,
        dropped=counts.dropped,
        kafka=counts.kafka,
        fills_store=counts.fills_store,
        unread=counts.problem,
    )


def report(findings: Sequence[Finding], *, colours: bool = False) -> Iterator[str]:
    """Yield the lines of findings: status, check and sentence, then what to do unless all is well."""
    for finding in findings:
        name = f"{finding.status.value:<7}"
        status = click.style(name, fg=_COLOURS[finding.status]) if colours else name
        yield f"{status}  {finding.check:<{_CHECK_CELLS}}  {finding.text()}"
        if finding.status is not Status.OK:
            pad = " " * (len(name) + _CHECK_CELLS + 4)
            yield from (pad + line for line in finding.fix().splitlines())
