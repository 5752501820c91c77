"""How to write a grok pattern so that its time is linear: advice that was tried, or none."""

from __future__ import annotations

import re
from collections.abc import Collection

from ingestd.grok.compile import GrokPattern, compile_grok
from ingestd.grok.errors import PatternError
from ingestd.grok.library import PatternLibrary

_REFERENCE = re.compile(r"%\{(\w+)(?::[^{}]*)?\}")
_WIDE = re.compile(r"%\{(?:DATA|GREEDYDATA)(?=[:}])(?![^{}]*\}$)")
"""References that match anything, but for one at the end."""


def advise(pattern: GrokPattern, library: PatternLibrary, own: Collection[str]) -> str:
    """Return what to change in a pattern whose time grows faster than the value, as a sentence; empty: nothing helps.

    A pattern that is nothing but one stock pattern gets no advice.

    Args:
        pattern: The pattern.
        library: The patterns that it refers to.
        own: Names that the config defines.
    """
    reference = _REFERENCE.fullmatch(pattern.text)
    if reference is not None and reference[1] not in own:
        return ""
    anchored = pattern.text if pattern.text.startswith(("^", "\\A")) else f"^{pattern.text}"
    narrow = _WIDE.sub("%{NOTSPACE", pattern.text)
    candidates = [
        (anchored, "start the pattern with ^"),
        (narrow, "use %{NOTSPACE} for %{DATA}"),
        (_WIDE.sub("%{NOTSPACE", anchored), "start the pattern with ^, and use %{NOTSPACE} for %{DATA}"),
    ]
    for text, advice in candidates:
        if text != pattern.text and _is_linear(text, library):
            return advice
    return ""


def _is_linear(text: str, library: PatternLibrary) -> bool:
    try:
        return compile_grok(text, library).safety.degree == 1
    except PatternError:
        return False
