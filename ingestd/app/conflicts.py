"""No two inputs share what each needs for itself: a port, a path, a sincedb; nor does the dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.config.errors import ConfigError, ConfigErrors, Span
from ingestd.config.nodes import Config
from ingestd.plugins.interfaces import DatagramInput, Input, ResumingInput, SocketInput
from ingestd.supervisor.connections.sockets import is_path
from ingestd.units import Address

_EVERY_IPV4, _EVERY_HOST = "0.0.0.0", "::"  # noqa: S104 -- only compared


class _Place(NamedTuple):
    """What an input needs for itself; ``network`` is tcp, udp or path."""

    network: str
    host: str
    port: int = 0


def check_ports(pipelines: Mapping[str, Pipeline], configs: Mapping[str, Config], dashboard: Address | None) -> None:
    """Raise ConfigErrors if two inputs, or one and the dashboard, would listen on the same port or path."""
    errors = [*_shared(pipelines), *dashboard_conflicts(pipelines, dashboard)]
    if errors:
        sources = {file: text for name in configs for file, text in configs[name].sources.items()}
        raise ConfigErrors([error for _, error in errors], sources)


def _shared(pipelines: Mapping[str, Pipeline]) -> Iterator[tuple[str, ConfigError]]:
    """Yield the pipeline and an error for each input whose port or path another one before it has."""
    taken: dict[_Place, Step] = {}
    refused: set[int] = set()  # an input of both tcp and udp is refused once
    for name, step, place in _places(pipelines):
        first = next((other for known, other in taken.items() if _overlap(place, known)), None)
        if first is None or id(step) in refused:
            taken.setdefault(place, step)
            continue
        refused.add(id(step))
        kind, value = ("port", str(place.port)) if place.port else ("path", place.host)
        text = f"{kind} {value} is already that of the input at {first.span.file}:{first.span.line}"
        yield name, ConfigError(text, _span(step, kind), f"choose another {kind}, or remove one of the two")


def dashboard_conflicts(
    pipelines: Mapping[str, Pipeline], dashboard: Address | None, severity: str = "error"
) -> Iterator[tuple[str, ConfigError]]:
    """Yield the pipeline and an error for each input that would listen on the port of ``dashboard``."""
    if dashboard is None or not dashboard.port:
        return
    own = _Place("tcp", dashboard.host, dashboard.port)
    for name, step, place in _places(pipelines):
        if _overlap(place, own):
            text = f"port {place.port} is that of the dashboard, /metrics and /health (setting http)"
            hint = "choose another port, or http = 127.0.0.1:PORT (or off) in the settings"
            yield name, ConfigError(text, _span(step, "port"), hint, severity)


def _places(pipelines: Mapping[str, Pipeline]) -> Iterator[tuple[str, Step, _Place]]:
    for name, pipeline in pipelines.items():
        for built in pipeline.inputs:
            yield from ((name, built.step, place) for place in _places_of(built.input))


def _places_of(plugin: Input) -> Iterator[_Place]:
    if isinstance(plugin, SocketInput) and is_path(plugin.address[0]):
        yield _Place("path", plugin.address[0])
    elif isinstance(plugin, SocketInput) and plugin.address[1]:
        yield _Place("tcp", *plugin.address)
    for sock in plugin.datagram_sockets if isinstance(plugin, DatagramInput) else ():
        if sock.path:
            yield _Place("path", sock.path)
        elif sock.port:
            yield _Place("udp", sock.host, sock.port)


def _overlap(place: _Place, other: _Place) -> bool:
    if (place.network, place.port) != (other.network, other.port):
        return False
    return place.host == other.host or (
        place.port > 0 and (_covers(place.host, other.host) or _covers(other.host, place.host))
    )


def _covers(every: str, host: str) -> bool:
    """Return whether the addresses of a host are among those of another: ``::`` has those of IPv4 as well, ipv6(7)."""
    return every == _EVERY_HOST or (every == _EVERY_IPV4 and ":" not in host)


def _span(step: Step, option: str) -> Span:
    """Return the place of an option's value, or of the plugin if the config does not set it."""
    found = (setting.value.span for setting in reversed(step.settings) if setting.name == option)
    return next(found, step.span)


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
