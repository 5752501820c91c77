"""Where dead letters go: the protocols that plugins and pipelines use."""

from __future__ import annotations

from typing import Any, Protocol

from ingestd.journal.base import Position


class DeadLetters(Protocol):
    """Where events go that cannot be processed or delivered."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Keep ``raw`` with the stage (framing, codec, filter, output) and the reason why it was given up.

        For an output, ``raw`` is the document that it cannot deliver. ``more`` are ``stream_id``, ``offset``, ``size``
        (framing), ``event_id``, ``document_id``, ``index`` (output): see `DeadLetter`.
        """


class NullDeadLetters:
    """Keeps nothing: for checking a config, and for commands that deliver nothing."""

    unsynced = False

    def sync(self) -> None:
        """Do nothing."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Do nothing."""

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

    def recall(self, position: Position) -> None:
        """Load the keys of the dead letters of events after ``position`` in the journal, or not in it yet.

        None of them is added twice. To be called before anything is delivered: after a crash, what was not committed
        is read again.
        """

    def sync(self) -> None:
        """Force all dead letters to the disk; raises OSError if it cannot, and loses none."""
