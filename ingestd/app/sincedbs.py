"""No two inputs ``file`` keep their positions in the same sincedb: each would overwrite those of the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.nodes import Config
from ingestd.plugins.interfaces import ResumingInput


def check_sincedbs(pipelines: Mapping[str, Pipeline], configs: Mapping[str, Config]) -> None:
    """Raise ConfigErrors if two inputs have the same sincedb."""
    taken: dict[Path, Step] = {}
    for name, pipeline in pipelines.items():
        for built in pipeline.inputs:
            path = built.input.sincedb_path if isinstance(built.input, ResumingInput) else None
            if path is None:
                continue
            if path in taken:
                first = taken[path].span
                text = f"the sincedb {path} is already that of the input at {first.file}:{first.line}"
                error = ConfigError(text, built.step.span, "give one of the two another sincedb_path => ...")
                raise ConfigErrors([error], configs[name].sources)
            taken[path] = built.step
