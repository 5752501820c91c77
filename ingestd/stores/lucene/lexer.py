"""The words and signs of a query text, with their places; what cannot be told from the grammar is refused here.

luqum has a lexer of its own. It takes ``!``, ``&&`` and ``||`` for words, a path for a regular expression, and
tells errors without their place; so its grammar is fed from here. Differences to Lucene's, for the sake of logs:

* ``/search`` is a value, not the begin of a regular expression; only ``/…/`` as a whole is taken for one.
* A colon within a value belongs to it: ``client_ip:2001:db8::1``; likewise in ``10:05:33`` and ``http://host/``.
* So does a sign right behind the colon: ``offset:-5``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingestd.stores.query import QueryError

MAX_CHARS = 10_000  # a query is written by hand; parsing one that long takes some 20 ms
MAX_TERMS = 256  # OpenSearch takes 1,024 clauses, and one term makes up to four
MAX_BRACKETS = 50

RESERVED = {"AND": "AND_OP", "OR": "OR_OP", "NOT": "NOT", "&&": "AND_OP", "||": "OR_OP"}
QUOTE_IT = 'put it in quotes if it is meant as text: "{}"'

_ESCAPED = r"\\[\s\S]"
_BLANKS = re.compile(r"\s+")
_PHRASE = re.compile(rf'"(?:[^"\\]|{_ESCAPED})*"')
_TERM = re.compile(rf'(?:[^\s:()\[\]{{}}"^~\\]|{_ESCAPED})+')
_BOUND = re.compile(rf'(?:[^\s\[\]{{}}"\\]|{_ESCAPED})+')
_COMPARED = re.compile(rf'(?:[^\s()\[\]{{}}"\\]|{_ESCAPED})+')
_COMPARE = re.compile(r"[<>]=?")
_DIGITS = re.compile(r"[0-9.]*")
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d{1,2}(?::\d\d)?")  # what stands before a colon of a time
_NEXT = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: ``kind`` as luqum's grammar names it, ``text`` as written, ``at`` from 0."""

    kind: str
    text: str
    at: int

    def error(self, message: str, hint: str = "") -> QueryError:
        """Return the error that points at this piece."""
        return QueryError(message, self.at + 1, max(len(self.text), 1), hint)


def tokens(text: str) -> list[Token]:
    """Cut a query into pieces.

    Raises:
        QueryError: Something is not closed or not supported, or the text is too long.
    """
    if len(text) > MAX_CHARS:
        message = f"the query has {len(text):,} characters; it may have {MAX_CHARS:,}"
        raise QueryError(message, MAX_CHARS + 1, len(text) - MAX_CHARS)
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: list[Token] = []
        self.open: list[Token] = []
        self.terms = 0

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            if blanks := _BLANKS.match(self.text, self.at):
                self.at = blanks.end()
            else:
                self.step()
        if self.open:
            raise self.open[-1].error("this bracket is not closed", "add a )")
        return self.found

    def step(self) -> None:
        """Take what stands here; ``at`` is not at a blank."""
        char = self.text[self.at]
        two = self.text[self.at : self.at + 2]
        if char == '"':
            self.take("PHRASE", self.phrase())
        elif char in "[{":
            self.range()
        elif char in "()":
            self.bracket(char)
        elif char == ":":
            self.take("COLUMN", char)
        elif char in "~^":
            self.suffix()
        elif two in {"&&", "||"}:
            self.take(RESERVED[two], two)
        elif char == "!" or (char in "+-" and not self.is_value()):
            self.sign(char)
        elif compare := _COMPARE.match(self.text, self.at):
            self.comparison(compare[0])
        elif char in "]}":
            raise self.here(char).error("this bracket was not opened", QUOTE_IT.format(char))
        else:
            self.term()

    def here(self, text: str) -> Token:
        return Token("", text, self.at)

    def take(self, kind: str, text: str) -> Token:
        token = Token(kind, text, self.at)
        self.found.append(token)
        self.at += len(text)
        if kind in {"TERM", "PHRASE"}:
            self.terms += 1
            if self.terms > 2 * MAX_TERMS:  # a field and its value are two
                raise token.error(f"the query has too many terms: it may have {MAX_TERMS}")
        return token

    def phrase(self) -> str:
        found = _PHRASE.match(self.text, self.at)
        if found is None:
            raise self.here(self.text[self.at :]).error("this quote is not closed", 'add a " or write \\" for the sign')
        return found[0]

    def bracket(self, char: str) -> None:
        token = self.take("LPAREN" if char == "(" else "RPAREN", char)
        if char == "(":
            self.open.append(token)
            if len(self.open) > MAX_BRACKETS:
                raise token.error(f"more than {MAX_BRACKETS} brackets within each other")
        elif self.open:
            self.open.pop()
        else:
            raise token.error("this bracket was not opened", QUOTE_IT.format(char))

    def sign(self, char: str) -> None:
        """``-a``, ``+a``, ``!a``; only ``!`` may have a blank behind it, as in Lucene ``- a`` would exclude ``a``."""
        if char != "!" and not _NEXT.match(self.text, self.at + 1):
            name = "excluded" if char == "-" else "required"
            raise self.here(char).error(f"{char!r} stands right before what is {name}", QUOTE_IT.format(char))
        self.take({"+": "PLUS", "-": "MINUS", "!": "NOT"}[char], char)

    def comparison(self, sign: str) -> None:
        """``>=10`` behind a colon, or in the brackets of a field."""
        sign_token = self.take("GREATERTHAN" if sign[0] == ">" else "LESSTHAN", sign)
        if self.text[self.at : self.at + 1] == '"':
            self.take("PHRASE", self.phrase())
        elif value := _COMPARED.match(self.text, self.at):
            self.take("TERM", value[0])
        else:
            raise sign_token.error(f"no value behind {sign}", "as in status_code:>=400")

    def suffix(self) -> None:
        """``~`` is refused; a boost changes the order of what is found, and here the order is that of time."""
        sign = self.text[self.at] + _DIGITS.match(self.text, self.at + 1)[0]  # type: ignore[index]  # may be empty
        behind = self.found and self.found[-1].at + len(self.found[-1].text) == self.at
        if sign[0] == "~":
            hint = "use wildcards: wo*d, w?rd" if behind else QUOTE_IT.format("~")
            raise self.here(sign).error("searching for similar words (~) is not supported", hint)
        if not behind or self.found[-1].kind not in {"TERM", "PHRASE", "RPAREN", "RBRACKET"} or len(sign) == 1:
            raise self.here(sign).error("^ has a number behind it and a term before it", QUOTE_IT.format("^"))
        self.at += len(sign)

    def range(self) -> None:
        """``[a TO b]``: brackets include, braces do not; bounds may hold all but blanks and brackets."""
        begin = self.take("LBRACKET", self.text[self.at])
        for number, part in enumerate(self.range_parts(begin)):
            kind = "TO" if number == 1 else "PHRASE" if part[0] == '"' else "TERM"
            if number == 1 and part != "TO":
                raise self.here(part).error("TO stands between the bounds of a range", "as in [400 TO 499]")
            if number != 1 and part == "TO":
                raise self.here(part).error("a bound of this range is missing", "write * for no bound: [400 TO *]")
            self.take(kind, part)
        self.skip_blanks()
        if self.text[self.at : self.at + 1] not in {"]", "}"}:
            whole = Token("", self.text[begin.at : self.at + 1], begin.at)
            raise whole.error("this range is not closed by ] or }", 'as in [400 TO 499] or ["a b" TO "c d"]')
        self.take("RBRACKET", self.text[self.at])

    def range_parts(self, begin: Token) -> Iterator[str]:
        """Yield the three parts of a range, each before it is taken."""
        for _ in range(3):
            self.skip_blanks()
            if self.text[self.at : self.at + 1] == '"':
                yield self.phrase()
            elif found := _BOUND.match(self.text, self.at):
                yield found[0]
            else:
                whole = Token("", self.text[begin.at : self.at] or begin.text, begin.at)
                raise whole.error("this range is not complete", "as in [400 TO 499], or [400 TO *]")

    def skip_blanks(self) -> None:
        if blanks := _BLANKS.match(self.text, self.at):
            self.at = blanks.end()

    def term(self) -> None:
        """Take a word, a name of a field, or a value."""
        begin, end = self.at, self.term_end()
        text = self.text[begin:end]
        if not text:
            raise self.here("\\").error("nothing behind the \\", "write \\\\ for the sign itself")
        if len(text) > 1 and text[0] == text[-1] == "/":
            raise self.here(text).error("regular expressions are not supported", QUOTE_IT.format(text))
        self.take(RESERVED.get(text, "TERM"), text)

    def term_end(self) -> int:
        """Return where the term ends that begins here; see the top of the module for the colons in it."""
        is_value, end = self.is_value(), self.at
        while end < len(self.text):
            if found := _TERM.match(self.text, end):
                end = found.end()
            elif self.text[end] == ":" and end > self.at and (is_value or self.colon_belongs(end)):
                is_value = is_value or self.text.startswith("://", end)
                end += 1
            else:
                break
        return end

    def is_value(self) -> bool:
        """Return whether a colon stands right before."""
        return bool(self.found) and self.found[-1].kind == "COLUMN" and self.found[-1].at == self.at - 1

    def colon_belongs(self, colon: int) -> bool:
        behind = self.text[colon + 1 : colon + 3]
        return behind == "//" or (behind[:1].isdigit() and _TIME.fullmatch(self.text, self.at, colon) is not None)
