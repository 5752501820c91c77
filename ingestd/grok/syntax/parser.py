"""Parse a regular expression in Ruby's syntax, as Logstash accepts it (JRuby's Joni, a port of Oniguruma).

Follows the manual of Oniguruma (RE) for ``ONIG_SYNTAX_RUBY``. Worth knowing: ``^ $`` are always line
anchors, ``m`` means that ``.`` matches a line end, ``\\w \\d \\s`` are ASCII but ``\\b`` is Unicode,
``{n,m}+`` is not possessive, ``{n}?`` is an optional repetition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from ingestd.grok.errors import PatternError
from ingestd.grok.syntax import charset
from ingestd.grok.syntax.brackets import parse_brackets
from ingestd.grok.syntax.escapes import read_escape
from ingestd.grok.syntax.nodes import (
    EMPTY,
    Alternation,
    Anchor,
    Assertion,
    AtomicGroup,
    Backref,
    CaptureGroup,
    CaseGroup,
    Char,
    Conditional,
    GroupCall,
    Lookaround,
    Node,
    ParsedRegex,
    Repeat,
    Sequence,
    Special,
)

MAX_DEPTH = 70  # each level costs several frames here and in Python's own compiler, which has a limit for them
MAX_REPEAT = 100_000  # Oniguruma's own limit

_INTERVAL = re.compile(r"\{(\d+)\}|\{(\d*),(\d*)\}")
_NAME_OPEN = re.compile(r"\?(?:<(?![=!])|')")
_FLAGS = re.compile(r"\?([imxadu]*)(?:-([imx]*))?([:)])")
_REFERENCE = re.compile(r"\\([kg])(?:<([^>]*)>|'([^']*)')")
_BACKREF = re.compile(r"\\([1-9][0-9]{0,3})")
_CONDITION = re.compile(r"\?\((?:<([^>]+)>|'([^']+)'|(\d+))\)")
_COMMENT_END = re.compile(r"(?:\\.|[^\\)])*\)", re.DOTALL)
_OF_PYTHON = {"(?P<": "(?<name>...)", "(?P=": r"\k<name>", "(?P>": r"\g<name>"}
"""Groups of Python and PCRE, and Ruby's in their place."""
_LOOKS = (("?=", True, False), ("?!", True, True), ("?<=", False, False), ("?<!", False, True))
_ANCHORS = {
    "A": Anchor.TEXT_START,
    "z": Anchor.TEXT_END,
    "Z": Anchor.LAST_LINE_END,
    "b": Anchor.WORD_EDGE,
    "B": Anchor.NO_WORD_EDGE,
    "G": Anchor.SEARCH_START,
}
_LINE_BREAK = AtomicGroup(
    Alternation(
        (
            Sequence((Char(charset.of_chars("\r")), Char(charset.NEWLINE))),
            Char(charset.of_chars("\n\v\f\r\x85\u2028\u2029")),
        )
    )
)
# How Oniguruma merges two stacked quantifiers: (outer, inner) -> merged
_STACKED = {
    ("?", "?"): "?", ("*", "?"): "*", ("+", "?"): "*",
    ("?", "*"): "*", ("*", "*"): "*", ("+", "*"): "*",
    ("?", "+"): "*", ("*", "+"): "*", ("+", "+"): "+",
}  # fmt: skip
_BOUNDS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
_SIGNS = {bounds: sign for sign, bounds in _BOUNDS.items()}


@dataclass(frozen=True, slots=True)
class _Flags:
    ignore_case: bool = False
    dot_all: bool = False
    extended: bool = False
    unicode_sets: bool = False


def parse(text: str, dot_all: bool = False) -> ParsedRegex:
    """Parse ``text``.

    Args:
        text: The pattern in Ruby's syntax.
        dot_all: Whether ``.`` matches a line end from the start, as in every grok pattern.

    Raises:
        PatternError: Ruby does not accept it, or it uses something that is not supported here.
    """
    return _RegexParser(text, dot_all).parse()


class _RegexParser:
    def __init__(self, text: str, dot_all: bool) -> None:
        self._text = text
        self._pos = 0
        self._depth = 0
        self._options = _Flags(dot_all=dot_all)
        self._names: list[str] = []

    def parse(self) -> ParsedRegex:
        root = self._alternation()
        if self._pos < len(self._text):
            raise PatternError("a closing parenthesis has no opening one", self._pos)
        return ParsedRegex(root, tuple(self._names))

    def _alternation(self) -> Node:
        """Parse up to the end of the group. Options set inside apply up to that end, across ``|`` too."""
        branches = [self._sequence()]
        while self._text.startswith("|", self._pos):
            self._pos += 1
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._pos < len(self._text) and self._text[self._pos] not in "|)":
            atom = self._atom()
            if atom is None:
                continue
            while (quantified := self._quantified(atom)) is not None:
                atom = quantified
            items.append(atom)
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _atom(self) -> Node | None:
        char = self._text[self._pos]
        if char == "(":
            return self._group()
        if char == "[":
            expr, self._pos = parse_brackets(self._text, self._pos, self._options.unicode_sets)
            return Char(expr, self._options.ignore_case)
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise PatternError(f"'{char}' has nothing to repeat", self._pos)
        if self._options.extended and (char.isspace() or char == "#"):
            end = self._text.find("\n", self._pos) if char == "#" else self._pos
            self._pos = len(self._text) if end < 0 else end + 1
            return None
        self._pos += 1
        if char == "^":
            return Assertion(Anchor.LINE_START)
        if char == "$":
            return Assertion(Anchor.LINE_END)
        if char == ".":
            return Char(charset.ANY if self._options.dot_all else charset.NOT_NEWLINE)
        return Char(charset.of_chars(char), self._options.ignore_case)

    def _quantified(self, atom: Node) -> Node | None:
        """Return ``atom`` with the quantifier at the current position, or None if there is none."""
        self._skip_blanks()
        sign = self._text[self._pos : self._pos + 1]
        if sign and sign in "?*+":
            self._pos += 1
            low, high = _BOUNDS[sign]
            return _repeat(atom, low, high, self._mode())
        interval = _INTERVAL.match(self._text, self._pos) if sign == "{" else None
        if interval is None or interval[0] == "{,}":
            return None
        if any(len(bound or "") > 6 for bound in interval.groups()):
            raise PatternError(f"a repetition of more than {MAX_REPEAT} times", self._pos)
        low = int(interval[1] or interval[2] or 0)
        high = low if interval[1] else int(interval[3]) if interval[3] else None
        if max(low, high or 0) > MAX_REPEAT:
            raise PatternError(f"a repetition of more than {MAX_REPEAT} times", self._pos)
        if high is not None and low > high:
            raise PatternError(f"the repetition {interval[0]} has its bounds in the wrong order", self._pos)
        self._pos = interval.end()
        if not interval[1] and self._text.startswith("?", self._pos):
            self._pos += 1
            return Repeat(atom, low, high, "lazy")
        return Repeat(atom, low, high)

    def _skip_blanks(self) -> None:
        while self._options.extended and self._text[self._pos : self._pos + 1].isspace():
            self._pos += 1

    def _mode(self) -> Literal["greedy", "lazy", "possessive"]:
        if self._text.startswith("?", self._pos):
            self._pos += 1
            return "lazy"
        if self._text.startswith("+", self._pos):
            self._pos += 1
            return "possessive"
        return "greedy"

    def _escape(self) -> Node:
        start = self._pos
        letter = self._text[start + 1 : start + 2]
        if letter in _ANCHORS:
            self._pos += 2
            return Assertion(_ANCHORS[letter])
        if letter == "R":
            self._pos += 2
            return _LINE_BREAK
        if letter in ("X", "K"):
            self._pos += 2
            return Special("\\" + letter)
        if match := _REFERENCE.match(self._text, start):
            self._pos = match.end()
            target = self._target(match[2] or match[3] or "", start)
            return Backref(target, start) if match[1] == "k" else GroupCall(target, start)
        if (match := _BACKREF.match(self._text, start)) and (len(match[1]) == 1 or int(match[1]) <= len(self._names)):
            self._pos = match.end()
            return Backref(int(match[1]), start)
        escape = read_escape(self._text, start, self._options.unicode_sets)
        self._pos = escape.end
        return Char(escape.expr, self._options.ignore_case)

    def _target(self, name: str, position: int) -> str | int:
        """Convert the name, number or relative number of a group to a name or an absolute number."""
        if not re.fullmatch(r"[+-]?\d{1,6}", name):
            if not name:
                raise PatternError("a group reference has no name", position)
            return name
        number = int(name)
        if name[0] == "-":
            number += len(self._names) + 1
        elif name[0] == "+":
            number += len(self._names)
        if number < 0 or (number == 0 and self._text[position + 1] != "g"):
            raise PatternError(f"there is no group {name}", position)
        return number

    def _group(self) -> Node | None:
        start = self._pos
        if self._depth >= MAX_DEPTH:
            raise PatternError(f"groups are nested more than {MAX_DEPTH} deep", start)
        saved = self._options
        self._depth += 1
        self._pos += 1
        node = self._group_body(start)
        self._depth -= 1
        self._options = saved
        return node

    def _group_body(self, start: int) -> Node | None:
        text = self._text
        if not text.startswith("?", self._pos):
            return self._capture("", start)
        if _NAME_OPEN.match(text, self._pos):
            closing = ">" if text[self._pos + 1] == "<" else "'"
            end = text.find(closing, self._pos + 2)
            if end <= self._pos + 2:
                raise PatternError("a group's name is empty or not closed", start)
            name = text[self._pos + 2 : end]
            self._pos = end + 1
            return self._capture(name, start)
        if text.startswith("?#", self._pos):
            comment = _COMMENT_END.match(text, self._pos)
            if not comment:
                raise PatternError("a comment group is not closed", start)
            self._pos = comment.end()
            return None
        if text.startswith("?>", self._pos):
            self._pos += 2
            return AtomicGroup(self._inner(start))
        for sign, ahead, negative in _LOOKS:
            if text.startswith(sign, self._pos):
                self._pos += len(sign)
                return Lookaround(self._inner(start), ahead, negative)
        if match := _CONDITION.match(text, self._pos):
            self._pos = match.end()
            return self._condition(match[1] or match[2] or int(match[3][:9]), start)
        return self._options_group(start)

    def _capture(self, name: str, start: int) -> Node:
        order = len(self._names)
        self._names.append(name)
        return CaptureGroup(self._inner(start), order, name)

    def _inner(self, start: int) -> Node:
        """Parse the rest of a group, its closing parenthesis included."""
        body = self._alternation()
        if not self._text.startswith(")", self._pos):
            raise PatternError("a group is not closed", start)
        self._pos += 1
        return body

    def _condition(self, target: str | int, start: int) -> Node:
        body = self._inner(start)
        branches = body.branches if isinstance(body, Alternation) else (body, EMPTY)
        if len(branches) > 2:
            raise PatternError("a conditional group has more than two branches", start)
        return Conditional(target, start, *branches)

    def _options_group(self, start: int) -> Node:
        """Parse ``(?i-m:...)``, or ``(?i)`` with everything up to the end of the enclosing group."""
        match = _FLAGS.match(self._text, self._pos)
        if not match:
            found = self._text[start : start + 4]
            instead = _OF_PYTHON.get(found)
            hint = f", write {instead}" if instead else ""
            raise PatternError(f"unknown or unsupported kind of group '{found}'{hint}", start)
        before = self._options
        inside = self._options = _changed(before, match[1], match[2] or "")
        self._pos = match.end()
        body = self._inner(start) if match[3] == ":" else self._alternation()
        return Sequence((body,)) if inside.ignore_case == before.ignore_case else CaseGroup(body, inside.ignore_case)


def _changed(options: _Flags, on: str, off: str) -> _Flags:
    unicode_sets = options.unicode_sets
    if any(letter in on for letter in "adu"):
        unicode_sets = "u" in on
    return replace(
        options,
        ignore_case=("i" in on or options.ignore_case) and "i" not in off,
        dot_all=("m" in on or options.dot_all) and "m" not in off,
        extended=("x" in on or options.extended) and "x" not in off,
        unicode_sets=unicode_sets,
    )


def _repeat(atom: Node, low: int, high: int | None, mode: Literal["greedy", "lazy", "possessive"]) -> Node:
    """Repeat ``atom``, which may be a repetition itself: ``a**`` is ``a*``."""
    if isinstance(atom, Repeat) and atom.mode == mode == "greedy":
        outer, inner = _SIGNS.get((low, high)), _SIGNS.get((atom.low, atom.high))
        if outer and inner:
            return Repeat(atom.body, *_BOUNDS[_STACKED[outer, inner]])
    return Repeat(atom, low, high, mode)
