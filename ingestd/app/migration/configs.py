"""What the configs of the pipelines mean here: the findings of ``ingestd check``, and the plugins without any."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingestd.app.assemble import compile_all
from ingestd.app.logstash_folder import PipelineSource
from ingestd.app.logstash_settings import Verdict
from ingestd.app.migration.finding import Finding
from ingestd.app.pipelines import config_variables, read_source, text_title
from ingestd.compiler.pipeline import inspect
from ingestd.config.errors import ConfigError, ConfigErrors, Span
from ingestd.config.nodes import Branch, Condition, Config, Logic, Statement
from ingestd.names import worker_name
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

_UNSET = "set it in the environment of ingestd: under systemd in /etc/ingestd/ingestd.env"


def config_findings(
    sources: Sequence[PipelineSource], settings: Settings, variables: Mapping[str, str], *, support_escapes: bool
) -> tuple[list[Finding], list[str]]:
    """Return the findings in all configs, and the names of the variables that are not set."""
    findings, configs = list[Finding](), dict[str, Config]()
    of_plugins, seen = Settings(pipeline=settings.pipeline), Variables(config_variables(settings, variables))
    for source in sources:
        try:
            config = configs[source.name] = read_source(
                source, seen, text_title(source.name), support_escapes=support_escapes
            )
        except ConfigErrors as errors:
            findings += [_finding(error) for error in errors.errors]
            continue
        found = inspect(config, BuildContext(settings=of_plugins, pipeline_id=source.name))
        findings += _of_config(config, found)
    if all(finding.verdict is not Verdict.NEEDS_WORK for finding in findings):
        try:
            compile_all(of_plugins, configs, worker_name(0))
        except ConfigErrors as errors:  # what is wrong only with all of them in one process
            findings += [_finding(error) for error in errors.errors]
    return findings, [*seen.unset]


def _of_config(config: Config, errors: Sequence[ConfigError]) -> list[Finding]:
    """Return what was found, and for each plugin of which nothing was found that it runs."""
    parts = [
        (span, f"{kind} {name}" if name else "")
        for kind, statements in (("input", config.inputs), ("filter", config.filters), ("output", config.outputs))
        for span, name in _parts(statements)
    ]
    files = list(config.sources)

    def place(span: Span) -> tuple[int, int, int]:
        return files.index(span.file), span.line, span.column

    parts.sort(key=lambda part: place(part[0]))
    places = [place(span) for span, _ in parts]
    expected, unset = ({id(error) for error in some} for some in (config.warnings, config.errors))
    touched = {bisect.bisect_right(places, place(error.span)) - 1 for error in errors if id(error) not in expected}
    runs = [
        Finding(span.file, span.line, Verdict.RUNS, name)
        for number, (span, name) in enumerate(parts)
        if name and number not in touched
    ]
    return runs + [
        # of what is expected, Logstash does the same
        _finding(error, runs=id(error) in expected, advice=_UNSET if id(error) in unset else error.hint)
        for error in errors
    ]


def _parts(statements: Sequence[Statement]) -> Iterator[tuple[Span, str]]:
    """Yield where each plugin starts, with its name, and where each condition starts, without one."""
    for statement in statements:
        if isinstance(statement, Branch):
            yield statement.span, ""
            for test, body in statement.tests:
                yield _start(test), ""
                yield from _parts(body)
            yield from _parts(statement.otherwise)
        else:
            yield statement.span, statement.name


def _start(test: Condition) -> Span:
    return _start(test.left) if isinstance(test, Logic) else test.span


def _finding(error: ConfigError, *, runs: bool = False, advice: str | None = None) -> Finding:
    verdict = Verdict.NEEDS_WORK if error.severity == "error" else Verdict.RUNS if runs else Verdict.DIFFERS
    hint = error.hint if advice is None else advice
    return Finding(error.span.file, error.span.line, verdict, error.message, hint)


class Variables(dict[str, str]):
    """Variables for ``${NAME}``; ``unset`` has the names of those without a value and a default, each once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.unset: dict[str, None] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a variable, or the default."""
        if name not in self and default is None:
            self.unset[name] = None
        return super().get(name, default)


class KeptReferences(Variables):
    """The same; where a variable is not set, the reference to it stays as it is written."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a variable, the default, or the reference."""
        found = super().get(name, default)
        return f"${{{name}}}" if found is None else found
