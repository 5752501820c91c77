"""The wording of syntax errors: what the parser expected, what it found, and how to fix it.

Each function is for something that the parser expected, and returns the message and the hint ("" for none) for
what it found instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ingestd.config.lexer import NUMBERS, ConfigToken, TokenKind
from ingestd.suggest import did_you_mean

_FILTERS: Final = ("if", "grok", "mutate", "date", "json", "kv", "csv", "geoip", "dissect", "ruby", "drop", "useragent")
SECTIONS: Final = ("input", "filter", "output")
ELSEIF: Final = "elseif"
"""As in Logstash, no blank is needed between the two words."""
COMPARISONS: Final = ("==", "!=", "<", ">", "<=", ">=")
MATCHES: Final = ("=~", "!~")

#: Operators of other languages, and ours.
_OPERATORS: Final = {
    "=": "==",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "eq": "==",
    "is": "==",
    "ne": "!=",
    "AND": "and",
    "OR": "or",
    "matches": "=~",
}
_CURLY_QUOTES: Final = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\xab\xbb"
_NO_WIDTH: Final = "\u200b\u200c\u200d\u2060\ufeff"
_CLOSING: Final = {"{": "}", "[": "]", "(": ")"}
_LONGEST_QUOTE: Final = 40


@dataclass(frozen=True, slots=True)
class Bracket:
    """An open bracket: what it contains, its token, and the name or keyword that it belongs to, if any."""

    kind: Literal["section", "block", "plugin", "hash", "array", "condition"]
    token: ConfigToken
    head: ConfigToken | None = None

    def __str__(self) -> str:
        if self.head is None:
            return self.kind
        if self.kind == "block":
            return f"'{self.head.text}' block"
        return f"{self.kind} '{self.head.value}'"


class Unexpected(NamedTuple):
    """A token that is not allowed where it is, the token before it, and the innermost open bracket."""

    found: ConfigToken
    last: ConfigToken
    around: Bracket | None


def stray(at: Unexpected) -> str:
    """Return the hint for a token that is in no config anywhere, as after copying from a page; empty for others."""
    text = at.found.text
    if text == "{" and at.last.text == "{" and at.found.start == at.last.end:
        return "this is a template: render it first, {{ … }} is not part of the language"
    if at.found.kind is not TokenKind.BAD:
        return ""
    if text.startswith(("//", "/*")):
        return "comments start with #"
    if text.startswith(";"):
        return "remove the ';': blanks or line ends separate options"
    if any(quote in text for quote in _CURLY_QUOTES):
        return 'write straight quotes: "…"'
    if any(not character.isascii() and (character.isspace() or character in _NO_WIDTH) for character in text):
        return "there are blanks other than the usual one, such as no-break spaces: replace them"
    return ""


def section(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is not a section."""
    if at.found.text == "}":
        return "this '}' has no '{'", "remove it, or add the '{' that it belongs to"
    if at.found.text in _FILTERS:
        return f"expected a section (input, filter or output), found {describe(at.found)}", (
            f"put it into a section: filter {{ {at.found.text} … }}"
        )
    nearest = did_you_mean(at.found.text, SECTIONS)
    hint = f"did you mean '{nearest}'?" if nearest else "a config consists of input { … }, filter { … }, output { … }"
    return f"expected a section (input, filter or output), found {describe(at.found)}", hint


def section_brace(at: Unexpected) -> tuple[str, str]:
    """Explain what follows the name of a section instead of ``{``."""
    name = at.last.text
    return f"expected '{{' after '{name}', found {describe(at.found)}", f"write {name} {{ … }}"


def statement(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is neither a plugin nor an ``if``."""
    if at.found.text == "else":
        return "'else' without an 'if' before it", "'else' follows the '}' of an 'if' block"
    return f"expected a plugin, 'if' or '}}' in the {at.around}, found {describe(at.found)}", ""


def plugin_brace(at: Unexpected) -> tuple[str, str]:
    """Explain what follows the name of a plugin instead of ``{``."""
    name = at.last.value
    hint = "did you mean 'else if'?" if name in ("elsif", "elif", "elseif") else f"write {name} {{ … }}"
    return f"expected '{{' after plugin name '{name}', found {describe(at.found)}", hint


def after_else(at: Unexpected) -> tuple[str, str]:
    """Explain what follows ``else`` instead of ``{`` or ``if``."""
    return f"expected '{{' or 'if' after 'else', found {describe(at.found)}", ""


def option(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is neither an option nor the end of the plugin."""
    hint = "remove the ',': blanks or line ends separate options" if at.found.text == "," else _quotes(at)
    return f"expected an option name or '}}' in {at.around}, found {describe(at.found)}", hint


def pair(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is neither a key nor the end of the hash."""
    hint = "remove the ',': blanks or line ends separate the pairs of a hash" if at.found.text == "," else _quotes(at)
    return f"expected a key or '}}' in the hash, found {describe(at.found)}", hint


def comma(at: Unexpected) -> tuple[str, str]:
    """Explain what follows a value in an array instead of ``,`` or ``]``."""
    is_value = at.found.text == "[" or at.found.kind in (TokenKind.STRING, TokenKind.NAME, *NUMBERS)
    hint = "put ',' between the values" if is_value else _quotes(at)
    return f"expected ',' or ']' in the array, found {describe(at.found)}", hint


def arrow(at: Unexpected) -> tuple[str, str]:
    """Explain what follows the name of an option or a key of a hash instead of ``=>``."""
    name = at.last.value
    what = "key" if at.around and at.around.kind == "hash" else "option name"
    return f"expected '=>' after {what} '{name}', found {describe(at.found)}", f"write {name} => value"


def value(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is not a value."""
    found = describe(at.found)
    hint = f'put the value in quotes: "{printable(at.found.text)}"' if at.found.kind is TokenKind.BAD else ""
    if at.last.text == "[":
        return f"expected a value or ']' in the array, found {found}", hint
    if at.last.text == "," and at.found.text == "]":
        hint = "remove the ',' after the last value"
    return f"expected a value after '{at.last.text}', found {found}", hint


def operand(at: Unexpected) -> tuple[str, str]:
    """Explain a token that is neither a condition nor an operand."""
    found, text = describe(at.found), at.found.text
    if at.last.text == "!":
        return f"expected a field or '(' after '!', found {found}", "write ![a] or !([a] == 1)"
    if at.last.text in MATCHES:
        return f"expected a regex after '{at.last.text}', found {found}", (
            "write it between slashes, /^a+$/, or in quotes"
        )
    hint = ""
    if text == ">" and at.last.text == "<":
        hint = "did you mean '!='?"
    elif text == "not":
        hint = "write ! for not: ![a] or !([a] == 1)"
    elif text in ("true", "false", "null", "nil"):
        hint = 'write [a] to ask whether a field is true, ![a] whether it is false, null or missing; "true" is a text'
    elif at.found.kind in (TokenKind.BAD, TokenKind.VARIABLE) and text != "=":
        hint = f'put it in quotes: "{text}"'
    elif at.found.kind is TokenKind.NAME:
        hint = f'write [{text}] for a field, "{text}" for a string'
    compared = at.last.text in (*COMPARISONS, "in")
    what = "a field, string, number or array" if compared else "a condition"
    return f"expected {what} after {describe(at.last)}, found {found}", hint


def membership(at: Unexpected) -> tuple[str, str]:
    """Explain what follows ``not`` instead of ``in``."""
    return f"expected 'in' after 'not', found {describe(at.found)}", "to negate a condition write !([a] == 1)"


def operator(at: Unexpected) -> tuple[str, str]:
    """Explain a token after a complete condition that is neither its end nor an operator."""
    meant = _OPERATORS.get(at.found.text)
    hint = f"did you mean '{meant}'?" if meant else ""
    if at.found.is_in((*COMPARISONS, *MATCHES, "in", "not")):
        hint = "join comparisons with 'and' or 'or', negate with !([a] == 1)"
    if at.last.kind is TokenKind.REGEX and at.found.start == at.last.end and {*at.found.text} <= {*"imx"}:
        hint = f"write the flags into the regex: /(?{at.found.text}){at.last.text[1:]}"
    closing = "')'" if at.around and at.around.kind == "condition" else "'{'"
    return f"expected {closing} or an operator after {describe(at.last)}, found {describe(at.found)}", hint


def never_closed(bracket: Bracket, line: int | None) -> tuple[str, str]:
    """Explain an opening bracket without a closing one, noticed on ``line``, or at the end of the text."""
    opening = bracket.token.text
    position = f"before line {line}" if line else "before the end of the text"
    return f"the '{opening}' of the {bracket} is never closed", f"add '{_CLOSING[opening]}' {position}"


def _quotes(at: Unexpected) -> str:
    """Return the hint for a token that cannot be a name: perhaps the value before it lacks quotes."""
    if at.found.kind is TokenKind.BAD and at.found.text.endswith((":", "=")):
        return f"write {at.found.text[:-1]} => value"
    if at.found.kind is TokenKind.BAD and at.last.kind in (TokenKind.NAME, TokenKind.VARIABLE, *NUMBERS):
        return "a value with characters other than letters, digits and '_' needs quotes"
    return ""


def describe(token: ConfigToken) -> str:
    """Return the description of a token."""
    if token.kind is TokenKind.END:
        return "the end of the text"
    text = printable(token.text)
    return f"the string {text}" if token.kind is TokenKind.STRING else f"'{text}'"


def printable(text: str) -> str:
    """Return the start of a text, with escapes for invisible characters."""
    text = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
