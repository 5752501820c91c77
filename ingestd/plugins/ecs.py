"""Which field names a plugin uses: the flat ones of old, or those of the Elastic Common Schema (ECS).

The option ``ecs_compatibility`` of a plugin decides; if it is left out, the setting ``pipeline.ecs_compatibility``
does, which the check of a config fills in. So a plugin looks only at its own options.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ingestd.plugins.registry import option
from ingestd.settings.kinds import ECS_MODES

OPTION = "ecs_compatibility"

T = TypeVar("T")


class HasEcsOption(Protocol):
    """The options of a plugin that declares ``ecs_compatibility``."""

    @property
    def ecs_compatibility(self) -> str:
        """One of ``disabled``, ``v1`` and ``v8``."""


def ecs_option(doc: str) -> Any:
    """Declare the option ``ecs_compatibility``; ``doc`` says what it changes, in a sentence."""
    return option("disabled", f"{doc} Default: the setting `pipeline.ecs_compatibility`.", choices=ECS_MODES)


def uses_ecs(options: HasEcsOption) -> bool:
    """Return whether the plugin uses ECS field names."""
    return options.ecs_compatibility != "disabled"


def ecs_select(options: HasEcsOption, *, disabled: T, ecs: T) -> T:
    """Return ``ecs`` if the plugin uses ECS field names, else ``disabled``."""
    return ecs if uses_ecs(options) else disabled
