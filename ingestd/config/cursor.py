"""The parser's place in a text: the tokens around it, the open brackets, and what was wrong with the syntax so far.

The parser ``expect``s tokens. If something else stands there, that is reported and ``BrokenError`` ends the statement;
``recovery`` finds the next one. A forgotten quote is closed at the end of its line, and the parser goes on at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ingestd.config import explain
from ingestd.config.errors import ConfigError
from ingestd.config.explain import Bracket, Unexpected
from ingestd.config.lexer import Kind, Places, Token, first_line, scan

#: Brackets of any kind within each other; far more than any config has, and far less than Python's stack takes.
MAX_DEPTH: Final = 100
#: Syntax errors reported of one text: a text with more is probably no config at all.
MAX_ERRORS: Final = 50

_START: Final = Token(Kind.MARK, "", 0)


class BrokenError(Exception):
    """The statement that is being read cannot be understood; the error is already reported."""


class GiveUpError(Exception):
    """The text ended too early, or the rest of it is not worth parsing; the error is already reported."""


class Cursor:
    """Walks over the tokens of a text: ``last`` was read last, ``next`` comes now, ``brackets`` are still open."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.errors: list[ConfigError] = []
        self.brackets: list[Bracket] = []
        self._swallowed = False  # an unclosed string took a '}' with it, so that one more may seem to be missing
        self.move_to(0)

    def move_to(self, position: int) -> None:
        """Go on at an offset of the text, as if nothing stood before it."""
        self.last, self.next = _START, self._scan(position)

    def advance(self) -> Token:
        """Read the next token, whatever it is, and return it."""
        self.last, self.next = self.next, self._scan(self.next.end)
        return self.last

    def following(self) -> Token:
        """Return the token after the next one."""
        return scan(self.places.text, self.next.end)

    def expect(self, explanation: Callable[[Unexpected], tuple[str, str]], *wanted: Kind | str) -> Token:
        """Return the next token without reading it, if its kind or text is one of ``wanted``.

        Raises:
            BrokenError: It is not; the explanation of that is reported.
            GiveUpError: The text ended.
        """
        if Kind.FIELD in wanted and self.next.text[:1] in ("[", "/"):
            self.next = scan(self.places.text, self.next.start, operand=True)
        is_wrong = not self.next.is_in((*wanted, Kind.END))
        if is_wrong and self.last.kind is Kind.STRING and "\n" in self.last.text:  # it swallowed too much
            self.last = self._unclosed(self.last)
            self.next = self._scan(self.last.end)
        if not self.next.is_in(wanted):
            raise self.unexpected(explanation)
        return self.next

    def take(self, explanation: Callable[[Unexpected], tuple[str, str]], *wanted: Kind | str) -> Token:
        """Like ``expect``, and read the token."""
        self.expect(explanation, *wanted)
        return self.advance()

    def open(
        self, kind: Literal["section", "block", "plugin", "hash", "array", "condition"], head: Token | None = None
    ) -> Token:
        """Read and return an opening bracket, which comes next.

        Raises:
            GiveUpError: Too many brackets are open.
        """
        token = self.advance()
        self.brackets.append(Bracket(kind, token, head))
        if len(self.brackets) > MAX_DEPTH:
            self._report((f"brackets are nested deeper than {MAX_DEPTH} levels", "make the config flatter"), token)
            raise GiveUpError
        return token

    def close(self) -> Token:
        """Read and return the partner of the innermost bracket, which comes next."""
        self.brackets.pop()
        return self.advance()

    def closes(self, *, forgotten: bool = False) -> bool:
        """Read the ``}`` of the innermost bracket, if it comes next; if it was ``forgotten`` there, report that."""
        if forgotten:
            bracket = self.brackets.pop()
            self._report(explain.never_closed(bracket, self.places.line(self.next.start)), bracket.token)
            self.last = Token(Kind.MARK, "}", self.next.start)
        elif self.next.text == "}":
            self.close()
        else:
            return False
        return True

    def unexpected(self, explanation: Callable[[Unexpected], tuple[str, str]]) -> BrokenError:
        """Report that the next token cannot stand there, and return the exception to raise.

        Raises:
            GiveUpError: That token is the end of the text.
        """
        around = self.brackets[-1] if self.brackets else None
        if self.next.kind is not Kind.END:
            self._report(explanation(Unexpected(self.next, self.last, around)), self.next)
            return BrokenError()
        if around is None:
            self._report(explanation(Unexpected(self.next, self.last, around)), self.last)
        elif not self._swallowed:
            self._report(explain.never_closed(around, None), around.token)
        raise GiveUpError

    def _scan(self, position: int) -> Token:
        token = scan(self.places.text, position)
        return self._unclosed(token) if token.kind is Kind.UNCLOSED else token

    def _unclosed(self, string: Token) -> Token:
        """Report a string whose closing quote was forgotten, and return the part of it in its first line."""
        string = Token(Kind.STRING, first_line(string.text), string.start)
        self._swallowed |= "}" in string.text
        self._report((f"the string that begins here is never closed: {string.text[0]} is missing", ""), string)
        return string

    def _report(self, message_and_hint: tuple[str, str], token: Token) -> None:
        message, hint = message_and_hint
        self.errors.append(ConfigError(message, self.places.of(token), hint))
        if len(self.errors) >= MAX_ERRORS:
            raise GiveUpError
