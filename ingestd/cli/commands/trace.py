"""``ingestd trace``: what a config does to an event, step by step."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors
from ingestd.cli.common.options import files_argument, json_option, pipeline_options, settings_options
from ingestd.cli.common.terminal import write_json, write_text
from ingestd.diagnosis.trace import Trace, Tracing, UnknownInputError
from ingestd.diagnosis.trace_report import trace_document, trace_lines
from ingestd.plugins.interfaces import UndecodableError
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings


@click.command()
@files_argument
@click.option(
    "--input",
    "input_id",
    metavar="ID",
    help="Read standard input as this input would, with its codec and common options: its id, or its plugin's name.",
)
@click.option("--again", is_flag=True, help="The events come from a store: run them as `ingestd reprocess` does.")
@json_option
@pipeline_options
@settings_options()
def trace(  # noqa: PLR0913, PLR0917 -- click passes one argument for each option
    settings: Settings,
    files: tuple[Path, ...],
    input_id: str | None,
    again: bool,
    as_json: bool,
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
) -> None:
    """Show what a config does to events, step by step.

    Reads events as JSON objects from standard input, and shows each condition with its value, each filter with the
    fields that it changes and its time, the final document, and the outputs that get it. It is the code that the daemon
    runs; nothing is delivered. Example: echo '{"message": "GET /"}' | ingestd trace pipeline.conf
    """
    with config_errors():
        configs = pipeline_configs((*files, *config_paths), config_string, named, settings)
        if len(configs) != 1:
            raise click.UsageError("give the config of one pipeline")
        name, config = next(iter(configs.items()))
        tracing = Tracing(config, BuildContext(settings=settings, pipeline_id=name, again=again))
    data = sys.stdin.buffer.read()
    for number, found in enumerate(_traces(tracing, data, input_id)):
        if as_json:
            write_json(trace_document(found))
        else:
            write_text("\n" * (number > 0) + "\n".join(trace_lines(found)))


def _traces(tracing: Tracing, data: bytes, input_id: str | None) -> Iterator[Trace]:
    if not data.strip():
        raise click.ClickException("there is no event on standard input")
    if input_id is None:
        for line in json_lines(data):
            yield from tracing.events(line)
        return
    try:
        traces = tracing.records(input_id, data)
    except UnknownInputError as error:
        raise click.BadParameter(str(error), param_hint="--input") from None
    except UndecodableError as error:
        raise click.ClickException(f"the input would make a dead letter of this: {error}") from None
    if not traces:
        raise click.ClickException("the input makes no event of this")
    yield from traces


def json_lines(data: bytes) -> Iterator[bytes]:
    """Yield each JSON object of a text, which may be written over several lines, as one line.

    Raises:
        ClickException: It is not JSON, or something else than an object; with the place.
    """
    text, start = data.decode("utf-8", "replace").removeprefix("\ufeff"), 0
    decoder = json.JSONDecoder()
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            reason = f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
            raise click.ClickException(f"standard input, {reason}; for a line of text, give its --input") from None
        if not isinstance(value, dict):
            line = text.count("\n", 0, start) + 1
            raise click.ClickException(
                f"standard input, line {line}: an event is an object, not {text[start:end][:40]}"
            )
        yield text[start:end].replace("\r", " ").replace("\n", " ").encode() + b"\n"
        start = end
