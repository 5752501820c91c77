"""Parse one text with the LALR tables of ``grammar.lark``, and go on after an error.

The parser names the tokens (a word is a keyword only where the grammar takes that keyword) and keeps *marks*: copies
of its stacks as they were before each statement. After a syntax error it goes back to the innermost mark, skips the
rest of the broken statement, and parses on, so that one run reports the errors of all statements. Where it is plain
what was forgotten (a quote, a ``}``), it acts as if that were there.

Time is linear in the text; neither the parser nor what it returns is deeper than ``MAX_DEPTH`` brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from ingestd.config._lark import Lark, Lexer, Shift, Token, Tree, UnexpectedToken
from ingestd.config.errors import ConfigError
from ingestd.config.explain import ELSE, SECTIONS, Bracket, explain, never_closed
from ingestd.config.lexer import (
    BAD,
    END,
    UNCLOSED,
    WORD,
    Places,
    end_of,
    first_line,
    scan,
    skip_blanks,
    start_of,
)

#: Brackets of any kind within each other; far more than any config has, and far less than Python's stack takes.
MAX_DEPTH: Final = 100
#: Errors reported of one text: a text with more is probably no config at all.
MAX_ERRORS: Final = 50

_KEYWORDS: Final = {
    **dict.fromkeys(SECTIONS, "SECTION"),
    **dict.fromkeys(("and", "or", "xor", "nand"), "LOGIC"),
    "if": "IF",
    ELSE: "_ELSE",
    "in": "IN",
    "not": "NOT",
}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
_OPENING: Final = ("LBRACE", "LBRACKET", "_LPAR")
_CLOSING: Final = ("RBRACE", "RBRACKET", "_RPAR")
_TERMINALS: Final = (
    *("SECTION", "NAME", "STRING", "NUMBER", "VARIABLE", "FIELD", "REGEX", "IF", "_ELSE", "LOGIC", "NOT", "IN"),
    *("BANG", "COMPARE", "MATCH", "LBRACE", "RBRACE", "LBRACKET", "RBRACKET", "_LPAR", "_RPAR", "_COMMA", "_ARROW"),
)


class _NoLexer(Lexer):
    """Lark wants a lexer; the tokens come from ``lexer.scan`` instead."""

    def __init__(self, _: object) -> None:
        pass

    def lex(self, *_: object) -> Any:
        """Return no tokens."""
        return iter(())


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", lexer=_NoLexer, maybe_placeholders=False)


@dataclass(frozen=True, slots=True)
class _Mark:
    """The parser's stacks before a statement or section that stands in ``depth`` brackets."""

    depth: int
    states: list[Any]
    values: list[Any]


class _GiveUpError(Exception):
    """The rest of the text is not worth parsing."""


def parse_tree(places: Places) -> tuple[Tree[Token] | None, list[ConfigError]]:
    """Return the tree of a text and its syntax errors, in the order of the text.

    With errors, the tree still holds the statements that could be read (some may be there twice: good for finding
    more errors, and for nothing else), or is None if the parser gave up.
    """
    parser = _Parser(places)
    try:
        tree = parser.parse()
    except _GiveUpError:
        tree = None
    return tree, parser.errors


class _Parser:
    def __init__(self, places: Places) -> None:
        self.errors: list[ConfigError] = []
        self._places, self._text = places, places.text
        self._position = 0  # offset of the next character to read
        self._lark = _grammar().parse_interactive("")
        self._state = self._lark.parser_state
        self._table = self._state.parse_conf.parse_table.states
        self._open: list[Bracket] = []
        self._marks: list[_Mark] = []
        self._last: Token | None = None  # the token that was fed last
        self._in_condition = False
        self._swallowed = False  # an unclosed string took a '}' with it, so that one more may seem to be missing

    def parse(self) -> Tree[Token]:
        while True:
            token = self._next()
            self._set_mark()
            if token.type == END:
                return self._end(token)
            if self._forgotten_brace(token):
                self._feed_closing(token)
                continue
            self._position = end_of(token)
            if token.type == UNCLOSED:
                self._report_unclosed(token)
                token = Token("STRING", token + token[0], start_pos=start_of(token))
            try:
                self._feed(token)
            except UnexpectedToken:
                self._recover(token)

    # Reading

    def _next(self) -> Token:
        start = skip_blanks(self._text, self._position)
        operand = self._text[start : start + 1] in ("[", "/") and self._accepts("FIELD")
        token = scan(self._text, start, operand=operand)
        return Token(self._terminal(token), token.value, start_pos=start) if token.type == WORD else token

    def _terminal(self, word: str) -> str:
        """Return the terminal that a word is at this place."""
        keyword = _KEYWORDS.get(word)
        if keyword and self._accepts(keyword):
            return keyword
        if word == ELSE and self._accepts("IF"):
            return BAD  # "else" without "if"; else it would be taken for a plugin
        if _NUMBER.fullmatch(word) and self._accepts("NUMBER"):
            return "NUMBER"
        return "NAME" if _NAME.fullmatch(word) else BAD

    def _peek(self, position: int) -> Token:
        return scan(self._text, skip_blanks(self._text, position), operand=False)

    # The LALR machine

    def _accepts(self, terminal: str) -> bool:
        """Tell whether the grammar takes ``terminal`` here.

        The table alone answers yes too often (its look-ahead sets are merged), so the reductions are played through.
        """
        states = list(self._state.state_stack)
        while True:
            if terminal == END and states[-1] == self._state.parse_conf.end_state:
                return True
            action = self._table[states[-1]].get(terminal)
            if action is None:
                return False
            if action[0] is Shift:
                return True
            rule = action[1]
            if rule.expansion:
                del states[-len(rule.expansion) :]
            states.append(self._table[states[-1]][rule.origin.name][1])

    def _feed(self, token: Token) -> None:
        before = self._last
        self._lark.feed_token(token)
        self._last = token
        if token.type == "IF":
            self._in_condition = True
        elif token.type == "LBRACE" and self._accepts("IF"):
            self._in_condition = False
        if token.type in _OPENING:
            self._open.append(self._bracket(token, before))
            if len(self._open) > MAX_DEPTH:
                self._report(f"brackets are nested deeper than {MAX_DEPTH} levels", token, "make the config flatter")
                raise _GiveUpError
        elif token.type in _CLOSING:
            self._open.pop()

    def _bracket(self, token: Token, before: Token | None) -> Bracket:
        name = before if before is not None else ""
        if token.type == "LBRACKET":
            return Bracket("array", "", token, None)
        if token.type == "_LPAR":
            return Bracket("parenthesis", "", token, None)
        if self._accepts("IF"):
            in_section = before is not None and before.type == "SECTION"
            return Bracket("section" if in_section else "block", name, token, before)
        if self._accepts("NUMBER"):
            return Bracket("hash", "", token, None)
        return Bracket("plugin", name.strip("\"'"), token, before)

    # Marks and recovery

    def _set_mark(self) -> None:
        """Remember the stacks if a statement or a section may begin here."""
        if self._last is not None and self._last.type not in ("LBRACE", "RBRACE"):
            return
        if not (self._accepts("SECTION") or (self._accepts("IF") and self._accepts("NAME"))):
            return
        depth = len(self._open)
        while self._marks and self._marks[-1].depth >= depth:
            self._marks.pop()
        self._marks.append(_Mark(depth, list(self._state.state_stack), list(self._state.value_stack)))

    def _go_back(self) -> None:
        """Make the innermost mark the present again."""
        mark = self._marks[-1]
        self._state.state_stack[:] = mark.states
        self._state.value_stack[:] = mark.values
        del self._open[mark.depth :]
        self._last = None

    def _recover(self, token: Token) -> None:
        """Report an unexpected token, and find a place from which the text makes sense again."""
        last = self._last
        if last is not None and last.type == "STRING" and "\n" in last:
            # The string swallowed line ends, and what follows is nonsense: its closing quote was forgotten.
            self._report_unclosed(last)
            self._position = start_of(last) + len(first_line(last))
            return
        wanted = frozenset(filter(self._accepts, _TERMINALS))
        message, hint = explain(token, wanted, last, self._open, in_condition=self._in_condition)
        self._report(message, token, hint)
        if "SECTION" in wanted and self._peek(end_of(token)).type == "LBRACE":
            self._feed(Token("SECTION", "input", start_pos=start_of(token)))  # look into it all the same
            return
        inner_braces = sum(bracket.opening == "{" for bracket in self._open[self._marks[-1].depth :])
        self._go_back()
        if self._in_condition:
            self._in_condition = False
            self._skip_condition(token)
        else:
            self._skip_statement(token, inner_braces)

    def _skip_condition(self, token: Token) -> None:
        """Go on with the block that belongs to a broken condition, as if the condition were ``[x]``."""
        while token.type not in ("LBRACE", "RBRACE", END):
            token = self._skip(token)
        self._position = start_of(token)
        if token.type == "LBRACE":
            for kind, value in (("IF", "if"), ("FIELD", "[x]")):
                self._feed(Token(kind, value, start_pos=start_of(token)))

    def _skip_statement(self, token: Token, depth: int) -> None:
        """Set the position behind the statement in which ``token`` stands, ``depth`` braces deep."""
        while token.type != END:
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "RBRACE":
                depth -= 1
                if depth < 0 and self._marks[-1].depth:  # it ends the block around the statement
                    self._position = start_of(token)
                    return
                if depth <= 0:
                    self._position = end_of(token)
                    return
            elif depth == 0 and self._begins_statement(token):
                break
            token = self._skip(token)
        self._position = start_of(token)

    def _skip(self, token: Token) -> Token:
        """Return the token after ``token``; shapes are enough to tell the braces of the config from others."""
        start = skip_blanks(self._text, end_of(token))
        return scan(self._text, start, operand=token.type == "MATCH")

    def _begins_statement(self, token: Token) -> bool:
        if token.type not in (WORD, "NAME", "IF", BAD) or not self._places.starts_line(start_of(token)):
            return False
        return str(token) == "if" or self._peek(end_of(token)).type == "LBRACE"

    # What was forgotten

    def _forgotten_brace(self, token: Token) -> bool:
        """Tell whether ``token`` can only stand behind a ``}`` that is missing."""
        if not self._open or token.type not in ("NAME", "STRING", BAD) or not self._accepts("RBRACE"):
            return False
        following = self._peek(end_of(token)).type
        around = self._open[-1]
        if self._accepts("IF"):
            after_plugin = self._last is not None and self._last.type == "RBRACE"
            is_else = token == ELSE and after_plugin and around.kind == "block" and around.name != ELSE
            return is_else or (token in SECTIONS and following == "LBRACE")
        if around.kind != "plugin" or around.head is None:
            return False
        if token in ("if", ELSE):
            return following != "_ARROW"
        if following != "LBRACE" or not self._places.starts_line(start_of(token)):
            return False
        return token in SECTIONS or self._places.column(start_of(token)) <= self._places.column(start_of(around.head))

    def _feed_closing(self, token: Token) -> None:
        """Report the missing ``}`` of the innermost bracket, and act as if it stood before ``token``."""
        around = self._open[-1]
        message, hint = never_closed(around, self._places.line(start_of(token)))
        self._report(message, around.token, hint)
        for _ in range(len(self._open) if token in SECTIONS and self._accepts("IF") else 1):
            self._feed(Token("RBRACE", "}", start_pos=start_of(token)))

    def _end(self, token: Token) -> Tree[Token]:
        """Finish the tree; what is still open is an error."""
        if self._open or not self._accepts(END):
            if not self._open:
                wanted = frozenset(filter(self._accepts, _TERMINALS))
                message, hint = explain(token, wanted, self._last, self._open, in_condition=False)
                self._report(message, self._last or token, hint)
            elif not self._swallowed:
                message, hint = never_closed(self._open[-1], None)
                self._report(message, self._open[-1].token, hint)
            self._go_back()
            while self._open:
                self._feed(Token("RBRACE", "}", start_pos=start_of(token)))
        return cast(Tree[Token], self._lark.feed_token(Token(END, "")))

    def _report_unclosed(self, token: Token) -> None:
        opening = Token(UNCLOSED, first_line(token), start_pos=start_of(token))
        self._swallowed |= "}" in opening
        self._report(f"the string that begins here is never closed: {token[0]} is missing", opening, "")

    def _report(self, message: str, token: Token, hint: str) -> None:
        self.errors.append(ConfigError(message, self._places.of(token), hint))
        if len(self.errors) >= MAX_ERRORS:
            raise _GiveUpError
