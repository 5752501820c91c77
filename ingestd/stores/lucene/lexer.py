"""The tokens of a query text, with their positions. Unclosed quotes, brackets and ranges are errors here.

Differences from Lucene's lexer, which suit logs:

* ``/search`` is a value, not the start of a regular expression; only ``/…/`` as a whole is read as one.
* A colon within a value is part of it: ``client_ip:2001:db8::1``; likewise in ``10:05:33`` and ``http://host/``.
* So is a sign right after the colon: ``offset:-5``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingestd.stores.lucene.errors import query_error
from ingestd.stores.query import QueryError
from ingestd.stores.words import words

MAX_CHARS = 10_000  # queries are written by hand

MAX_TERMS = 200  # OpenSearch accepts 1,024 clauses, and a term makes up to five
MAX_BRACKETS = 50

RESERVED = {"AND": "AND", "OR": "OR", "NOT": "NOT", "&&": "AND", "||": "OR"}

_ESCAPE = re.compile(r"\\([\s\S])")
_BLANKS = re.compile(r"\s*")
_PHRASE = re.compile(rf'"(?:[^"\\]|{_ESCAPE.pattern})*"')
_TERM = re.compile(rf'(?:[^\s:()\[\]{{}}"^~\\]|{_ESCAPE.pattern})+')
_BOUND = re.compile(rf'(?:[^\s\[\]{{}}"\\]|{_ESCAPE.pattern})+')
_COMPARED = re.compile(rf'(?:[^\s()\[\]{{}}"\\]|{_ESCAPE.pattern})+')
_COMPARISON = re.compile(r"[<>]=?")
_SUFFIX = re.compile(r"[~^][0-9.]*")
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d{1,2}(?::\d\d)?")  # what precedes a colon in a time


@dataclass(frozen=True, slots=True)
class Bounds:
    """The ends of a range, None if open."""

    low: str | None = None
    high: str | None = None
    low_inclusive: bool = True
    high_inclusive: bool = True


@dataclass(frozen=True, slots=True)
class QueryToken:
    """A token at ``start`` (from 0), ``text`` as written.

    ``kind`` is TERM, PHRASE, RANGE (also ``>=1``), COLON, AND, OR, NOT (also ``-``), ``+``, ``(``, ``)``, or END.
    """

    kind: str
    text: str
    start: int
    bounds: Bounds = Bounds()  # of a RANGE

    @property
    def end(self) -> int:
        """The position after the last character."""
        return self.start + len(self.text)

    @property
    def literal(self) -> str:
        """The text without quotes and escapes."""
        return _ESCAPE.sub(r"\1", self.text[1:-1] if self.text[:1] == '"' else self.text)

    @property
    def bound(self) -> str | None:
        """The literal as a bound of a range, where ``*`` is none."""
        return None if self.text == "*" else self.literal

    def error(self, kind: str, **values: str | int) -> QueryError:
        """Return the error of a kind that points at this token; ``text`` is what it is unless it is given."""
        return query_error(kind, self.start + 1, max(len(self.text), 1), **{"text": self.text, **values})


def tokenize(text: str) -> list[QueryToken]:
    """Split a query into tokens, the last of which is END.

    Raises:
        QueryError: Something is not closed or not supported, or the text is too long.
    """
    if len(text) > MAX_CHARS:
        raise query_error("too_long", MAX_CHARS + 1, len(text) - MAX_CHARS, size=len(text), limit=MAX_CHARS)
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.tokens: list[QueryToken] = []
        self.open_brackets: list[QueryToken] = []
        self.terms = 0

    def run(self) -> list[QueryToken]:
        self.skip_blanks()
        while self.position < len(self.text):
            self.step()
            self.skip_blanks()
        if self.open_brackets:
            raise self.open_brackets[-1].error("bracket_not_closed")
        return [*self.tokens, self.here("", "END")]

    def step(self) -> None:
        """Add the token at the current position, which is not a blank."""
        char = self.text[self.position]
        two = self.text[self.position : self.position + 2]
        if char == '"':
            self.add(self.phrase())
        elif char in "[{":
            self.range(char)
        elif char in "()]}":
            self.bracket(self.here(char, char))
        elif char == ":":
            self.add(self.here(char, "COLON"))
        elif suffix := self.match(_SUFFIX):
            self.suffix(suffix)
        elif two in {"&&", "||"}:
            self.add(self.here(two, RESERVED[two]))
        elif char == "!" or (char in "+-" and not self.is_value()):
            self.sign(char)
        elif sign := self.match(_COMPARISON):
            self.comparison(sign)
        else:
            self.term()

    def here(self, text: str, kind: str = "") -> QueryToken:
        return QueryToken(kind, text, self.position)

    def since(self, start: int, bounds: Bounds | None = None) -> QueryToken:
        return QueryToken("RANGE", self.text[start : self.position], start, bounds or Bounds())

    def match(self, pattern: re.Pattern[str], kind: str = "") -> QueryToken | None:
        matched = pattern.match(self.text, self.position)
        return self.here(matched[0], kind) if matched else None

    def skip_blanks(self) -> None:
        self.position = _BLANKS.match(self.text, self.position).end()  # type: ignore[union-attr]  # matches always

    def add(self, token: QueryToken) -> None:
        self.tokens.append(token)
        self.position = token.end
        self.terms += token.kind in {"TERM", "PHRASE", "RANGE"}
        self.terms -= token.kind == "COLON"  # the name of a field is not a term of its own
        if self.terms > MAX_TERMS:
            raise token.error("too_many_terms", limit=MAX_TERMS)
        if len(token.text) > MAX_TERMS and len(words(token.text)) > MAX_TERMS:
            raise token.error("too_many_words", limit=MAX_TERMS)

    def phrase(self) -> QueryToken:
        if token := self.match(_PHRASE, "PHRASE"):
            return token
        rest = self.here(self.text[self.position :])
        raise rest.error("quote_not_closed")

    def bracket(self, token: QueryToken) -> None:
        self.add(token)
        if token.kind == "(":
            self.open_brackets.append(token)
            if len(self.open_brackets) > MAX_BRACKETS:
                raise token.error("too_many_brackets", limit=MAX_BRACKETS)
        elif token.kind == ")" and self.open_brackets:
            self.open_brackets.pop()
        else:
            raise token.error("bracket_not_opened")

    def sign(self, char: str) -> None:
        """``-a``, ``+a``, ``!a``. Only ``!`` may be followed by a blank; in Lucene, ``- a`` excludes ``a``."""
        if char != "!" and not self.text[self.position + 1 : self.position + 2].strip():
            raise self.here(char).error("minus_apart" if char == "-" else "plus_apart")
        self.add(self.here(char, "+" if char == "+" else "NOT"))

    def suffix(self, suffix: QueryToken) -> None:
        """Reject ``~``, skip a boost ``^2``: it changes the order of results, and here that is always time."""
        before = self.tokens[-1].kind if self.tokens and self.tokens[-1].end == self.position else ""
        if suffix.text[0] == "~":
            raise suffix.error("fuzzy") if before else suffix.error("tilde", text="~")
        if before not in {"TERM", "PHRASE", "RANGE", ")"} or len(suffix.text) == 1:
            raise suffix.error("boost", text="^")
        self.position = suffix.end

    def comparison(self, sign: QueryToken) -> None:
        """``>=10`` after a colon, or in the brackets of a field."""
        self.position = sign.end
        value = self.value(_COMPARED)
        if value is None:
            raise sign.error("no_bound")
        bound, inclusive = value.bound, "=" in sign.text or value.bound is None
        bounds = Bounds(bound, None, inclusive) if sign.text[0] == ">" else Bounds(None, bound, True, inclusive)
        self.add(self.since(sign.start, bounds))

    def range(self, opening: str) -> None:
        """``[a TO b]``: square brackets include the bound, curly ones exclude it. Bounds have no blanks or brackets."""
        start = self.position
        self.position += 1
        low, high = self.bound(start), self.bound(start, after_to=True)
        self.skip_blanks()
        closing = self.text[self.position : self.position + 1]
        self.position += 1
        if closing not in {"]", "}"}:
            raise self.since(start).error("range_not_closed")
        inclusive = opening == "[" or low is None, closing == "]" or high is None
        self.add(self.since(start, Bounds(low, high, *inclusive)))

    def bound(self, start: int, after_to: bool = False) -> str | None:
        if after_to and (to := self.range_part(start)).text != "TO":
            raise to.error("range_without_to")
        part = self.range_part(start)
        if part.text == "TO":
            raise part.error("range_without_bound")
        return part.bound

    def range_part(self, start: int) -> QueryToken:
        self.skip_blanks()
        if part := self.value(_BOUND):
            return part
        raise self.since(start).error("range_incomplete")

    def value(self, pattern: re.Pattern[str]) -> QueryToken | None:
        """Move past a phrase, or else past what ``pattern`` matches."""
        token = self.phrase() if self.text.startswith('"', self.position) else self.match(pattern)
        self.position = token.end if token else self.position
        return token

    def term(self) -> None:
        """Add a word, a field's name, or a value."""
        text = self.text[self.position : self.term_end()]
        if not text:
            raise self.here("\\").error("escape_at_end")
        if len(text) > 1 and text[0] == text[-1] == "/":
            kind = "regex_value" if self.is_value() else "regex"
            raise self.here(text).error(kind, field=self.field())
        self.add(self.here(text, RESERVED.get(text, "TERM")))

    def term_end(self) -> int:
        """Return where the term ends that starts here; the top of the module says which colons are part of it."""
        is_value, end = self.is_value(), self.position
        while end < len(self.text):
            if matched := _TERM.match(self.text, end):
                end = matched.end()
            elif self.text[end] == ":" and end > self.position and (is_value or self.is_part(end)):
                is_value = is_value or self.text.startswith("://", end)
                end += 1
            else:
                break
        return end

    def field(self) -> str:
        """Return the name, as written, of the field whose value is at the current position."""
        return self.tokens[-2].text if len(self.tokens) > 1 else ""

    def is_value(self) -> bool:
        """Return whether a colon is directly before the current position."""
        return bool(self.tokens) and self.tokens[-1].kind == "COLON" and self.tokens[-1].end == self.position

    def is_part(self, colon: int) -> bool:
        """Return whether a colon belongs to a URL or a time."""
        after = self.text[colon + 1 : colon + 3]
        return after == "//" or (after[:1].isdigit() and _TIME.fullmatch(self.text, self.position, colon) is not None)
