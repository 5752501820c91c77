"""Whether the pipelines of a daemon can send events to each other as their configs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.compiler.places import place_of
from ingestd.config.errors import ConfigError, ConfigErrors, Span
from ingestd.config.nodes import Config
from ingestd.plugins.interfaces import HandsOver, ReceivesEvents
from ingestd.suggest import did_you_mean

_ALL_TOGETHER = "pipelines that send to each other are given together: --path.settings DIR, or --pipeline NAME=FILE"


@dataclass(frozen=True, slots=True)
class _Way:
    """One address of an output ``pipeline``: from which pipeline to which."""

    sender: str
    step: Step
    address: str
    receiver: str


def check_addresses(pipelines: Mapping[str, Pipeline], configs: Mapping[str, Config]) -> None:
    """Check the addresses of inputs and outputs ``pipeline``.

    Raises:
        ConfigErrors: Two inputs have the same address, an output sends to one that no input has, or events would go
            round in a circle, forever.
    """
    inputs = _inputs(pipelines, configs)
    ways, errors = list[_Way](), dict[str, list[ConfigError]]()
    for name, step, address in _sent(pipelines):
        if address in inputs:
            ways.append(_Way(name, step, address, inputs[address][0]))
        else:
            errors.setdefault(name, []).append(_unknown(address, step, [*inputs], configs[name]))
    for name, found in errors.items():
        raise ConfigErrors(found, configs[name].sources)
    for way in ways:
        if circle := _path(way.receiver, way.sender, ways):
            text = f"events would go round in a circle: {' -> '.join([way.sender, *circle])}"
            error = ConfigError(text, _place(way.address, way.step, configs[way.sender]), "remove one of the outputs")
            raise ConfigErrors([error], configs[way.sender].sources)


def _inputs(pipelines: Mapping[str, Pipeline], configs: Mapping[str, Config]) -> dict[str, tuple[str, Step]]:
    """Return the pipeline and the input that each address stands for."""
    found: dict[str, tuple[str, Step]] = {}
    for name, pipeline in pipelines.items():
        for built in pipeline.inputs:
            if not isinstance(built.input, ReceivesEvents):
                continue
            address = built.input.receive_address
            if address in found:
                first = found[address][1].span
                text = f"the address {address!r} is already that of the input at {first.file}:{first.line}"
                error = ConfigError(text, _place(address, built.step, configs[name]), "choose another address")
                raise ConfigErrors([error], configs[name].sources)
            found[address] = name, built.step
    return found


def _sent(pipelines: Mapping[str, Pipeline]) -> Iterator[tuple[str, Step, str]]:
    """Yield the pipeline, the output and each address that it sends to."""
    for name, pipeline in pipelines.items():
        for built in (output for route in pipeline.routes for output in route):
            if isinstance(built.output, HandsOver):
                yield from ((name, built.step, address) for address in built.output.addresses)


def _unknown(address: str, step: Step, known: list[str], config: Config) -> ConfigError:
    text = f"no input pipeline has the address {address!r}"
    if near := did_you_mean(address, known):
        hint = f"did you mean {near!r}? known addresses: {', '.join(sorted(known))}"
    else:
        hint = f"known addresses: {', '.join(sorted(known))}" if known else _ALL_TOGETHER
    return ConfigError(text, _place(address, step, config), hint)


def _place(address: str, step: Step, config: Config) -> Span:
    return place_of(address, step.settings, config.sources) or step.span


def _path(start: str, end: str, ways: list[_Way]) -> list[str]:
    """Return the pipelines on a way from one to another, both included; empty: there is none."""
    paths, seen = [[start]], {start}
    while paths:
        path = paths.pop(0)
        if path[-1] == end:
            return path
        for way in ways:
            if way.sender == path[-1] and way.receiver not in seen:
                seen.add(way.receiver)
                paths.append([*path, way.receiver])
    return []


def refuse_addresses(pipeline: Pipeline, config: Config) -> None:
    """Refuse outputs to other pipelines where only one runs; raises ConfigErrors."""
    spans = dict.fromkeys(step.span for _, step, _ in _sent({"": pipeline}))
    text = "an import runs one pipeline: this output has nothing to send to"
    errors = [ConfigError(text, span, _IMPORT_HINT) for span in spans]
    if errors:
        raise ConfigErrors(errors, config.sources)


_IMPORT_HINT = "import with a config that has the filters and outputs of both pipelines"
