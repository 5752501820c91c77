"""What a stored event was made of: the record that was received, if it is kept, else the stored document."""

from __future__ import annotations

from typing import NamedTuple

from ingestd.compiler.pipeline import Pipeline
from ingestd.event.fields import Event, FieldRef

_ORIGINAL = FieldRef("[event][original]")


class TraceSource(NamedTuple):
    """What to run through a config once more.

    ``line`` is the record that the input ``input`` received; without an input, ``event`` is what filters have changed
    before, so it is run as ``ingestd reprocess`` does.
    """

    event: Event
    line: str = ""
    input: str = ""


def stored_source(document: Event, pipeline: Pipeline) -> TraceSource:
    """Return what a stored document was made of, as far as it says: which input got it, only if there is just one."""
    original, inputs = _ORIGINAL.get(document), pipeline.inputs
    if type(original) is str and original and len(inputs) == 1:
        return TraceSource(document, original, inputs[0].step.plugin_id)
    return TraceSource(document)
