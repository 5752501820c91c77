"""``ecs_compatibility``: the option of a plugin wins over the setting ``pipeline.ecs_compatibility``."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.app.pipelines import default_config
from ingestd.compiler.bound import BoundPipeline, Step, steps
from ingestd.compiler.check import check
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.table import Table
from ingestd.event.tally import Tally
from ingestd.plugins.ecs import ecs_select, uses_ecs
from ingestd.plugins.registry import BuildContext
from ingestd.settings import SETTINGS, Settings
from ingestd.settings.kinds import ECS_MODES
from ingestd.settings.tables import PipelineSettings

LINE = "Jan  2 03:04:05 web-1 sshd[42]: hello"
LEGACY = {"timestamp": "Jan  2 03:04:05", "logsource": "web-1", "program": "sshd", "pid": "42"}
ECS = {"timestamp": "Jan  2 03:04:05", "host": {"hostname": "web-1"}, "process": {"name": "sshd", "pid": 42}}
CONFIG = """
input {{ tcp {{ port => 5000 codec => line {{ {codec} }} }} }}
filter {{ grok {{ match => {{ "message" => "%{{SYSLOGBASE}}" }} {option} }} clone {{ clones => "x" {option} }} }}
output {{ stdout {{ }} }}
"""

CASES = [  # setting, option, fields of ECS or not
    ("disabled", None, False),
    ("v1", None, True),
    ("v8", None, True),
    ("disabled", "v8", True),
    ("disabled", "v1", True),
    ("v8", "disabled", False),
    ("v8", "v1", True),
]


def settings(mode: str) -> Settings:
    return Settings(pipeline=PipelineSettings(mode))


def bound(mode: str, option: str | None) -> BoundPipeline:
    text = "" if option is None else f"ecs_compatibility => {option}"
    pipeline, errors = check(parse(CONFIG.format(option=text, codec=text), "test.conf", {}), settings(mode))
    assert not errors
    return pipeline


def filters(pipeline: BoundPipeline) -> list[Step]:
    return steps(pipeline.filters)


@pytest.mark.parametrize(("mode", "option", "ecs"), CASES)
def test_the_option_wins_over_the_setting(mode: str, option: str | None, ecs: bool) -> None:
    pipeline = bound(mode, option)
    codec = pipeline.inputs[0].codec
    assert codec is not None
    read: list[Any] = [codec.options, *(step.options for step in filters(pipeline))]
    assert [uses_ecs(options) for options in read] == [ecs] * 3
    assert [ecs_select(options, disabled="host", ecs="[host][name]") for options in read] == (
        ["[host][name]" if ecs else "host"] * 3
    )


@pytest.mark.parametrize(("mode", "option", "ecs"), CASES)
def test_grok_chooses_its_set_of_patterns(mode: str, option: str | None, ecs: bool) -> None:
    text = "" if option is None else f"ecs_compatibility => {option}"
    config = parse(CONFIG.format(option=text, codec=""), "test.conf", {})
    pipeline = compile_pipeline(config, BuildContext(settings=settings(mode)), project_fields=False)
    table = Table.of_events([{"message": LINE}], [0])
    pipeline.process(table, None, 0, Tally())
    assert table.event(0) == {"message": LINE, **(ECS if ecs else LEGACY)}


@pytest.mark.parametrize("mode", ECS_MODES)
def test_the_built_in_pipeline_does_not_depend_on_it(mode: str) -> None:
    chosen = settings(mode)
    compile_pipeline(default_config(chosen), BuildContext(settings=chosen))


def test_the_default_is_disabled_and_a_reload_changes_it() -> None:
    declared = SETTINGS["pipeline.ecs_compatibility"]
    assert (declared.default, declared.reload) == ("disabled", True)
