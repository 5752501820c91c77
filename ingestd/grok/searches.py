"""Regular expressions that are only asked whether they match, as those of conditions: what makes no difference to that.

``[a-z]+=`` matches somewhere in a text if and only if ``[a-z]=`` does, and its time is linear.
"""

from __future__ import annotations

import re

_START = re.compile(r"(?P<groups>(?:\((?:\?:)?(?!\?))*)(?P<atom>\[\^?[^\[\]\\^]+\]|\\[dwsDWSh]|[\w.])\+(?![?+*{])")
_REPEATED = ("?", "*", "+", "{")
_CONTEXT = re.compile(r"\\[1-9kg]|\(\?[<!=]")
"""References to groups and looks around a place: the length of a match matters to them."""


def shortened(pattern: str) -> str:
    """Return an expression in Ruby's syntax that matches in the same texts, without a repetition at its start."""
    start = _START.match(pattern)
    if start is None or _CONTEXT.search(pattern):
        return pattern
    opened = start["groups"].count("(")
    if opened and not _is_single(pattern, opened):
        return pattern
    return f"{start['groups']}{start['atom']}{pattern[start.end() :]}"


def _is_single(pattern: str, opened: int) -> bool:
    """Return whether none of the groups that are open at the start of a pattern may match several times."""
    depth, index, in_class = 0, 0, False
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            index += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "(":
            depth += 1
        elif character == ")":
            if depth <= opened:
                opened = min(opened, depth - 1)
                if pattern[index + 1 : index + 2] in _REPEATED:
                    return False
            depth -= 1
        index += 1
    return depth == 0
