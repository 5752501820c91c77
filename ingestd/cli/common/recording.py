"""``ingestd test --record``: make a case of a dead letter, or of a stored event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors, os_errors
from ingestd.cli.common.queries import render
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write_text
from ingestd.config.nodes import Config
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder
from ingestd.diagnosis.trace import UnknownInputError
from ingestd.jobs.cases.case import Source
from ingestd.jobs.cases.reader import read_cases
from ingestd.jobs.cases.record import RecordError, append_case, of_dead_letter, of_stored_event, with_expected
from ingestd.settings import Settings
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query, QueryError


def record(path: Path, wanted: str, config_paths: tuple[Path, ...], settings: Settings) -> None:
    """Add a case to a file, and say of what: the newest dead letter with a group or id, or event that a query finds.

    ``config_paths``: the config; none: that of the cases in the file. Errors end the command.
    """
    with os_errors(str(path)), config_errors():
        source = Source(paths=config_paths)
        if not config_paths and path.exists():
            source = read_cases(path)[-1].source
        config = next(iter(pipeline_configs(source.paths, source.text, (), settings).values()))
        try:
            case = with_expected(_case(wanted, config, settings), config, settings)
            append_case(path, _with_source(case, path, config_paths), source)
        except (RecordError, UnknownInputError) as error:
            raise click.ClickException(str(error)) from None
    write_text(f"{path}: added {case['name']!r}; read what it expects, it is what the config does today")


def _with_source(case: dict[str, Any], path: Path, config_paths: tuple[Path, ...]) -> dict[str, Any]:
    """Return the case with its own config, if it is added to a file for one that is given."""
    if not (config_paths and path.exists()):
        return case
    return {"name": case["name"], "path": [str(file.absolute()) for file in config_paths], **case}


def _case(wanted: str, config: Config, settings: Settings) -> dict[str, Any]:
    dead_letter = _dead_letter(wanted, settings)
    if dead_letter is not None:
        return of_dead_letter(dead_letter, f"dead letter: {dead_letter.detail or dead_letter.reason}"[:100])
    try:
        query = Query(None, None, parse(wanted))
    except QueryError as error:
        raise click.ClickException(f"no dead letter has this group or id, and {render(error, wanted)}") from None
    with opened_store(settings) as store:
        hit = next(iter(store.search(query, 1)), None)
    if hit is None:
        raise click.ClickException(f"no dead letter has the group or id {wanted!r}, and no event matches this query")
    return of_stored_event(hit.document, f"event {hit.id} of {hit.index}", config, settings)


def _dead_letter(wanted: str, settings: Settings) -> DeadLetter | None:
    """Return the newest dead letter with a group or event id."""
    reader = DeadLetterReader(dead_letters_folder(settings.data_dir))
    readable = (line.dead_letter for line in reader.read() if line.dead_letter is not None)
    found = [each for each in readable if wanted in {each.group.id, each.id, each.document_id}]
    return max(found, key=lambda dead_letter: dead_letter.time, default=None)
