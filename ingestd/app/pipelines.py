"""Which configs a command works on: files, a string, named pipelines, or the built-in one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from msgspec.structs import replace

import ingestd
from ingestd.app.logstash_folder import PipelineSource
from ingestd.config.nodes import Config
from ingestd.config.parser import load, parse
from ingestd.names import MAIN, check_pipeline_names
from ingestd.settings import SETTINGS, Settings

DEFAULT_NAME = "default.conf"


def pipeline_configs(
    paths: tuple[Path, ...],
    text: str | None,
    named: tuple[str, ...],
    settings: Settings,
    sources: Sequence[PipelineSource] = (),
    *,
    support_escapes: bool = False,
) -> dict[str, Config]:
    """Return the parsed config of each pipeline by its name; ``main`` is the unnamed one.

    Args:
        paths: Files of the pipeline ``main``.
        text: Its text.
        named: ``NAME=PATH`` of other pipelines.
        settings: Of the daemon.
        sources: Pipelines to run if there is none of the above.
        support_escapes: See ``ingestd.config.parser.parse``.

    Raises:
        ConfigErrors: A config cannot be read or parsed.
        UsageError: The options contradict each other.
    """
    if paths and text is not None:
        raise click.UsageError("give the config either with -f or with -e")
    variables = config_variables(settings)

    def read(source: PipelineSource, title: str = "-e") -> Config:
        return read_source(source, variables, title, support_escapes=support_escapes)

    configs: dict[str, Config] = {}
    for option in named:
        name, path = _name_and_path(option, [*configs], main_is_given=bool(paths) or text is not None)
        configs[name] = read(PipelineSource(name, (path,)))
    if paths or text is not None:
        configs[MAIN] = read(PipelineSource(MAIN, paths, text))
    if not configs:
        configs = {source.name: read(source, text_title(source.name)) for source in sources}
    return configs or {MAIN: default_config(settings)}


def text_title(name: str) -> str:
    """Return what the config of a pipeline is called in messages if it is a text of ``pipelines.yml``."""
    return f"config.string of {name}"


def read_source(
    source: PipelineSource, variables: Mapping[str, str], title: str, *, support_escapes: bool = False
) -> Config:
    """Return the parsed config of a pipeline; ``title``: what it is called in messages if it is a text.

    Raises:
        ConfigErrors: It cannot be read or parsed.
    """
    if source.text is not None:
        config = parse(source.text, title, variables, support_escapes=support_escapes)
    else:
        config = load(source.paths, variables, support_escapes=support_escapes)
    return replace(config, ecs_compatibility=source.ecs) if source.ecs else config


def _name_and_path(option: str, others: list[str], *, main_is_given: bool) -> tuple[str, Path]:
    """Return the parts of ``NAME=PATH``; ``others``: the names of other pipelines.

    Raises:
        UsageError: The option is wrong.
    """
    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise click.UsageError(f"--pipeline {option!r}: write NAME=PATH")
    if name in others:
        raise click.UsageError(f"--pipeline: the name {name!r} is used twice")
    if name == MAIN and main_is_given:
        raise click.UsageError(f"--pipeline: {MAIN!r} is the name of what -f and -e give; choose another one")
    try:
        check_pipeline_names([*others, name])
    except ValueError as error:
        raise click.UsageError(f"--pipeline: {error}") from None
    return name, Path(path)


_BEATS = """
  # Records of ingestd-django and other clients that want an acknowledgement.
  beats {
    host => "${INGESTD_HOST:127.0.0.1}"
    port => "${INGESTD_BEATS_PORT}"
    include_codec_tag => false
  }
}

filter {"""


def default_text(settings: Settings) -> str:
    """Return the text of the built-in pipeline: into Elasticsearch if the settings name one, else into the store.

    It has the input ``beats`` if there is a port for it.
    """
    text = (Path(ingestd.__file__).parent / DEFAULT_NAME).read_text("utf-8")
    if settings.beats_port:
        text = text.replace("}\n\nfilter {", _BEATS, 1)
    if settings.elasticsearch:
        text = text.replace("store { }", 'elasticsearch {\n    hosts => ["${INGESTD_ELASTICSEARCH}"]\n  }')
    return text


def default_config(settings: Settings) -> Config:
    """Return the built-in pipeline, with host, port, Elasticsearch and time zone as the settings say."""
    return parse(default_text(settings), DEFAULT_NAME, config_variables(settings))


def config_variables(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that ``${...}`` in a config sees: the environment, and the settings under their variables.

    A setting that was not set is not a variable, so that the config's own default counts, as in
    ``${INGESTD_PORT:5044}``: neither if its variable is empty, nor if that is Kubernetes' own INGESTD_PORT.
    """
    variables = dict(environ)
    for name, setting in SETTINGS.items():
        origin, value = settings.origins.get(name, "default"), settings.get(name)
        if origin == setting.variable:
            continue  # as it was written
        variables.pop(setting.variable, None)
        if settings.explicit(name) or value != setting.default:
            variables[setting.variable] = value if isinstance(value, str) else setting.kind.show(value)
    return variables
