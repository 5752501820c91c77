"""The tags of filters that failed on an event: they start with ``_`` and contain ``failure``."""

from __future__ import annotations

from ingestd.event.fields import Event


def has_failed(event: Event) -> bool:
    """Return whether an event has the tag of a failure."""
    tags = event.get("tags")
    return isinstance(tags, list) and any(map(_is_failure, tags))


def forget_failures(event: Event) -> None:
    """Remove the tags of failures, before the filters get the event again; ``tags`` goes if nothing is left."""
    if has_failed(event):
        left = [tag for tag in event["tags"] if not _is_failure(tag)]
        if left:
            event["tags"] = left
        else:
            del event["tags"]


def _is_failure(tag: object) -> bool:
    return isinstance(tag, str) and tag.startswith("_") and "failure" in tag
