"""Options of the input ``unix``, and the fields of its events."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.plugins.inputs import unix
from ingestd.plugins.registry import BuildContext


def compiled(options: str) -> Any:
    config = f"input {{ unix {{ {options} }} }} output {{ null {{ }} }}"
    return compile_pipeline(parse(config, "t", {}), BuildContext())


def test_where_it_listens() -> None:
    built = compiled("path => '/run/x' max_connections => 3 data_timeout => -1").inputs[0].input
    assert (built.address, built.max_connections, built.outlives_reader) == (("/run/x", 0), 3, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("path => 'x'", "is not absolute"),
        ("", "path"),
        ("path => '/x' mode => client", "client"),
    ],
)
def test_options_that_are_not_possible(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors, match=message):
        compiled(options)


def test_options_of_logstash_without_effect() -> None:
    warnings = compiled("path => '/x' force_unlink => true socket_not_present_retry_interval_seconds => 5").warnings
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("disabled", {"host": socket.gethostname(), "path": "/x"}),
        ("v8", {"host": {"name": socket.gethostname()}, "file": {"path": "/x"}}),
    ],
)
def test_fields(mode: str, expected: dict[str, Any]) -> None:
    assert unix._stream_fields(unix.Options(path="/x", ecs_compatibility=mode)) == expected
