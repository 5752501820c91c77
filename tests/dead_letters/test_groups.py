"""Dead letters grouped by cause."""

import pytest

from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.groups import Selection, summarize

DEAD_LETTERS = [
    DeadLetter(time="2026-11-22T10:00:02.000Z", stage="output", plugin="es", reason="refused '…'", detail="x", size=5),
    DeadLetter(time="2026-11-22T10:00:03.000Z", stage="framing", plugin="tcp", reason="too long", size=7),
    DeadLetter(time="2026-11-22T10:00:01.000Z", stage="output", plugin="es", reason="refused '…'", detail="y", size=4),
]


def test_groups_are_summed_up_and_the_most_recent_is_last() -> None:
    refused, long = summarize(DEAD_LETTERS)
    assert (refused.count, refused.bytes, refused.sample) == (2, 9, "x")
    assert (refused.first[17:19], refused.last[17:19]) == ("01", "02")
    assert (long.count, long.group, long.sample) == (1, ("framing", "tcp", "too long"), "too long")


SELECTIONS: list[tuple[str, Selection, list[int]]] = [
    ("everything", Selection(), [0, 1, 2]),
    ("group", Selection(groups=(DEAD_LETTERS[1].group.id,)), [1]),
    ("stage", Selection(stage="output"), [0, 2]),
    ("reason_in_any_case", Selection(reason="TOO"), [1]),
    ("detail", Selection(reason="y"), [2]),
    ("both", Selection(stage="framing", reason="refused"), []),
]


@pytest.mark.parametrize(("selection", "expected"), [c[1:] for c in SELECTIONS], ids=[c[0] for c in SELECTIONS])
def test_selection(selection: Selection, expected: list[int]) -> None:
    assert [at for at, dead_letter in enumerate(DEAD_LETTERS) if selection(dead_letter)] == expected
    assert selection.everything == (len(expected) == 3)
