"""Checks of Kafka: whether brokers answer, topics exist, and the groups keep up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ingestd.diagnosis.facts import Facts, KafkaState
from ingestd.diagnosis.finding import Finding, Status

MAX_LAG = 100_000
"""A larger lag gets a warning: some seconds of a busy site."""


def kafka_states(documents: Iterable[Mapping[str, Any]]) -> tuple[KafkaState, ...]:
    """Return the states that ``offsets_document`` describes."""
    return tuple(
        KafkaState(
            plugin=found["plugin"],
            servers=found["servers"],
            group=found["group"],
            problem=found["problem"],
            topics={name: topic.get("lag", 0) for name, topic in found["topics"].items()},
            missing=tuple(found["missing"]),
        )
        for found in documents
    )


def check_kafka(facts: Facts) -> Iterator[Finding]:
    """Report what each input and output finds at its brokers."""
    for state in facts.kafka:
        known = {"plugin": state.plugin, "servers": state.servers, "group": state.group}
        if state.problem:
            yield Finding(Status.FIX, "kafka.unavailable", known | {"reason": state.problem})
            continue
        if state.missing:  # an output may be about to create it
            status = Status.FIX if state.group else Status.WARNING
            names = {"topics": ", ".join(state.missing), "topic": state.missing[0]}
            yield Finding(status, "kafka.topic", known | names)
        if state.topics:
            yield _topics(state, known | {"topics": ", ".join(state.topics)})


def _topics(state: KafkaState, values: Mapping[str, str]) -> Finding:
    if not state.group:
        return Finding(Status.OK, "kafka.good", values)
    lag = sum(state.topics.values())
    late = lag > MAX_LAG
    return Finding(
        Status.WARNING if late else Status.OK, "kafka.lag" if late else "kafka.read", {**values, "lag": f"{lag:,}"}
    )
