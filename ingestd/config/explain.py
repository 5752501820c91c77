"""Say in words what a config text should have had at a place, and how to put it right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ingestd.config._lark import Token
from ingestd.config.lexer import BAD, END
from ingestd.suggest import did_you_mean

SECTIONS: Final = ("input", "filter", "output")
ELSE: Final = "else"

#: What people write who know another language: their word, ours.
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
_LONGEST_QUOTE: Final = 40


@dataclass(frozen=True, slots=True)
class Bracket:
    """An open bracket: what it holds, the name of its plugin, section or keyword, its token and that of the name."""

    kind: Literal["section", "block", "plugin", "hash", "array", "parenthesis"]
    name: str
    token: Token
    head: Token | None

    @property
    def opening(self) -> str:
        """The bracket itself."""
        return str(self.token)

    def __str__(self) -> str:
        match self.kind:
            case "section" | "plugin":
                return f"{self.kind} '{self.name}'"
            case "block":
                return "'else' block" if self.name == ELSE else "'if' block"
            case "parenthesis":
                return "condition"
        return self.kind


def never_closed(bracket: Bracket, line: int | None) -> tuple[str, str]:
    """Return message and hint for a bracket without its partner; it was missed in ``line``, or at the end."""
    closing = {"{": "}", "[": "]", "(": ")"}[bracket.opening]
    place = f"before line {line}" if line else "before the end of the text"
    return f"the '{bracket.opening}' of the {bracket} is never closed", f"add '{closing}' {place}"


def explain(
    found: Token,
    wanted: frozenset[str],
    last: Token | None,
    brackets: Sequence[Bracket],
    *,
    in_condition: bool,
) -> tuple[str, str]:
    """Return message and hint for a token that cannot stand where it stands.

    Args:
        found: The token.
        wanted: The terminals that could have stood there.
        last: The token before it, if it belongs to the same section or statement.
        brackets: What is open at this place, the innermost last.
        in_condition: Whether it is between an ``if`` and its ``{``.
    """
    around = brackets[-1] if brackets else None
    if "SECTION" in wanted:
        return _at_top(found)
    if "IF" in wanted and "NAME" in wanted:
        return _at_statement(found, around)
    if in_condition and "VARIABLE" not in wanted and "RBRACKET" not in wanted:
        return _in_condition(found, wanted, last, around)
    if wanted <= {"LBRACE", "IF"}:
        return _at_block(found, wanted, last)
    return _in_plugin(found, wanted, last, around)


def _at_top(found: Token) -> tuple[str, str]:
    if found.type == "RBRACE":
        return "this '}' closes nothing", "remove it, or add the '{' that it belongs to"
    nearest = did_you_mean(found, SECTIONS)
    hint = f"did you mean '{nearest}'?" if nearest else "a config is made of input { … }, filter { … }, output { … }"
    return f"expected a section (input, filter or output), found {describe(found)}", hint


def _at_statement(found: Token, around: Bracket | None) -> tuple[str, str]:
    if found == ELSE:
        return "'else' without an 'if' before it", "'else' follows the '}' of an 'if' block"
    return f"expected a plugin, 'if' or '}}' in the {around}, found {describe(found)}", ""


def _at_block(found: Token, wanted: frozenset[str], last: Token | None) -> tuple[str, str]:
    if last is None or last.type == "_ELSE" or "IF" in wanted:
        return f"expected '{{' or 'if' after 'else', found {describe(found)}", ""
    if last.type == "SECTION":
        return f"expected '{{' after '{last}', found {describe(found)}", f"write {last} {{ … }}"
    if last in ("elsif", "elif", "elseif"):
        return f"expected '{{' after plugin name '{last}', found {describe(found)}", "did you mean 'else if'?"
    name = last.strip("\"'")
    return f"expected '{{' after plugin name '{name}', found {describe(found)}", f"write {name} {{ … }}"


def _in_plugin(found: Token, wanted: frozenset[str], last: Token | None, around: Bracket | None) -> tuple[str, str]:
    what = describe(found)
    kind = around.kind if around else ""
    if "_ARROW" in wanted:
        name = last.strip("\"'") if last else ""
        return f"expected '=>' after {'key' if kind == 'hash' else 'option name'} '{name}', found {what}", (
            f"write {name} => value"
        )
    if "VARIABLE" in wanted:
        return _at_value(found, wanted, last)
    if kind == "array":
        hint = "put ',' between the values" if found.type in ("STRING", "NUMBER", "NAME", "LBRACKET") else ""
        return f"expected ',' or ']' in the array, found {what}", hint or _quotes(found, last)
    if kind == "hash":
        return f"expected a key or '}}' in the hash, found {what}", (
            "remove the ',': blanks or line ends separate the pairs of a hash"
            if found.type == "_COMMA"
            else _quotes(found, last)
        )
    return f"expected an option name or '}}' in {around}, found {what}", (
        "remove the ',': blanks or line ends separate options" if found.type == "_COMMA" else _quotes(found, last)
    )


def _at_value(found: Token, wanted: frozenset[str], last: Token | None) -> tuple[str, str]:
    hint = f'put the value in quotes: "{printable(found)}"' if found.type == BAD else ""
    if "RBRACKET" in wanted:
        return f"expected a value or ']' in the array, found {describe(found)}", hint
    if last is not None and last.type == "_COMMA":
        if found.type == "RBRACKET":
            hint = "remove the ',' after the last value"
        return f"expected a value after ',', found {describe(found)}", hint
    return f"expected a value after '=>', found {describe(found)}", hint


def _quotes(found: Token, last: Token | None) -> str:
    """Return the hint for a token that cannot be a name: perhaps the value before it has no quotes."""
    if found.type == BAD and found.endswith((":", "=")):
        return f"write {found[:-1]} => value"
    if found.type == BAD and last is not None and last.type in ("NAME", "NUMBER", "VARIABLE"):
        return "a value with other characters than letters, digits and '_' needs quotes"
    return ""


def _in_condition(found: Token, wanted: frozenset[str], last: Token | None, around: Bracket | None) -> tuple[str, str]:
    what = describe(found)
    if "FIELD" in wanted:
        return _at_operand(found, wanted, last)
    if wanted == {"IN"}:
        return f"expected 'in' after 'not', found {what}", "to negate a condition write !([a] == 1)"
    operator = _OPERATORS.get(found)
    hint = f"did you mean '{operator}'?" if operator else ""
    if "COMPARE" not in wanted and found.type in ("COMPARE", "MATCH", "IN", "NOT"):
        hint = "a comparison is complete in itself; join comparisons with 'and' or 'or', negate with !([a] == 1)"
    closing = "')'" if around and around.kind == "parenthesis" else "'{'"
    return f"expected {closing} or an operator after {describe(last)}, found {what}", hint


def _at_operand(found: Token, wanted: frozenset[str], last: Token | None) -> tuple[str, str]:
    what = describe(found)
    if last is not None and last.type == "BANG":
        return f"expected a field or '(' after '!', found {what}", "write ![a] or !([a] == 1)"
    if last is not None and last.type == "MATCH":
        return f"expected a regex after '{last}', found {what}", "write it between slashes, /^a+$/, or in quotes"
    if found == "not":
        hint = "write ! for not: ![a] or !([a] == 1)"
    elif found.type in ("NAME", "NUMBER") and str(found) in ("true", "false", "null", "nil"):
        hint = f'put it in quotes: "{found}"'
    elif found.type == "NAME":
        hint = f'a field is written [{found}], a text "{found}"'
    else:
        hint = f'put it in quotes: "{found}"' if found.type in (BAD, "VARIABLE") and found != "=" else ""
    operand = "a condition" if "BANG" in wanted else "a field, string, number or array"
    return f"expected {operand} after {describe(last)}, found {what}", hint


def describe(token: Token | None) -> str:
    """Return a token as a reader would call it."""
    if token is None:
        return "the condition"
    if token.type == END:
        return "the end of the text"
    text = printable(token)
    if token.type == "STRING":
        return f"the string {text}"
    return f"'{text}'"


def printable(text: str) -> str:
    """Return the begin of a text, with escapes for what one would not see."""
    text = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
