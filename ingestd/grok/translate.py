"""Translate a Ruby regular expression to the syntax of Python's ``re`` or, where that is not enough, ``regex``.

The result starts with ``(?ms)`` and means the same in both packages: ``.`` is any character, line-only dots
are written as classes, named groups become numbered ones, and every set is spelled out, because Python's
``\\w`` is Unicode where Ruby's is ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ingestd.grok.errors import PatternError
from ingestd.grok.syntax import charset
from ingestd.grok.syntax.charset import CharExpr, CharSet, UnicodeProperty
from ingestd.grok.syntax.nodes import (
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
    width,
)
from ingestd.grok.syntax.parser import parse

# Ruby: ^ does not match after the last newline of the text, Python's does.
_GUARDED_LINE_START = r"^(?!(?<=\n)\Z)"
_ANCHORS = {
    Anchor.LINE_START: _GUARDED_LINE_START,
    Anchor.LINE_END: "$",
    Anchor.TEXT_START: r"\A",
    Anchor.TEXT_END: r"\Z",
    Anchor.LAST_LINE_END: r"(?=\n?\Z)",
    Anchor.WORD_EDGE: r"\b",
    Anchor.NO_WORD_EDGE: r"\B",
    Anchor.SEARCH_START: r"\G",
}
_QUANTIFIERS = {(0, 1): "?", (0, None): "*", (1, None): "+"}
_MODES = {"greedy": "", "lazy": "?", "possessive": "+"}
# The same sets, but matched in two thirds of the time.
_CATEGORIES = {charset.SPACE: r"(?a:\s)", charset.complement(charset.SPACE): r"(?a:\S)"}
_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\f": r"\f", "\v": r"\v"}


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern in Python's syntax.

    Args:
        source: The text; the same for ``re`` and ``regex``.
        names: The name of each capturing group of ``source``, group 1 first; empty for a plain group.
        needs_regex: Why ``re`` cannot compile it; empty if it can.
        tree: The syntax tree, for the safety analysis.
    """

    source: str
    names: tuple[str, ...]
    needs_regex: str
    tree: ParsedRegex


def translate(text: str, dot_all: bool = False, keep_plain_groups: bool = True) -> Translation:
    """Translate ``text`` from Ruby's syntax.

    Args:
        text: The pattern.
        dot_all: Whether ``.`` matches a line end from the start, as in grok patterns.
        keep_plain_groups: Whether ``(...)`` captures if no group has a name; a group that is referred to always does.

    Raises:
        PatternError: The pattern is wrong; its position is an offset into ``text``.
    """
    tree = parse(text, dot_all)
    return _RegexWriter(tree, keep_plain_groups or bool(re.search(r"\\[1-9kg]|\(\?\(", text))).write()


class _RegexWriter:
    def __init__(self, tree: ParsedRegex, keep_plain_groups: bool) -> None:
        self._tree = tree
        self._needs_regex = ""
        self._numbers: dict[int, int] = {}  # order of opening in Ruby -> group number in Python
        self._by_name: dict[str, list[int]] = {}
        for order, name in enumerate(tree.names):
            if name or (keep_plain_groups and not tree.has_names):
                number = self._numbers[order] = len(self._numbers) + 1
                if name:
                    self._by_name.setdefault(name, []).append(number)

    def write(self) -> Translation:
        source = "(?ms)" + self._node(self._tree.root)
        names = tuple(self._tree.names[order] for order in self._numbers)
        return Translation(source, names, self._needs_regex, self._tree)

    def _node(self, node: Node) -> str:  # noqa: PLR0911  one case for each kind
        match node:
            case Char(expr):
                return self._char(expr)
            case Sequence(items):
                return self._sequence(items)
            case Alternation(branches):
                return "(?:" + self._branches(branches) + ")"
            case Repeat():
                return self._repeat(node)
            case CaptureGroup(body, order):
                opening = "(" if order in self._numbers else "(?:"
                return f"{opening}{self._inside(body)})"
            case CaseGroup(body, ignore):
                return f"(?{'i' if ignore else '-i'}:{self._inside(body)})"
            case AtomicGroup(body):
                return f"(?>{self._inside(body)})"
            case Assertion(anchor):
                if anchor is Anchor.SEARCH_START:
                    self._needs_regex = r"\G"
                return _ANCHORS[anchor]
            case Lookaround():
                return self._look(node)
            case _:
                return self._reference(node)

    def _inside(self, body: Node) -> str:
        """Write the content of a group, where alternatives need no further group."""
        return self._branches(body.branches) if isinstance(body, Alternation) else self._node(body)

    def _branches(self, branches: tuple[Node, ...]) -> str:
        return "|".join(self._node(branch) for branch in branches)

    def _sequence(self, items: tuple[Node, ...]) -> str:
        written = []
        for index, item in enumerate(items):
            if item == Assertion(Anchor.LINE_START) and any(width(later)[0] for later in items[index + 1 :]):
                written.append("^")  # a character follows, so this is not the end of the text
            else:
                written.append(self._node(item))
        return "".join(written)

    def _repeat(self, node: Repeat) -> str:
        body = self._node(node.body)
        if not isinstance(node.body, Char | CaptureGroup | AtomicGroup):
            body = f"(?:{body})"
        count = _QUANTIFIERS.get((node.low, node.high))
        if count is None:
            high = "" if node.high is None else node.high
            count = f"{{{node.low}}}" if node.low == node.high else f"{{{node.low},{high}}}"
        return body + count + _MODES[node.mode]

    def _look(self, node: Lookaround) -> str:
        sign = ("=", "!")[node.negative] if node.ahead else ("<=", "<!")[node.negative]
        branches = node.body.branches if isinstance(node.body, Alternation) else (node.body,)
        if node.ahead:
            return f"(?{sign}{self._branches(branches)})"
        widths = [width(branch) for branch in branches]
        if any(low != high for low, high in widths):
            self._needs_regex = "a look-behind of varying length"
        if len(set(widths)) == 1 or self._needs_regex:
            return f"(?{sign}{self._branches(branches)})"
        parts = [f"(?{sign}{self._node(branch)})" for branch in branches]  # re wants one length in each
        return "".join(parts) if node.negative else f"(?:{'|'.join(parts)})"

    def _reference(self, node: Node) -> str:
        match node:
            case Backref(target, position):
                # Ruby tries the groups of one name from the last to the first
                numbers = [f"(?:\\{number})" for number in reversed(self._targets(target, position))]
                return numbers[0] if len(numbers) == 1 else f"(?:{'|'.join(numbers)})"
            case GroupCall(target, position):
                self._needs_regex = "a call of a group"
                if target == 0:
                    return "(?R)"
                numbers_called = self._targets(target, position)
                if len(numbers_called) > 1:
                    raise PatternError(f"the name '{target}' is used twice, so it cannot be called", position)
                return f"(?{numbers_called[0]})"
            case Conditional(target, position, yes, no):
                number = self._targets(target, position)[0]
                return f"(?({number}){self._wrapped(yes)}|{self._wrapped(no)})"
            case Special(text):
                self._needs_regex = text
                return text
        raise TypeError(node)

    def _wrapped(self, body: Node) -> str:
        return self._node(body)  # an Alternation writes its own group

    def _targets(self, target: str | int, position: int) -> list[int]:
        """Return the Python numbers of the groups that a reference names."""
        if isinstance(target, str):
            if target not in self._by_name:
                raise PatternError(f"there is no group named '{target}'", position)
            return self._by_name[target]
        if self._tree.has_names:
            raise PatternError("a group cannot be referred to by number where groups have names", position)
        if not 1 <= target <= len(self._numbers):
            raise PatternError(f"there is no group {target}", position)
        return [target]

    def _char(self, expr: CharExpr) -> str:
        if isinstance(expr, CharSet):
            return _exact(expr)
        if isinstance(expr, UnicodeProperty):
            self._note(expr)
            return expr.outside
        inside = self._between_brackets(expr)
        if inside:
            return f"[{inside}]"
        if expr.operator == "not":
            inside = self._between_brackets(expr.parts[0])
            return f"[^{inside}]" if inside else f"(?:(?!{self._char(expr.parts[0])}).)"
        parts = [self._char(part) for part in expr.parts]
        if expr.operator == "and":
            return f"(?:(?={parts[0]}){parts[1]})"
        return f"(?:{'|'.join(parts)})"

    def _between_brackets(self, expr: CharExpr) -> str:
        """Write the set as the inside of one bracket expression, or return empty text if it has no such form."""
        if isinstance(expr, CharSet):
            return _inside_class(expr)
        if isinstance(expr, UnicodeProperty):
            if expr.inside:
                self._note(expr)
            return expr.inside
        if expr.operator != "or":
            return ""
        parts = list(expr.parts)
        if charset.UNICODE_ALNUM in parts and isinstance(parts[0], CharSet) and parts[0].contains("_"):
            parts = [charset.UNICODE_WORD if part is charset.UNICODE_ALNUM else part for part in parts]
        written = [self._between_brackets(part) for part in parts]
        return "".join(written) if all(written) else ""

    def _note(self, prop: UnicodeProperty) -> None:
        if prop.needs_regex:
            self._needs_regex = f"the character property {prop.outside}"


def _exact(chars: CharSet) -> str:
    if len(chars.ranges) == 1 and chars.ranges[0][0] == chars.ranges[0][1]:
        return _escaped(chr(chars.ranges[0][0]), ".^$*+?{}[]()|\\")
    if chars == charset.ANY:
        return "."
    if chars in _CATEGORIES:
        return _CATEGORIES[chars]
    if not chars.ranges:
        return "(?!)"
    if chars.is_open:  # so that (?i)[^a] still means: neither a nor A
        return f"[^{_inside_class(charset.complement(chars))}]"
    return f"[{_inside_class(chars)}]"


def _inside_class(chars: CharSet) -> str:
    written = []
    for low, high in chars.ranges:
        first, last = (_escaped(chr(code), "\\[]^-&~|") for code in (low, high))
        if high == low:
            written.append(first)
        elif high == low + 1:
            written.append(first + last)
        else:
            written.append(f"{first}-{last}")
    return "".join(written)


def _escaped(char: str, special: str) -> str:
    if char in special:
        return "\\" + char
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0xA0:
        return f"\\x{code:02x}"
    if char.isprintable():
        return char
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_REPLACEMENT = re.compile(r"\\(?:([0-9])|k<([^>]+)>|(.))", re.DOTALL)


def translate_replacement(text: str, names: tuple[str, ...] = ()) -> str | Callable[[re.Match[str]], str]:
    """Translate the replacement text of Ruby's ``gsub``: ``\\1``, ``\\0``, ``\\&``, ``\\k<name>``, ``\\\\``.

    Args:
        text: The replacement as written in the config.
        names: `Translation.names` of the pattern it belongs to.

    Returns:
        The replacement argument of ``sub``; text without a reference is returned as a template string.
        A group that did not take part is replaced by nothing, as in Ruby.

    Raises:
        PatternError: A name is unknown. A group number that does not exist is replaced by nothing, as in Ruby.
    """
    pieces: list[str | int] = []
    end = 0
    for escape in _REPLACEMENT.finditer(text):
        pieces.append(text[end : escape.start()])
        pieces.append(_replacement_piece(escape, names))
        end = escape.end()
    pieces.append(text[end:])
    pieces = [piece for piece in pieces if piece != "" and not (isinstance(piece, int) and piece > len(names))]
    if not any(isinstance(piece, int) for piece in pieces):
        return "".join(str(piece) for piece in pieces).replace("\\", "\\\\")

    def expand(match: re.Match[str]) -> str:
        return "".join([piece if isinstance(piece, str) else match[piece] or "" for piece in pieces])

    return expand


def _replacement_piece(escape: re.Match[str], names: tuple[str, ...]) -> str | int:
    if escape[1]:
        return int(escape[1])
    if escape[2]:
        if escape[2] not in names:
            raise PatternError(f"there is no group named '{escape[2]}'", escape.start())
        return len(names) - names[::-1].index(escape[2])
    if escape[3] in "&\\":
        return 0 if escape[3] == "&" else "\\"
    return escape[0]
