"""Where to go on after a broken statement; which ``}`` was forgotten.

The shapes of tokens are enough to tell the braces of the config from others.
"""

from __future__ import annotations

from ingestd.config.cursor import Cursor
from ingestd.config.explain import MATCHES, SECTIONS
from ingestd.config.lexer import Kind, Token, scan

_WORDS = (Kind.NAME, Kind.INTEGER, Kind.FLOAT, Kind.BAD)


def skip_statement(cursor: Cursor, start: int, depth: int) -> None:
    """Move past a statement that begins at the offset ``start``, in ``depth`` brackets, and is broken at the cursor."""
    token = cursor.next
    braces = sum(bracket.token.text == "{" for bracket in cursor.brackets[depth:])
    del cursor.brackets[depth:]
    while token.kind is not Kind.END:
        braces += {"{": 1, "}": -1}.get(token.text, 0)
        if token.text == "}" and braces <= 0:
            ends_block = braces < 0 and depth  # it is the end of the block around the statement
            return cursor.move_to(token.start if ends_block else token.end)
        if braces == 0 and token.start > start and _begins_statement(cursor, token):
            break
        token = _after(cursor, token)
    return cursor.move_to(token.start)


def skip_condition(cursor: Cursor, depth: int) -> None:
    """Move to the ``{`` after a broken condition in ``depth`` brackets, or to the end of the block around it."""
    token = cursor.next
    del cursor.brackets[depth:]
    while token.text not in ("{", "}") and token.kind is not Kind.END:
        token = _after(cursor, token)
    cursor.move_to(token.start)


def forgot_to_close_plugin(cursor: Cursor) -> bool:
    """Tell whether the next token can only stand after a ``}`` of the innermost plugin that is missing."""
    token, head, places = cursor.next, cursor.brackets[-1].head, cursor.places
    if token.text in ("if", "else"):
        return cursor.following().text != "=>"
    if head is None or not token.is_in((*_WORDS, Kind.STRING)) or not places.starts_line(token.start):
        return False
    is_left = places.column(token.start) <= places.column(head.start)
    return (is_left or token.text in SECTIONS) and cursor.following().text == "{"


def forgot_to_close_block(cursor: Cursor) -> bool:
    """Tell whether the next token is an ``else`` whose ``if`` block, the innermost bracket, misses its ``}``."""
    head = cursor.brackets[-1].head
    return cursor.next.text == "else" and cursor.last.text == "}" and head is not None and head.text == "if"


def begins_section(cursor: Cursor) -> bool:
    """Tell whether a section begins at the cursor, or a plugin with the name of a section, which there is none."""
    return cursor.next.text in SECTIONS and cursor.following().text == "{"


def _begins_statement(cursor: Cursor, token: Token) -> bool:
    if token.kind not in _WORDS or not cursor.places.starts_line(token.start):
        return False
    return token.text == "if" or _after(cursor, token).text == "{"


def _after(cursor: Cursor, token: Token) -> Token:
    return scan(cursor.places.text, token.end, operand=token.text in MATCHES)
