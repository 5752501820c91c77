"""How many random cases the properties are tried with: under ``pytest --fast`` a fifth."""

from __future__ import annotations

from hypothesis import settings

_share = 1


def use_a_fifth() -> None:
    """Try a fifth of the cases, also of properties without a number of their own; before test modules are imported."""
    global _share  # noqa: PLW0603 -- decorators run when a module is imported
    _share = 5
    usual = settings.get_profile(settings.get_current_profile_name())
    settings.register_profile("fast", usual, max_examples=usual.max_examples // _share)
    settings.load_profile("fast")


def random_cases(count: int) -> settings:
    """Return the settings of a property that is tried with another number of cases than usual."""
    return settings(max_examples=count // _share)
