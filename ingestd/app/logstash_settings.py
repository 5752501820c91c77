"""What the settings of Logstash mean here: those of ``logstash.yml``, ``pipelines.yml`` and the command line.

Follows https://www.elastic.co/docs/reference/logstash/logstash-settings-file
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Verdict(StrEnum):
    """Whether a part of a Logstash installation runs here as it is, runs but differs, or needs work first."""

    RUNS = "runs"
    DIFFERS = "differs"
    NEEDS_WORK = "needs_work"


class NoEffect(NamedTuple):
    """A setting that has no effect here.

    Attributes:
        advice: Why, or what there is instead; may be empty.
        unless: Values with which there is nothing to say, in lower case: those of a feature that is off.
        verdict: Whether the events would be others without it.
    """

    advice: str = ""
    unless: tuple[str, ...] = ()
    verdict: Verdict = Verdict.DIFFERS


def _milliseconds(value: Any) -> str:
    return f"{value}ms" if str(value).strip().isdigit() else str(value)  # a duration, or a mistake to report as written


def _level(value: Any) -> str:
    return {"trace": "debug", "warn": "warning", "fatal": "error"}.get(str(value).lower(), str(value).lower())


def _format(value: Any) -> str:
    return "json" if str(value).lower() in {"json", "json_lines"} else "text"


def _port(value: Any) -> str:
    """Return an address of this machine; Logstash's range ``9600-9700`` counts from its start."""
    return f"127.0.0.1:{str(value).partition('-')[0]}"


def _size(value: Any) -> str:
    """Return a size as ours are written: ``1gb`` has 1024 megabytes in Logstash."""
    found = re.fullmatch(r"\s*(\d+)\s*([kmgt]?)i?b?\s*", str(value).lower())
    return f"{found[1]}{found[2].upper()}{'iB' if found[2] else ''}" if found else str(value)


def _same(value: Any) -> Any:
    return value


KNOWN: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "pipeline.workers": ("workers", _same),
    "pipeline.batch.delay": ("batch.max_delay", _milliseconds),
    "pipeline.ecs_compatibility": ("pipeline.ecs_compatibility", _same),
    "config.reload.automatic": ("watch", _same),
    "log.level": ("log_level", _level),
    "log.format": ("log_format", _format),
    "queue.max_bytes": ("journal.max_bytes", _size),
    "dead_letter_queue.max_bytes": ("dead_letters.max_bytes", _size),
    "api.http.port": ("http", _port),
    "http.port": ("http", _port),
}
"""Logstash's settings that have a counterpart: its name, and how the value is written there."""

READ = frozenset({"pipeline.id", "path.config", "config.string", "config.support_escapes"})
"""Those that say where the config is and how it is read."""

_OFF = ("false", "")
_METRICS = "let Prometheus read /metrics; nothing is sent to Elasticsearch"
_NO_EFFECT: Mapping[str, NoEffect] = {
    "path.data": NoEffect("ingestd has its own data folder: data_dir"),
    "path.logs": NoEffect("the log goes to stderr"),
    "path.plugins": NoEffect("plugins in Ruby do not run; use the filter python", ("[]",), Verdict.NEEDS_WORK),
    "path.queue": NoEffect("the journal is in the data folder: data_dir"),
    "path.dead_letter_queue": NoEffect("dead letters are in the data folder: data_dir"),
    "queue.type": NoEffect(
        "events are always kept on disk, in the journal, until they are delivered; it starts empty: stop Logstash with "
        "queue.drain: true, so that its own queue is delivered"
    ),
    "queue.": NoEffect("the journal has limits of its own: journal.max_bytes, journal.segment_bytes"),
    "dead_letter_queue.enable": NoEffect(
        "dead letters are always kept: `ingestd deadletters` lists and replays them; it does not read Logstash's", _OFF
    ),
    "dead_letter_queue.": NoEffect("dead letters take up to dead_letters.max_bytes; the oldest are deleted first"),
    "pipeline.batch.": NoEffect("the setting batch.max_bytes bounds a batch"),
    "pipeline.ordered": NoEffect("events of a connection stay in order"),
    "pipeline.unsafe_shutdown": NoEffect("a stop takes up to shutdown_timeout; the rest stays in the journal", _OFF),
    "pipeline.separate_logs": NoEffect("there is one log, on stderr", _OFF),
    "config.reload.interval": NoEffect("changes are noticed at once"),
    "config.debug": NoEffect("`ingestd explain --code` prints the compiled config", _OFF),
    "config.test_and_exit": NoEffect("use `ingestd check`", _OFF),
    "pipeline.id": NoEffect("--pipeline NAME=PATH names a pipeline", ("main",)),
    "field-reference-escape-style": NoEffect("field names are never escaped", ("none",)),
    "java-execution": NoEffect("there is no JVM", ("true", "false")),
    "api.enabled": NoEffect('set http = "off"', ("true",)),
    "http.enabled": NoEffect('set http = "off"', ("true",)),
    "api.http.host": NoEffect("set http, with a password unless it is a loopback address", ("127.0.0.1", "localhost")),
    "http.host": NoEffect("set http, with a password unless it is a loopback address", ("127.0.0.1", "localhost")),
    "api.auth.": NoEffect("set http_password_file or http_token_file", ("none",)),
    "api.ssl.": NoEffect("put a reverse proxy with TLS in front, and set http_trust_proxy", _OFF),
    "xpack.monitoring.enabled": NoEffect(_METRICS, _OFF),
    "xpack.monitoring.": NoEffect(_METRICS),
    "monitoring.": NoEffect(_METRICS, _OFF),
    "otel.": NoEffect(_METRICS, _OFF),
    "xpack.management.enabled": NoEffect(
        "its pipelines are in Elasticsearch: save each as a file, and name the files with -f or --pipeline",
        _OFF,
        Verdict.NEEDS_WORK,
    ),
    "xpack.geoip.": NoEffect("`ingestd geoip install` installs a database"),
    "modules": NoEffect("write a config for what the module reads", ("[]",), Verdict.NEEDS_WORK),
    "slowlog.": NoEffect("`ingestd trace` shows the time of each filter"),
    "allow_superuser": NoEffect("", ("true", "false")),
    "node.name": NoEffect("metrics and logs are those of the machine"),
}
"""By name, or by the start of the name up to a dot."""


def no_effect(key: str) -> NoEffect:
    """Return what is known of a setting without a counterpart."""
    parts = key.split(".")
    prefixes = (".".join(parts[:size]) + "." for size in range(len(parts) - 1, 0, -1))
    return next((_NO_EFFECT[name] for name in (key, *prefixes) if name in _NO_EFFECT), NoEffect())
