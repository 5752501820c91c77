"""``drop``: drop every event, or a percentage of them.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-drop.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import random

from ingestd.event.fields import Event
from ingestd.plugins.registry import BuildContext, FilterFn, filter_plugin, option, touches_nothing


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``drop``."""

    percentage: float = option(100.0, "Percentage of events to drop, chosen at random.")


@filter_plugin("drop", Options, touches=touches_nothing, outcome="one_or_none")
def build(options: Options, context: BuildContext) -> FilterFn:
    """Drop every event, or `percentage` of them; the common options run for the events that stay."""
    share, common_options = options.percentage / 100, context.common_options

    def drop_all(event: Event) -> bool:
        return True

    def drop_some(event: Event) -> bool:
        if random() < share:  # noqa: S311 -- sampling, not cryptography
            return True
        common_options(event)
        return False

    return drop_all if share >= 1 else drop_some
