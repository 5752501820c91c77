"""Where dead letters go: the protocols that plugins and pipelines use."""

from __future__ import annotations

from typing import Any, Protocol

from ingestd.journal.base import Position


class DeadLetters(Protocol):
    """Where an event goes that nothing can be done with."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Keep ``raw`` with the stage (framing, codec, filter, output) and the reason it was given up.

        ``raw`` of an output is the document that it cannot deliver. ``more`` are ``origin``, ``offset``, ``size``
        (framing), ``event_id``, ``document_id``, ``index`` (output): see `DeadLetter`.
        """


class NullDeadLetters:
    """Dead letters that nobody keeps: for checking a config, and for commands that deliver nothing."""

    stuck = unsynced = False

    def sync(self) -> None:
        """Do nothing."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Let the event go."""


class DurableDeadLetters(DeadLetters, Protocol):
    """Dead letters that are on the disk after ``sync``."""

    @property
    def stuck(self) -> bool:
        """Whether letters wait for the disk: then no more should be made."""

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""

    def recall(self, position: Position) -> None:
        """Learn which letters there are of what lies behind ``position`` in the journal, or in no journal yet.

        None of them is added twice.

        To be called before anything is delivered: what a crash kept from being committed comes again.
        """

    def sync(self) -> None:
        """Return when all letters so far are on the disk; raises OSError where it refuses, and loses none."""
