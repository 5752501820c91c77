"""The parser's position in a text: the tokens around it, the open brackets, and the syntax errors so far.

The parser ``expect``s tokens. If it finds something else, it reports that and ``BrokenError`` ends the statement;
``recovery`` finds the next one. A missing quote is assumed at the end of its line, and the parser continues at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ingestd.config import messages
from ingestd.config.errors import ConfigError
from ingestd.config.lexer import ConfigToken, SourceText, TokenKind, first_line, scan
from ingestd.config.messages import Bracket, Unexpected

#: Nesting of brackets of any kind; far more than any config has, and far less than Python's stack allows.
MAX_DEPTH: Final = 100
#: Syntax errors reported for one text: a text with more is probably not a config at all.
MAX_ERRORS: Final = 50

_START: Final = ConfigToken(TokenKind.MARK, "", 0)


class BrokenError(Exception):
    """The statement that is being read cannot be understood; the error is already reported."""


class GiveUpError(Exception):
    """The text ended too early, or the rest of it is not worth parsing; the error is already reported."""


class TokenCursor:
    """Walks over the tokens of a text: ``last`` was read last, ``next`` comes next, ``brackets`` are still open."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.errors: list[ConfigError] = []
        self.brackets: list[Bracket] = []
        self._swallowed = False  # an unclosed string contained a '}', so another one may seem to be missing
        self.move_to(0)

    def move_to(self, position: int) -> None:
        """Continue at an offset of the text, as if there were nothing before it."""
        self.last, self.next = _START, self._scan(position)

    def advance(self) -> ConfigToken:
        """Read the next token, whatever it is, and return it."""
        self.last, self.next = self.next, self._scan(self.next.end)
        return self.last

    def following(self) -> ConfigToken:
        """Return the token after the next one."""
        return scan(self.source.text, self.next.end)

    def expect(self, explanation: Callable[[Unexpected], tuple[str, str]], *wanted: TokenKind | str) -> ConfigToken:
        """Return the next token without reading it, if its kind or text is one of ``wanted``.

        Raises:
            BrokenError: It is not; the explanation is reported.
            GiveUpError: The text ended.
        """
        if TokenKind.FIELD in wanted and self.next.text[:1] in ("[", "/"):
            self.next = scan(self.source.text, self.next.start, operand=True)
        is_wrong = not self.next.is_in((*wanted, TokenKind.END))
        if is_wrong and self.last.kind is TokenKind.STRING and "\n" in self.last.text:  # it swallowed too much
            self.last = self._unclosed(self.last)
            self.next = self._scan(self.last.end)
        if not self.next.is_in(wanted):
            raise self.unexpected(explanation)
        return self.next

    def take(self, explanation: Callable[[Unexpected], tuple[str, str]], *wanted: TokenKind | str) -> ConfigToken:
        """Like ``expect``, and read the token."""
        self.expect(explanation, *wanted)
        return self.advance()

    def open(
        self, kind: Literal["section", "block", "plugin", "hash", "array", "condition"], head: ConfigToken | None = None
    ) -> ConfigToken:
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

    def close(self) -> ConfigToken:
        """Read and return the closing half of the innermost bracket, which comes next."""
        self.brackets.pop()
        return self.advance()

    def closes(self, *, forgotten: bool = False) -> bool:
        """Read the ``}`` of the innermost bracket, if it comes next; if it is missing (``forgotten``), report that."""
        if forgotten:
            bracket = self.brackets.pop()
            self._report(messages.never_closed(bracket, self.source.line(self.next.start)), bracket.token)
            self.last = ConfigToken(TokenKind.MARK, "}", self.next.start)
        elif self.next.text == "}":
            self.close()
        else:
            return False
        return True

    def unexpected(self, explanation: Callable[[Unexpected], tuple[str, str]]) -> BrokenError:
        """Report that the next token is not allowed here, and return the exception to raise.

        Raises:
            GiveUpError: That token is the end of the text.
        """
        around = self.brackets[-1] if self.brackets else None
        if self.next.kind is not TokenKind.END:
            found = Unexpected(self.next, self.last, around)
            message, hint = explanation(found)
            self._report((message, messages.stray(found) or hint), self.next)
            return BrokenError()
        if around is None:
            self._report(explanation(Unexpected(self.next, self.last, around)), self.last)
        elif not self._swallowed:
            self._report(messages.never_closed(around, None), around.token)
        raise GiveUpError

    def _scan(self, position: int) -> ConfigToken:
        token = scan(self.source.text, position)
        return self._unclosed(token) if token.kind is TokenKind.UNCLOSED else token

    def _unclosed(self, string: ConfigToken) -> ConfigToken:
        """Report a string without a closing quote, and return the part of it on its first line."""
        string = ConfigToken(TokenKind.STRING, first_line(string.text), string.start)
        self._swallowed |= "}" in string.text
        self._report((f"the string that starts here is never closed: {string.text[0]} is missing", ""), string)
        return string

    def _report(self, message_and_hint: tuple[str, str], token: ConfigToken) -> None:
        message, hint = message_and_hint
        self.errors.append(ConfigError(message, self.source.of(token), hint))
        if len(self.errors) >= MAX_ERRORS:
            raise GiveUpError
