"""``clone``: copy an event, with a mark on each copy.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-clone. The original comes first and
is not changed: the common options run for the copies only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import Event, add_tag
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.registry import BuildContext, ExpandFn, Touch, filter_plugin, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``clone``."""

    clones: list[str] = required("One copy is made per word, which becomes the `type` of the copy or a tag.")
    ecs_compatibility: str = ecs_option("Where to put the word: with `disabled` in `type`, else in `tags`.")


def _touches(options: Options) -> Touch:
    if not uses_ecs(options):
        return Touch(sets=frozenset({"type"}))
    return Touch(reads=frozenset({"tags"}), sets=frozenset({"tags"}))


@filter_plugin("clone", Options, touches=_touches, outcome="any_number")
def build(options: Options, context: BuildContext) -> ExpandFn:
    """Make a copy of the event for each word of `clones`."""
    words, common_options = options.clones, context.common_options
    as_tag = uses_ecs(options)

    def clone(event: Event) -> list[Event]:
        events = [event]
        for word in words:
            copy = event.copy()  # values are never changed in place, so a shallow copy is enough
            if as_tag:
                add_tag(copy, word)
            else:
                copy["type"] = word
            common_options(copy)
            events.append(copy)
        return events

    return clone
