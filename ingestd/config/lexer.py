"""Split config text into tokens, and convert offsets in the text to lines and columns.

What a token means depends on its context: ``[a]`` is a field in a condition and an array in a plugin; ``filter``
is a section, or an option's name. The parser knows where it is, so it asks for one token at a time.

Every pattern is possessive: no text makes the lexer slow.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import Enum
from typing import Final, NamedTuple

from ingestd.config.errors import Span


class TokenKind(Enum):
    """The kinds of tokens; the values are the groups of the lexer's patterns."""

    STRING = "STRING"
    UNCLOSED = "UNCLOSED"  # a string that is never closed; reaches to the end of its line
    NAME = "NAME"  # keywords, too
    INTEGER = "INTEGER"
    FLOAT = "FLOAT"
    VARIABLE = "VARIABLE"
    FIELD = "FIELD"
    REGEX = "REGEX"
    MARK = "MARK"  # a bracket, comma, arrow or operator
    BAD = "BAD"  # valid nowhere
    END = "END"


class ConfigToken(NamedTuple):
    """A piece of a text, as written; ``start`` is the offset of its first character."""

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.start + len(self.text)

    @property
    def value(self) -> str:
        """The text without its quotes, if it has any; a backslash stays a backslash."""
        return self.text[1:].removesuffix(self.text[0]) if self.kind is TokenKind.STRING else self.text

    def is_in(self, wanted: tuple[TokenKind | str, ...]) -> bool:
        """Return whether the token's kind or its text is in ``wanted``."""
        return self.kind in wanted or self.text in wanted


#: The kinds of tokens that can name a plugin or an option.
NAMES: Final = (TokenKind.NAME, TokenKind.STRING, TokenKind.INTEGER)
NUMBERS: Final = (TokenKind.INTEGER, TokenKind.FLOAT)

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_WORD_CHARACTER = r"[^ \t\r\n\"'{}\[\](),=!<>\#]"
_TOKEN = re.compile(
    rf"""
      (?P<STRING>   "(?:[^"\\]++|\\"?)*+" | '(?:[^'\\]++|\\'?)*+' )
    | (?P<UNCLOSED> ["'][^\r\n]*+ )
    | (?P<MARK>     [{{}}\[\](),] | => | [=!]~ | [=!<>]= | [<>!] )
    | (?P<VARIABLE> \$\{{[A-Za-z_.][A-Za-z0-9_.]*+(?::[^}}\n]*+)?\}} )
    | (?P<INTEGER>  -?[0-9]++           (?!{_WORD_CHARACTER}) )
    | (?P<FLOAT>    -?[0-9]++\.[0-9]*+  (?!{_WORD_CHARACTER}) )
    | (?P<NAME>     [A-Za-z0-9_-]++     (?!{_WORD_CHARACTER}) )
    | (?P<BAD>      {_WORD_CHARACTER}++ | = )
    """,
    re.VERBOSE,
)
_OPERAND = re.compile(r"(?P<FIELD>(?:\[[^\[\],]++\])++)|(?P<REGEX>/(?:[^/\\]++|\\/?)*+/)")
_WORD_OR_QUOTE = re.compile(rf"{_WORD_CHARACTER}|[\"']")


def scan(text: str, position: int, *, operand: bool = False) -> ConfigToken:
    """Return the first token at or after ``position``; white space and comments are skipped.

    With ``operand``, brackets around a field reference are one ``FIELD`` token and slashes one ``REGEX``.
    """
    blank = _BLANK.match(text, position)
    start = blank.end() if blank else position
    match = (_OPERAND.match(text, start) if operand else None) or _TOKEN.match(text, start)
    if match is None or match.lastgroup is None:
        return ConfigToken(TokenKind.END, "", start)
    token = ConfigToken(TokenKind(match.lastgroup), match.group(), start)
    # In Logstash a string is followed by a blank or a bracket. If a string spans lines and then touches a word or a
    # quote, its closing quote is missing, and it swallowed the text up to the next string's opening quote.
    if token.kind is TokenKind.STRING and "\n" in token.text and _WORD_OR_QUOTE.match(text, token.end):
        return ConfigToken(TokenKind.UNCLOSED, first_line(token.text), start)
    return token


def first_line(text: str) -> str:
    """Return the part of ``text`` before its first line end."""
    return text.split("\n", 1)[0].rstrip("\r")


class SourceText:
    """The text of a file, with the line and column of each offset."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        """Return the line of an offset, counted from 1."""
        return bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        """Return the column of an offset in characters, counted from 1."""
        return offset - self._starts[self.line(offset) - 1] + 1

    def starts_line(self, offset: int) -> bool:
        """Return whether only white space comes before ``offset`` on its line."""
        return not self.text[self._starts[self.line(offset) - 1] : offset].strip(" \t")

    def span(self, start: int, end: int) -> Span:
        """Return the span of ``text[start:end]``; if that spans several lines, of its part on the first line."""
        visible = first_line(self.text[start:end])
        return Span(self.file, self.line(start), self.column(start), max(len(visible), 1))

    def of(self, token: ConfigToken) -> Span:
        """Return the span of a token."""
        return self.span(token.start, token.end)
