"""Which problems were resolved or muted, by whom and why: ``problems.json`` in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ingestd.documents import Document

MAX_NOTE_CHARS = 500
MAX_MARKS = 2_000
"""Marks that are kept; those made first are forgotten."""

_MAX_MARK_BYTES = 8_000
"""Of an id and a note of control characters, which take 6 bytes each in JSON."""

State = Literal["open", "resolved", "muted"]
ACTIONS: dict[str, State] = {"resolve": "resolved", "mute": "muted", "reopen": "open"}
"""What can be done with a problem, and the state that it has then."""


class Mark(msgspec.Struct, frozen=True):
    """What was decided about a problem; ``at``: when, in UTC, ``by``: the user's name, or where the order came from."""

    state: State
    at: str
    by: str = ""
    note: str = ""


class Marks(msgspec.Struct):
    """The content of the file: a mark by the id of the problem, in order of time."""

    problems: dict[str, Mark] = {}


class MarkError(ValueError):
    """A mark cannot be made; the text is one sentence that says why."""


def marks_document(data_dir: Path) -> Document[Marks]:
    """Return the document in a data folder."""
    return Document(data_dir / "problems.json", Marks, max_bytes=MAX_MARKS * _MAX_MARK_BYTES)


def load_marks(data_dir: Path) -> dict[str, Mark]:
    """Return the marks by problem. Raises OSError."""
    return marks_document(data_dir).load().problems


class UnknownProblemError(MarkError):
    """Neither the store nor the file of marks has a problem of this id."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"there is no problem {problem!r}: its id is the one that ingestd problems lists")


def check_mark(problem: str, action: str, note: str) -> None:
    """Make sure that a problem can be marked so, if there is such a problem. Raises MarkError."""
    if action not in ACTIONS:
        raise MarkError(f"{action!r} is not one of {', '.join(ACTIONS)}")
    if not problem or len(problem) > MAX_NOTE_CHARS:
        raise MarkError("a problem is named by its id, as ingestd problems lists it")
    if len(note) > MAX_NOTE_CHARS:
        raise MarkError(f"a note has at most {MAX_NOTE_CHARS} characters, and this one has {len(note):,}")


def mark_problem(data_dir: Path, problem: str, action: str, *, at: str, by: str, note: str) -> Mark:
    """Resolve, mute or reopen a problem, and return its mark; it is durable then.

    A problem that was marked before is known although retention has deleted its events: it may come back. Whether any
    other is stored is up to the caller (`problems.is_known`).

    Raises:
        MarkError: See `check_mark`.
        OSError: The data folder cannot be written.
    """
    check_mark(problem, action, note)
    problem, mark = valid_text(problem), Mark(ACTIONS[action], at, valid_text(by), valid_text(note))
    with marks_document(data_dir).update() as content:
        content.problems.pop(problem, None)
        content.problems[problem] = mark
        for oldest in [*content.problems][: max(len(content.problems) - MAX_MARKS, 0)]:
            del content.problems[oldest]
    return mark


def valid_text(text: str) -> str:
    """Return a text that can be written as UTF-8: arguments of a command may have other bytes."""
    return text.encode("utf-8", "replace").decode()
