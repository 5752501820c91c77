"""Where dead letters go: the protocols that plugins and pipelines use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ingestd.journal.base import Position


class DeadLetters(Protocol):
    """Where events go that cannot be processed or delivered."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Keep ``raw`` with the stage (framing, codec, filter, output) and the reason why it was given up.

        For an output, ``raw`` is the document that it cannot deliver. ``more`` are ``stream_id``, ``offset``, ``size``
        (framing), ``event_id``, ``document_id``, ``index`` (output): see `DeadLetter`.
        """

    def given_up(self, plugin: str, event_ids: Iterable[str]) -> set[str]:
        """Return those events of ``event_ids`` that are dead letters of an output and may come again.

        They must not be delivered to it: an event is delivered or a dead letter, never both.
        """


class NullDeadLetters:
    """Keeps nothing: for checking a config, and for commands that deliver nothing."""

    unsynced = False

    def sync(self) -> None:
        """Do nothing."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Do nothing."""

    def given_up(self, plugin: str, event_ids: Iterable[str]) -> set[str]:
        """Return an empty set."""
        return set()

    def try_add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> bool:
        """Do nothing."""
        return True


class DurableDeadLetters(DeadLetters, Protocol):
    """Dead letters that are on the disk after ``sync``."""

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""

    def try_add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> bool:
        """Keep bytes that are not in the journal, as ``add`` does, but only if they can be written at once.

        False: they are not kept, whoever has them must keep them.
        """

    def recall(self, position: Position) -> float:
        """Load the keys of the dead letters of events after ``position`` in the journal, or not in it yet.

        None of them is added twice. To be called before anything is delivered: after a crash or an upgrade, what was
        not committed is read again.

        Returns:
            The offset in the journal up to which events may be dead letters already, 0 if none is: see ``given_up``.
        """

    def frame_given_up(self, stream_id: str, offset: int) -> bool:
        """Return whether the frame at ``offset`` of a stream is a dead letter of the codec or the filters."""

    def sync(self) -> None:
        """Force all dead letters to the disk; raises OSError if it cannot, and loses none."""
