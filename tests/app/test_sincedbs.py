"""Two inputs ``file`` with the same sincedb are a mistake that is found before the start."""

from __future__ import annotations

import pytest

from ingestd.app.assemble import compile_all
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.settings import Settings

_OUT = "output { null { } }"


def check(*inputs: str) -> str:
    """Return the errors of pipelines with these inputs."""
    texts = {f"p{number}": f"input {{ {text} }} {_OUT}" for number, text in enumerate(inputs)}
    try:
        compile_all(Settings(), {name: parse(text, f"{name}.conf", {}) for name, text in texts.items()}, "w0")
    except ConfigErrors as errors:
        return errors.render()
    return ""


def test_the_same_paths_twice() -> None:
    one = 'file { path => "/var/log/*.log" }'
    assert "p0.conf:1:43: error: the sincedb " in check(f"{one} {one}")
    assert "is already that of the input at p0.conf:1" in check(f"{one} {one}")
    assert not check(one, one), "each pipeline has its own"
    assert not check(f'{one} file {{ path => "/var/log/*.log" sincedb_path => "/tmp/other" }}')


def test_the_same_sincedb_path_in_two_pipelines() -> None:
    inputs = [f'file {{ path => "/{name}" sincedb_path => "/tmp/same" }}' for name in "ab"]
    assert "give one of the two another sincedb_path" in check(*inputs)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ('path => "logs/a.log"', "'logs/a.log' is not an absolute path"),
        ('path => "/a" stat_interval => "soon"', "'soon' is not a duration"),
        ('path => "/a" sincedb_path => "/tmp"', "sincedb_path '/tmp' is a folder"),
        ('path => "/a" mode => read file_completed_action => log', "needs file_completed_log_path"),
        ('path => "/a" mode => follow', "'follow' is not one of tail, read"),
    ],
    ids=["relative", "duration", "folder", "no_log_path", "mode"],
)
def test_mistakes(options: str, error: str) -> None:
    assert error in check(f"file {{ {options} }}")
