"""``ingestd test``: run the cases of a config."""

from __future__ import annotations

from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import os_errors, show_error
from ingestd.cli.common.options import config_option, settings_options
from ingestd.cli.common.terminal import write_text
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.files import write_atomic
from ingestd.jobs.cases.case import Case, Source
from ingestd.jobs.cases.junit import junit_xml
from ingestd.jobs.cases.reader import read_cases
from ingestd.jobs.cases.run import Outcome, run_case
from ingestd.settings import Settings
from ingestd.units import counted


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--junit", "junit_path", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit's XML there.")
@click.option(
    "--record",
    "recorded",
    metavar="EVENT",
    help="Add a case to FILE instead: of the newest dead letter with this group or id, or stored event that this query"
    " finds. It expects what the config does today.",
)
@config_option("-f", "--config", text="For --record: the config, if FILE is new or the case has one of its own.")
@settings_options()
def test(
    settings: Settings,
    files: tuple[Path, ...],
    junit_path: Path | None,
    recorded: str | None,
    config_paths: tuple[Path, ...],
) -> None:
    """Run the cases in YAML files: events through a config, compared with what is expected.

    The same code as in the daemon runs; nothing is delivered. docs/testing-configs.md describes the files.

    Exit codes: 0 all cases passed; 1 some failed, or their config is wrong; 2 wrong usage, or a case file is wrong.
    """
    if recorded is not None:
        if len(files) != 1:
            raise click.UsageError("--record adds to one FILE")
        from ingestd.cli.common.recording import record  # noqa: PLC0415 -- needs the stores

        record(files[0], recorded, config_paths, settings)
        return
    if config_paths:
        raise click.UsageError("--config is for --record: the case files name their configs")
    outcomes = [run_case(case, lambda source: _config(source, settings), settings) for case in _cases(files)]
    for outcome in outcomes:
        if not outcome.passed:
            _show(outcome)
    if junit_path is not None:
        with os_errors(str(junit_path)):
            write_atomic(junit_path, junit_xml(outcomes))
    failed = sum(not outcome.passed for outcome in outcomes)
    write_text(f"{counted(len(outcomes), 'case')}, " + (f"{failed:,} failed" if failed else "all passed"))
    raise SystemExit(1 if failed else 0)


def _config(source: Source, settings: Settings) -> Config:
    configs = pipeline_configs(source.paths, source.text, (), settings)
    return next(iter(configs.values()))


def _cases(files: tuple[Path, ...]) -> list[Case]:
    """Return the cases of all files; mistakes in them end the command with exit code 2."""
    cases: list[Case] = []
    wrong = False
    for file in files:
        try:
            with os_errors(str(file)):
                cases += read_cases(file)
        except ConfigErrors as errors:
            show_error(errors.render())
            wrong = True
    if wrong:
        raise SystemExit(2)
    return cases


def _show(outcome: Outcome) -> None:
    span = outcome.case.span
    write_text(f"FAILED {span.file}:{span.line} {outcome.case.name}")
    for line in outcome.error.splitlines() or outcome.differences:
        write_text(f"  {line}")
