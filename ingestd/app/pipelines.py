"""Which configs a command works on: files, a string, named pipelines, or the built-in one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

import ingestd
from ingestd.config.nodes import Config
from ingestd.config.parser import load, parse, parse_string
from ingestd.names import MAIN, check_pipeline_names
from ingestd.settings import SETTINGS, Settings

DEFAULT_NAME = "default.conf"


def pipeline_configs(
    paths: tuple[Path, ...], text: str | None, named: tuple[str, ...], settings: Settings
) -> dict[str, Config]:
    """Return the parsed config of each pipeline by its name; ``main`` is the unnamed one.

    Raises:
        ConfigErrors: A config cannot be read or parsed.
        UsageError: The options contradict each other.
    """
    if paths and text is not None:
        raise click.UsageError("give the config either with -f or with -e")
    configs: dict[str, Config] = {}
    variables = config_variables(settings)
    for option in named:
        name, equals, path = option.partition("=")
        if not (name and equals and path):
            raise click.UsageError(f"--pipeline {option!r}: write NAME=PATH")
        if name in configs:
            raise click.UsageError(f"--pipeline: the name {name!r} is used twice")
        if name == MAIN and (text is not None or paths):
            raise click.UsageError(f"--pipeline: {MAIN!r} is the name of what -f and -e give; choose another one")
        try:
            check_pipeline_names([*configs, name])
        except ValueError as error:
            raise click.UsageError(f"--pipeline: {error}") from None
        configs[name] = load([Path(path)], variables)
    if text is not None:
        configs[MAIN] = parse_string(text, variables)
    elif paths:
        configs[MAIN] = load(paths, variables)
    elif not configs:
        configs[MAIN] = default_config(settings)
    return configs


def default_text(settings: Settings) -> str:
    """Return the text of the built-in pipeline: into Elasticsearch if the settings name one, else into the store."""
    text = (Path(ingestd.__file__).parent / DEFAULT_NAME).read_text("utf-8")
    if settings.elasticsearch:
        text = text.replace("store { }", 'elasticsearch {\n    hosts => ["${INGESTD_ELASTICSEARCH}"]\n  }')
    return text


def default_config(settings: Settings) -> Config:
    """Return the built-in pipeline, with host, port, Elasticsearch and time zone as the settings say."""
    return parse(default_text(settings), DEFAULT_NAME, config_variables(settings))


def config_variables(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that ``${...}`` in a config sees: the environment, and the settings under their variables.

    A setting that was not set is no variable, so that the config's own default counts, as in ``${INGESTD_PORT:5044}``:
    neither if its variable is empty, nor if that is Kubernetes' own INGESTD_PORT.
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
