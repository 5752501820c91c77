"""Random events, and a pipeline that must neither fail on them nor lose them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ingestd.compiler.pipeline import Pipeline
from tests.conformance.running import FRAME, build, documents, lines

MARKS = st.text("ab1= ,:;&\"'\\()[]<>{}%$^*+?|/-#.~@\t\n\r\0é한🙂\u2028", max_size=40)
"""Texts that are mostly characters with a meaning to some filter."""

TEXTS = MARKS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries({"message": VALUES | MARKS, "id": st.just(7)}, optional={"a": VALUES, "b": VALUES})


def pipeline_of(filters: str) -> Pipeline:
    """Compile a pipeline of these filters, to run many events."""
    return build(FRAME % filters)


def survivors(pipeline: Pipeline, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what comes out if events go in as JSON lines."""
    return documents(pipeline, lines(*events))
