"""How far a pattern can backtrack."""
from __future__ import annotations
from dataclasses import dataclass
from ingestd.grok.nodes import Regex

@dataclass(frozen=True, slots=True)
class Safety:
    """x"""
    degree: int | None
    example: str = ""
    reason: str = ""

def analyse_tree(tree: Regex) -> Safety:
    """x"""
    return Safety(2)
