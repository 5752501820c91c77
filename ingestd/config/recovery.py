"""Where to continue after a broken statement; which ``}`` is missing.

The shapes of tokens are enough to distinguish the braces of the config from others.
"""

from __future__ import annotations

from ingestd.config.cursor import TokenCursor
from ingestd.config.lexer import ConfigToken, TokenKind, scan
from ingestd.config.messages import ELSEIF, MATCHES, SECTIONS

_WORDS = (TokenKind.NAME, TokenKind.INTEGER, TokenKind.FLOAT, TokenKind.BAD)


def skip_statement(cursor: TokenCursor, start: int, depth: int) -> None:
    """Move past a statement that starts at the offset ``start``, in ``depth`` brackets, and is broken at the cursor."""
    token = cursor.next
    braces = sum(bracket.token.text == "{" for bracket in cursor.brackets[depth:])
    del cursor.brackets[depth:]
    while token.kind is not TokenKind.END:
        braces += {"{": 1, "}": -1}.get(token.text, 0)
        if token.text == "}" and braces <= 0:
            ends_block = braces < 0 and depth  # this closes the block around the statement
            return cursor.move_to(token.start if ends_block else token.end)
        if braces == 0 and token.start > start and _starts_statement(cursor, token):
            break
        token = _after(cursor, token)
    return cursor.move_to(token.start)


def skip_condition(cursor: TokenCursor, depth: int) -> None:
    """Move to the ``{`` after a broken condition in ``depth`` brackets, or to the end of the block around it."""
    token = cursor.next
    del cursor.brackets[depth:]
    while token.text not in ("{", "}") and token.kind is not TokenKind.END:
        token = _after(cursor, token)
    cursor.move_to(token.start)


def plugin_lacks_brace(cursor: TokenCursor) -> bool:
    """Return whether the next token shows that the ``}`` of the innermost plugin is missing."""
    token, head, source = cursor.next, cursor.brackets[-1].head, cursor.source
    if token.text in ("if", "else", ELSEIF):
        return cursor.following().text != "=>"
    if head is None or not token.is_in((*_WORDS, TokenKind.STRING)) or not source.starts_line(token.start):
        return False
    is_left = source.column(token.start) <= source.column(head.start)
    return (is_left or token.text in SECTIONS) and cursor.following().text == "{"


def block_lacks_brace(cursor: TokenCursor) -> bool:
    """Return whether the next token is an ``else`` whose ``if`` block, the innermost bracket, lacks its ``}``."""
    head = cursor.brackets[-1].head
    is_else = cursor.next.text in ("else", ELSEIF)
    return is_else and cursor.last.text == "}" and head is not None and head.text in ("if", ELSEIF)


def starts_section(cursor: TokenCursor) -> bool:
    """Return whether a section starts at the cursor; no plugin has the name of a section."""
    return cursor.next.text in SECTIONS and cursor.following().text == "{"


def _starts_statement(cursor: TokenCursor, token: ConfigToken) -> bool:
    if token.kind not in _WORDS or not cursor.source.starts_line(token.start):
        return False
    return token.text == "if" or _after(cursor, token).text == "{"


def _after(cursor: TokenCursor, token: ConfigToken) -> ConfigToken:
    return scan(cursor.source.text, token.end, operand=token.text in MATCHES)
