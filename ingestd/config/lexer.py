"""Cut config text into tokens, and turn offsets in the text into places.

What a token means to the grammar depends on where it stands (``[a]`` is a field in a condition and an array in a
plugin; ``filter`` is a section, or an option's name), so this module only finds its *shape*; ``syntax.py`` decides.

Every pattern is possessive: no text makes the lexer slow.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from ingestd.config._lark import Token
from ingestd.config.errors import Span

#: Token types that the grammar does not know: a part of the text that cannot be right anywhere.
BAD: Final = "BAD"
#: A quote that is never closed; reaches to the end of its line.
UNCLOSED: Final = "UNCLOSED"
#: A run of letters, digits and other marks that is not classified yet.
WORD: Final = "WORD"
END: Final = "$END"

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SHAPE = re.compile(
    r"""
      (?P<STRING>   "(?:[^"\\]++|\\"?)*+" | '(?:[^'\\]++|\\'?)*+' )
    | (?P<UNCLOSED> ["'][^\r\n]*+ )
    | (?P<LBRACE>   \{ ) | (?P<RBRACE>   \} )
    | (?P<LBRACKET> \[ ) | (?P<RBRACKET> \] )
    | (?P<_LPAR>    \( ) | (?P<_RPAR>    \) )
    | (?P<_COMMA>   ,  ) | (?P<_ARROW>   => )
    | (?P<MATCH>    [=!]~ )
    | (?P<COMPARE>  [=!<>]= | [<>] )
    | (?P<BANG>     !  )
    | (?P<VARIABLE> \$\{[A-Za-z_.][A-Za-z0-9_.]*+(?::[^}\n]*+)?\} )
    | (?P<WORD>     [^ \t\r\n"'{}\[\](),=!<>\#]++ )
    | (?P<BAD>      = )
    """,
    re.VERBOSE,
)
_FIELD = re.compile(r"(?:\[[^\[\],]++\])++")
_REGEX = re.compile(r"/(?:[^/\\]++|\\/?)*+/")
# In Logstash a string is followed by a blank or a bracket. Where a string runs over a line end and then touches
# a word, its own closing quote was forgotten and it swallowed the text up to the next string's opening quote.
_TOUCHES_WORD = re.compile(r"[^ \t\r\n{}\[\](),=!<>#]")


def skip_blanks(text: str, position: int) -> int:
    """Return the offset of the next character that is neither white space nor in a comment."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


def scan(text: str, position: int, *, operand: bool) -> Token:
    """Return the token at ``position``, which must not be blank; its type is a shape or a terminal of the grammar.

    With ``operand``, brackets that hold a field reference are one ``FIELD`` token and slashes one ``REGEX``.
    """
    if operand:
        for kind, pattern in (("FIELD", _FIELD), ("REGEX", _REGEX)):
            if match := pattern.match(text, position):
                return Token(kind, match.group(), start_pos=position)
    match = _SHAPE.match(text, position)
    if match is None or match.lastgroup is None:
        return Token(END, "", start_pos=position)
    kind = match.lastgroup
    value = match.group()
    if kind == "STRING" and "\n" in value and _TOUCHES_WORD.match(text, match.end()):
        kind, value = UNCLOSED, first_line(value)
    return Token(kind, value, start_pos=position)


def first_line(value: str) -> str:
    """Return the part of ``value`` before its first line end."""
    return value.split("\n", 1)[0].rstrip("\r")


def start_of(token: Token) -> int:
    """Return the offset of the first character of a token."""
    return token.start_pos or 0


def end_of(token: Token) -> int:
    """Return the offset behind the last character of a token."""
    return start_of(token) + len(token)


class Places:
    """Where in a file an offset of its text is."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        """Return the number of the line, counted from 1."""
        return bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        """Return the column in characters, counted from 1."""
        return offset - self._starts[self.line(offset) - 1] + 1

    def starts_line(self, offset: int) -> bool:
        """Tell whether only white space stands before ``offset`` in its line."""
        start = self._starts[self.line(offset) - 1]
        while offset > start and self.text[offset - 1] in " \t":
            offset -= 1
        return offset == start

    def span(self, start: int, end: int) -> Span:
        """Return the span of ``text[start:end]``; if that is several lines, of its part in the first line."""
        visible = first_line(self.text[start:end])
        return Span(self.file, self.line(start), self.column(start), max(len(visible), 1))

    def of(self, token: Token) -> Span:
        """Return the span of a token."""
        return self.span(start_of(token), end_of(token))
