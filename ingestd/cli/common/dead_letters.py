"""Dead letters as text that cannot control a terminal, and as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from ingestd.cli.common.tables import printable
from ingestd.cli.common.times import local_time, zone_note
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.groups import GroupSummary
from ingestd.units import round_size


def group_heads(zone: datetime.tzinfo | None) -> tuple[str, ...]:
    """Return the heads of the columns of `group_row`."""
    note = zone_note(zone)
    return "REASON", "GROUP", "STAGE", "PLUGIN", f"FIRST{note}", f"LAST{note}", "LETTERS", "SIZE"


def group_row(summary: GroupSummary, zone: datetime.tzinfo | None) -> tuple[str, ...]:
    """Return a group as the cells of a table, with times in ``zone``."""
    stage, plugin, reason = summary.group
    times = (local_time(summary.first, "seconds", zone), local_time(summary.last, "seconds", zone))
    return reason, summary.group.id, stage, plugin, *times, f"{summary.count:,}", round_size(summary.bytes)


def group_document(summary: GroupSummary) -> dict[str, Any]:
    """Return a group as JSON types."""
    return {
        "group": summary.group.id,
        **summary.group._asdict(),
        "letters": summary.count,
        "bytes": summary.bytes,
        "first": summary.first,
        "last": summary.last,
        "sample": summary.sample,
    }


def dead_letter_document(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as JSON types: the event as readable ``text``, next to the exact bytes in base64."""
    import msgspec  # noqa: PLC0415

    parts: dict[str, Any] = msgspec.to_builtins(dead_letter)
    return {"group": dead_letter.group.id, **parts, "text": dead_letter.refused.decode("utf-8", "replace")}


def dead_letter_lines(dead_letter: DeadLetter, zone: datetime.tzinfo | None) -> Iterator[str]:
    """Yield a dead letter as lines: when, where and why, then the event."""
    time = local_time(dead_letter.time, "seconds", zone) + zone_note(zone)
    yield printable(f"{time}  {dead_letter.stage}  {dead_letter.plugin}  {dead_letter.group.id}")
    yield printable(f"  reason    {dead_letter.detail or dead_letter.reason}")
    details = {
        "from": ", ".join(_path(dead_letter)),
        "id": dead_letter.document_id or dead_letter.id,
        "index": dead_letter.index,
        "config": dead_letter.config,
    }
    for name, value in details.items():
        if value:
            yield printable(f"  {name:<9} {value}")
    if dead_letter.raw:
        yield from _content("received", dead_letter.content, dead_letter.size)
    if dead_letter.document:
        yield from _content("document", dead_letter.refused, len(dead_letter.refused))


def _path(dead_letter: DeadLetter) -> Iterator[str]:
    """Yield where an event came from: pipeline, input, position in the stream, sender; what is known of it."""
    stream_id, offset = dead_letter.stream_id, dead_letter.offset
    position = stream_id if offset is None else f"{stream_id} at byte {offset}"
    sender = ":".join(str(value) for value in dead_letter.fields.values())
    yield from filter(None, (dead_letter.pipeline, dead_letter.input, position, sender))


def _content(name: str, data: bytes, size: int) -> Iterator[str]:
    cut = f" (the first {len(data):,} of {size:,} bytes)" if size > len(data) else ""
    lines = data.decode("utf-8", "replace").rstrip("\r\n").split("\n")
    yield f"  {name:<9}{cut} " + printable(lines[0])
    yield from ("    " + printable(line) for line in lines[1:])
