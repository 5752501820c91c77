"""Where events have what an input knows of their stream, with and without ECS.

An input stores the facts about a stream under short names of its own (``host``, ``port``), which stay in the journal.
Its plugin declares under which field references events get them: ``stream_fields=names`` of ``registry.plugin``, with
``ecs_select``. ``@metadata`` is only made for configs that read it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ingestd.event.fields import Event, FieldRef

METADATA = "@metadata"

FieldNames = Mapping[str, Sequence[str]]
"""For each fact the references of the fields that have it."""


def fields_read(names: FieldNames, reads: Collection[str] | None) -> dict[str, list[FieldRef]]:
    """Return the fields that events get: all but those in ``@metadata`` that nothing reads.

    Args:
        names: What the input declares.
        reads: References of the fields that the config reads; None: not known.
    """
    refs = {fact: [FieldRef.named(name) for name in given] for fact, given in names.items()}
    paths = None if reads is None else [FieldRef.named(name).path for name in reads]
    return {
        fact: [ref for ref in given if ref.top != METADATA or paths is None or _overlaps(ref.path, paths)]
        for fact, given in refs.items()
    }


def _overlaps(path: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether one of ``others`` holds a field, or is inside it."""
    return any(path[: len(other)] == other[: len(path)] for other in others)


def stream_field_maker(fields: Mapping[str, Sequence[FieldRef]]) -> Callable[[Event], Event] | None:
    """Return a function from the facts about a stream to the fields of its events; None: they are the same."""
    if all([ref.text for ref in refs] == [fact] for fact, refs in fields.items()):
        return None

    def fields_of(facts: Event) -> Event:
        event = {fact: value for fact, value in facts.items() if fact not in fields}
        for fact, refs in fields.items():
            for ref in refs if fact in facts else ():
                ref.set(event, facts[fact])
        return event

    return fields_of
