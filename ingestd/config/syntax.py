"""Parse one text by recursive descent, and go on after an error.

::

    config = (("input" | "filter" | "output") block)*
    block  = "{" (plugin | branch)* "}"
    branch = "if" condition block ("else" "if" condition block)* ("else" block)?
    plugin = name "{" (name "=>" value)* "}"
    value  = codec | array | hash | string | bareword | number | variable
    codec  = plugin
    array  = "[" (value ("," value)*)? "]"
    hash   = "{" (key "=>" value)* "}"

``expressions`` has the conditions. Follows
https://www.elastic.co/docs/reference/logstash/configuration-file-structure and the grammar of Logstash's parser.

After a syntax error the rest of the broken statement is skipped, so that one run reports the errors of all statements.
Where it is plain what was forgotten (a quote, a ``}``), the parser acts as if that were there.

Time is linear in the text; neither the parser nor what it returns is deeper than ``cursor.MAX_DEPTH`` brackets.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal, cast

from ingestd.config import explain
from ingestd.config.cursor import BrokenError, Cursor, GiveUpError
from ingestd.config.explain import SECTIONS
from ingestd.config.expressions import Expressions
from ingestd.config.lexer import NAMES, NUMBERS, Kind, Token
from ingestd.config.literals import Literals, Scalar
from ingestd.config.nodes import (
    Array,
    Branch,
    Condition,
    Field,
    Hash,
    Number,
    Plugin,
    Setting,
    Statement,
    Text,
    Truth,
    Value,
)
from ingestd.config.recovery import (
    begins_section,
    forgot_to_close_block,
    forgot_to_close_plugin,
    skip_condition,
    skip_statement,
)

Section = tuple[str, tuple[Statement, ...]]


class _NextSectionError(Exception):
    """The next section begins, though this one is still open; the error is already reported."""


class Parser:
    """Reads the text at a cursor."""

    def __init__(self, cursor: Cursor, literals: Literals) -> None:
        self._cursor, self._literals = cursor, literals
        self._expressions = Expressions(cursor, literals, self._array)

    def sections(self) -> list[Section]:
        """Return the name and the statements of each section, as far as they could be read."""
        cursor, sections = self._cursor, list[Section]()
        with suppress(GiveUpError):
            while cursor.next.kind is not Kind.END:
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
            error = cursor.unexpected(explain.section)
            if cursor.following().text != "{":  # else the name is misspelt: look into it all the same
                raise error
        cursor.advance()
        cursor.expect(explain.section_brace, "{")
        return name.text, self._block("section", name)

    # Statements

    def _block(self, kind: Literal["section", "block"], head: Token) -> tuple[Statement, ...]:
        cursor = self._cursor
        cursor.open(kind, head)
        depth, statements, after_if = len(cursor.brackets), list[Statement](), False
        while not cursor.closes(forgotten=not after_if and forgot_to_close_block(cursor)):
            start = cursor.next.start
            try:
                after_if = self._statement(statements, after_if)
            except BrokenError:
                skip_statement(cursor, start, depth)
        return tuple(statements)

    def _statement(self, statements: list[Statement], after_if: bool) -> bool:
        """Read a plugin, an ``if`` or an ``else``, each with its block; tell whether an ``else`` may follow.

        It may also follow where statements between it and its ``if`` were broken.
        """
        cursor, word = self._cursor, self._cursor.next
        if begins_section(cursor):
            cursor.closes(forgotten=True)
            raise _NextSectionError
        if word.text == "if":
            statements.append(Branch((self._case(),), (), cursor.places.of(word)))
            return True
        if word.text == "else":
            if not after_if:
                raise cursor.unexpected(explain.statement)
            statements[-1], may_follow = self._else(cast(Branch, statements[-1]))
            return may_follow
        statements.append(self._plugin(cursor.take(explain.statement, *NAMES)))
        return False

    def _else(self, branch: Branch) -> tuple[Branch, bool]:
        """Return ``branch`` with each ``else if`` and the ``else`` that follow, and whether another ``else`` may."""
        tests = list(branch.tests)
        while self._cursor.next.text == "else":
            keyword = self._cursor.advance()
            if self._cursor.expect(explain.after_else, "if", "{").text != "if":
                return Branch(tuple(tests), self._block("block", keyword), branch.span), False
            tests.append(self._case())
        return Branch(tuple(tests), (), branch.span), True

    def _case(self) -> tuple[Condition, tuple[Statement, ...]]:
        cursor, depth = self._cursor, len(self._cursor.brackets)
        keyword = cursor.advance()
        try:
            condition = self._expressions.condition("{")
        except BrokenError:
            skip_condition(cursor, depth)
            if cursor.next.text != "{":
                raise
            span = cursor.places.of(keyword)
            condition = Truth(Field("[x]", span), span)  # any will do: there is an error
        return condition, self._block("block", keyword)

    # Plugins

    def _plugin(self, name: Token) -> Plugin:
        """Read the rest of a plugin or codec, after its name."""
        cursor, settings = self._cursor, list[Setting]()
        cursor.expect(explain.plugin_brace, "{")
        cursor.open("plugin", name)
        while not cursor.closes(forgotten=forgot_to_close_plugin(cursor)):
            if cursor.expect(explain.option, *NAMES, "}").text != "}":
                settings.append(self._setting())
        return Plugin(name.value, tuple(settings), cursor.places.of(name))

    def _setting(self) -> Setting:
        name = self._cursor.advance()
        self._cursor.take(explain.arrow, "=>")
        return Setting(name.value, self._value(self._literals.value), self._cursor.places.of(name))

    def _value(self, scalar: Scalar) -> Value:
        """Read a value; ``scalar`` makes the node of a string, bareword, number or variable."""
        cursor = self._cursor
        token = cursor.expect(explain.value, Kind.NAME, Kind.STRING, *NUMBERS, Kind.VARIABLE, "[", "{")
        if token.text == "[":
            return self._array(self._literals.value)
        if token.text == "{":
            return self._hash()
        cursor.advance()
        is_codec = cursor.next.text == "{" and token.kind in (Kind.NAME, Kind.STRING)
        return self._plugin(token) if is_codec else scalar(token)

    def _array(self, scalar: Scalar) -> Array:
        cursor, items = self._cursor, list[Value]()
        start = cursor.open("array").start
        if cursor.next.text != "]":
            items.append(self._value(scalar))
            while cursor.expect(explain.comma, ",", "]").text == ",":
                cursor.advance()
                items.append(self._value(scalar))
        return Array(tuple(items), cursor.places.span(start, cursor.close().end))

    def _hash(self) -> Hash:
        cursor, items = self._cursor, list[tuple[Text | Number, Value]]()
        start = cursor.open("hash").start
        while cursor.expect(explain.pair, Kind.NAME, Kind.STRING, *NUMBERS, "}").text != "}":
            key = self._literals.key(cursor.advance())
            cursor.take(explain.arrow, "=>")
            items.append((key, self._value(self._literals.value)))
        return Hash(tuple(items), cursor.places.span(start, cursor.close().end))
