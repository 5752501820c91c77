"""What a case file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestd.config.errors import Span
from ingestd.event.fields import Event

RECEIVED = "2026-01-01T00:00:00.000Z"
"""When events are received that have no ``@timestamp``, if a case does not say."""


@dataclass(frozen=True, slots=True)
class Source:
    """A config: its text, or the paths of its files; neither: the built-in pipeline."""

    text: str | None = None
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """What is expected of one event that comes out; what is None is not looked at.

    ``fields``: values of some fields, by their references; an object among them need not have all of its fields.
    ``absent``: fields that it must lack. ``document``: the whole document. ``outputs``: the ids of all outputs that get
    it. ``index`` and ``document_id``: those of each output that has one.
    """

    span: Span
    fields: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    document: Event | None = None
    outputs: tuple[str, ...] | None = None
    index: str | None = None
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case: events in, and what comes out, in order. ``expected`` is empty if all of them are dropped.

    Either ``events`` are given, which go straight to the filters, or ``lines``, which the input ``input`` decodes, sent
    by ``sender``. ``again``: the events have been through filters before, as for ``ingestd reprocess``.
    """

    name: str
    span: Span
    source: Source
    expected: tuple[ExpectedEvent, ...]
    events: tuple[Event, ...] = ()
    lines: tuple[str, ...] = ()
    input: str = ""
    sender: dict[str, Any] | None = None
    received_ns: int = 0
    again: bool = False
