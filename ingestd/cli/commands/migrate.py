"""``ingestd migrate``: what a Logstash installation needs to run here, and its settings as ``ingestd.toml``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click

from ingestd.app.logstash_settings import Verdict
from ingestd.app.migration.finding import Finding
from ingestd.app.migration.installation import Installation, Version, find_installation
from ingestd.app.migration.report import Report, report, start_command
from ingestd.app.migration.settings_file import settings_text
from ingestd.cli.common.errors import os_errors, show_error
from ingestd.cli.common.options import json_option
from ingestd.cli.common.terminal import write_json, write_text
from ingestd.files import write_atomic
from ingestd.settings import SettingsError

_COLUMN, _WIDTH = 20, 110


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=Path("ingestd.toml"),
    show_default=True,
    help="Settings file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the settings file if it exists and differs.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.option(
    "--logstash-version", metavar="VERSION", help="Version of Logstash, such as 8.11.0.  [default: that in DIR]"
)
@json_option
def migrate(
    folder: Path, output: Path, overwrite: bool, dry_run: bool, logstash_version: str | None, as_json: bool
) -> None:
    """Report line by line what of a Logstash installation runs here, and write its settings to ingestd.toml.

    DIR is Logstash's settings folder, such as /etc/logstash, its own folder, or a copy of them. The configs are checked
    as by `ingestd check`. The version, which decides whether fields have the names of ECS, is that of
    logstash-core/versions-gem-copy.yml, Gemfile.lock, the package, or the folder's name.

    Exit codes: 0 everything runs; 1 something needs work first, or the settings file exists; 2 the settings of Logstash
    are wrong.
    """
    version = _version(logstash_version)
    try:
        with os_errors(str(folder)):
            installation = find_installation(folder, version)
            found = report(installation)
    except SettingsError as error:
        show_error(str(error))
        raise SystemExit(2) from None
    text = settings_text(found.settings, installation.version, str(installation.settings))
    refused = not dry_run and not overwrite and _differs(output, text)
    if as_json:
        write_json(_document(installation, found, output))
    else:
        for line in _lines(installation, found, output):
            write_text(line)
    if refused:
        raise click.ClickException(f"{output} exists and differs; replace it with --overwrite, or give another -o FILE")
    if not dry_run:
        with os_errors(str(output)):
            write_atomic(output, text.encode())
    if found.counts[Verdict.NEEDS_WORK]:
        raise SystemExit(1)


def _version(text: str | None) -> str:
    if text is not None and not text.partition(".")[0].isdecimal():
        raise click.BadParameter(f"{text!r} is not a version; write 8.11.0", param_hint="--logstash-version")
    return text or ""


def _differs(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() != text.encode()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _lines(installation: Installation, found: Report, output: Path) -> Iterator[str]:
    yield f"{_title(installation.version)} in {installation.settings}"
    for file, findings in groupby(found.findings, lambda finding: finding.file):
        yield from ("", file)
        for finding in findings:
            yield from _finding(finding)
    counts = found.counts
    yield ""
    yield (
        f"{counts[Verdict.RUNS]} run as they are, {counts[Verdict.DIFFERS]} differ, "
        f"{counts[Verdict.NEEDS_WORK]} need work."
    )
    yield f"settings: {output}"
    yield f"start:    {start_command(found, installation, output)}"


def _title(version: Version) -> str:
    return f"Logstash {version.number} (found in {version.source})" if version.number else "Logstash of unknown version"


def _finding(finding: Finding) -> Iterator[str]:
    """Yield the lines of a finding: its line number, the verdict, what it is, and below it what to do."""
    head = f"{finding.line or '':>6}  {finding.verdict.replace('_', ' '):<12}"
    blank = " " * _COLUMN
    first, *rest = textwrap.wrap(finding.text, _WIDTH - _COLUMN) or [""]
    yield head + first
    yield from (blank + line for line in rest)
    if finding.advice:
        arrow = textwrap.wrap(finding.advice, _WIDTH - _COLUMN - 3, break_on_hyphens=False)
        yield from (f"{blank}{'-> ' if number == 0 else '   '}{line}" for number, line in enumerate(arrow))


def _document(installation: Installation, found: Report, output: Path) -> dict[str, object]:
    return {
        "folder": str(installation.settings),
        "version": installation.version.number or None,
        "version_source": installation.version.source or None,
        "findings": [
            {
                "file": finding.file,
                "line": finding.line or None,
                "verdict": finding.verdict,
                "text": finding.text,
                "advice": finding.advice or None,
            }
            for finding in found.findings
        ],
        "counts": found.counts,
        "settings": {name: value for name, value, _ in found.settings},
        "settings_file": str(output),
        "start": start_command(found, installation, output).words,
    }
