"""Parse one text by recursive descent, and continue after an error.

::

    config = (("input" | "filter" | "output") block)*
    block  = "{" (plugin | branch)* "}"
    branch = "if" condition block (("else" "if" | "elseif") condition block)* ("else" block)?
    plugin = name "{" (name "=>" value)* "}"
    value  = codec | array | hash | string | bareword | number | variable
    codec  = plugin
    array  = "[" (value ("," value)*)? "]"
    hash   = "{" (key "=>" value)* "}"

``conditions`` parses the condition of an ``if``. Follows
https://www.elastic.co/docs/reference/logstash/configuration-file-structure and the grammar of Logstash's parser.

After a syntax error the parser skips the rest of the broken statement, so one run reports the errors of all statements.
Where it is clear what is missing (a quote, a ``}``), the parser acts as if it were there.

Time is linear in the length of the text; neither the parser nor its result nests deeper than ``cursor.MAX_DEPTH``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal, cast

from ingestd.config import messages
from ingestd.config.conditions import ConditionParser
from ingestd.config.cursor import BrokenError, GiveUpError, TokenCursor
from ingestd.config.lexer import NAMES, NUMBERS, ConfigToken, TokenKind
from ingestd.config.literals import Literals, Scalar
from ingestd.config.messages import ELSEIF, SECTIONS
from ingestd.config.nodes import (
    ArrayLiteral,
    Branch,
    Condition,
    HashLiteral,
    NumberLiteral,
    PluginBlock,
    PluginSetting,
    Selector,
    Statement,
    StringLiteral,
    Truth,
    Value,
)
from ingestd.config.recovery import (
    block_lacks_brace,
    plugin_lacks_brace,
    skip_condition,
    skip_statement,
    starts_section,
)

Section = tuple[str, tuple[Statement, ...]]


class _NextSectionError(Exception):
    """The next section starts, though this one is still open; the error is already reported."""


class StatementParser:
    """Parses the text at a cursor."""

    def __init__(self, cursor: TokenCursor, literals: Literals) -> None:
        self._cursor, self._literals = cursor, literals
        self._conditions = ConditionParser(cursor, literals, self._array)

    def sections(self) -> list[Section]:
        """Return the name and the statements of each section, as far as they could be parsed."""
        cursor, sections = self._cursor, list[Section]()
        with suppress(GiveUpError):
            while cursor.next.kind is not TokenKind.END:
                start = cursor.next.start
                try:
                    sections.append(self._section())
                except _NextSectionError:
                    cursor.brackets.clear()
                except BrokenError:
                    skip_statement(cursor, start, 0)
        return sections

    def _section(self) -> Section:
        cursor, name = self._cursor, self._cursor.next
        if name.text not in SECTIONS:
            error = cursor.unexpected(messages.section)
            if cursor.following().text != "{":  # else the name is misspelt: parse the section anyway
                raise error
        cursor.advance()
        cursor.expect(messages.section_brace, "{")
        return name.text, self._block("section", name)

    # Statements

    def _block(self, kind: Literal["section", "block"], head: ConfigToken) -> tuple[Statement, ...]:
        cursor = self._cursor
        cursor.open(kind, head)
        depth, statements, after_if = len(cursor.brackets), list[Statement](), False
        while not cursor.closes(forgotten=not after_if and block_lacks_brace(cursor)):
            start = cursor.next.start
            try:
                after_if = self._statement(statements, after_if)
            except BrokenError:
                skip_statement(cursor, start, depth)
        return tuple(statements)

    def _statement(self, statements: list[Statement], after_if: bool) -> bool:
        """Parse a plugin, an ``if`` or an ``else``, each with its block; return whether an ``else`` may follow.

        It may also follow if statements between it and its ``if`` were broken.
        """
        cursor, word = self._cursor, self._cursor.next
        if starts_section(cursor):
            cursor.closes(forgotten=True)
            raise _NextSectionError
        if word.text == "if":
            statements.append(Branch((self._case(),), (), cursor.source.of(word)))
            return True
        if word.text == "else" or (word.text == ELSEIF and after_if):
            if not after_if:
                raise cursor.unexpected(messages.statement)
            statements[-1], may_follow = self._else(cast(Branch, statements[-1]))
            return may_follow
        statements.append(self._plugin(cursor.take(messages.statement, *NAMES)))
        return False

    def _else(self, branch: Branch) -> tuple[Branch, bool]:
        """Return ``branch`` with the ``else if``s and ``else`` after it, and whether another ``else`` may follow."""
        tests = list(branch.tests)
        while self._cursor.next.text in ("else", ELSEIF):
            if self._cursor.next.text == ELSEIF:
                tests.append(self._case())
                continue
            keyword = self._cursor.advance()
            if self._cursor.expect(messages.after_else, "if", "{").text != "if":
                return Branch(tuple(tests), self._block("block", keyword), branch.span), False
            tests.append(self._case())
        return Branch(tuple(tests), (), branch.span), True

    def _case(self) -> tuple[Condition, tuple[Statement, ...]]:
        cursor, depth = self._cursor, len(self._cursor.brackets)
        keyword = cursor.advance()
        try:
            condition = self._conditions.condition("{")
        except BrokenError:
            skip_condition(cursor, depth)
            if cursor.next.text != "{":
                raise
            span = cursor.source.of(keyword)
            condition = Truth(Selector("[x]", span), span)  # never used: an error is reported
        return condition, self._block("block", keyword)

    # Plugins

    def _plugin(self, name: ConfigToken) -> PluginBlock:
        """Parse the rest of a plugin or codec, after its name."""
        cursor, settings = self._cursor, list[PluginSetting]()
        cursor.expect(messages.plugin_brace, "{")
        cursor.open("plugin", name)
        while not cursor.closes(forgotten=plugin_lacks_brace(cursor)):
            if cursor.expect(messages.option, *NAMES, "}").text != "}":
                settings.append(self._setting())
        return PluginBlock(name.value, tuple(settings), cursor.source.of(name))

    def _setting(self) -> PluginSetting:
        name = self._cursor.advance()
        self._cursor.take(messages.arrow, "=>")
        return PluginSetting(name.value, self._value(self._literals.value), self._cursor.source.of(name))

    def _value(self, scalar: Scalar) -> Value:
        """Parse a value; ``scalar`` makes the node of a string, bareword, number or variable."""
        cursor = self._cursor
        token = cursor.expect(messages.value, TokenKind.NAME, TokenKind.STRING, *NUMBERS, TokenKind.VARIABLE, "[", "{")
        if token.text == "[":
            return self._array(self._literals.value)
        if token.text == "{":
            return self._hash()
        cursor.advance()
        is_codec = cursor.next.text == "{" and token.kind in (TokenKind.NAME, TokenKind.STRING)
        return self._plugin(token) if is_codec else scalar(token)

    def _array(self, scalar: Scalar) -> ArrayLiteral:
        cursor, items = self._cursor, list[Value]()
        start = cursor.open("array").start
        if cursor.next.text != "]":
            items.append(self._value(scalar))
            while cursor.expect(messages.comma, ",", "]").text == ",":
                cursor.advance()
                items.append(self._value(scalar))
        return ArrayLiteral(tuple(items), cursor.source.span(start, cursor.close().end))

    def _hash(self) -> HashLiteral:
        cursor, items = self._cursor, list[tuple[StringLiteral | NumberLiteral, Value]]()
        start = cursor.open("hash").start
        while cursor.expect(messages.pair, TokenKind.NAME, TokenKind.STRING, *NUMBERS, "}").text != "}":
            key = self._literals.key(cursor.advance())
            cursor.take(messages.arrow, "=>")
            items.append((key, self._value(self._literals.value)))
        return HashLiteral(tuple(items), cursor.source.span(start, cursor.close().end))
