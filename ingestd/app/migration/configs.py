"""What the configs of the pipelines mean here: the findings of ``ingestd check``, and the plugins without any."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence

from ingestd.app.assemble import compile_all
from ingestd.app.logstash_folder import PipelineSource
from ingestd.app.logstash_settings import Verdict
from ingestd.app.migration.finding import Finding
from ingestd.app.migration.variables import Variables
from ingestd.app.pipelines import config_variables, read_source, text_title
from ingestd.compiler.pipeline import inspect
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.nodes import Branch, Config, PluginBlock, Statement
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
    plugins = [
        (kind, block)
        for kind, statements in (("input", config.inputs), ("filter", config.filters), ("output", config.outputs))
        for block in _blocks(statements)
    ]
    order = {file: number for number, file in enumerate(config.sources)}

    def place(found: ConfigError | PluginBlock) -> tuple[int, int, int]:
        return order.get(found.span.file, -1), found.span.line, found.span.column

    plugins.sort(key=lambda plugin: place(plugin[1]))
    places = [place(block) for _, block in plugins]
    expected = {id(error) for error in config.warnings}  # where Logstash itself does something unexpected
    touched = {bisect.bisect_right(places, place(error)) - 1 for error in errors if id(error) not in expected}
    runs = [
        Finding(block.span.file, block.span.line, Verdict.RUNS, f"{kind} {block.name}")
        for number, (kind, block) in enumerate(plugins)
        if number not in touched
    ]
    unset = {id(error) for error in config.errors}
    findings = [
        _finding(error, runs=id(error) in expected, advice=_UNSET if id(error) in unset else error.hint)
        for error in errors
    ]
    return [*runs, *findings]


def _blocks(statements: Sequence[Statement]) -> Iterator[PluginBlock]:
    for statement in statements:
        if isinstance(statement, Branch):
            for _, body in statement.tests:
                yield from _blocks(body)
            yield from _blocks(statement.otherwise)
        else:
            yield statement


def _finding(error: ConfigError, *, runs: bool = False, advice: str | None = None) -> Finding:
    verdict = Verdict.NEEDS_WORK if error.severity == "error" else Verdict.RUNS if runs else Verdict.DIFFERS
    hint = error.hint if advice is None else advice
    return Finding(error.span.file, error.span.line, verdict, error.message, hint)
