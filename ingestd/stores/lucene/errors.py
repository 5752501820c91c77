"""What can be wrong with a query: a sentence for each kind, and a hint; the page has them in its languages, too."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ingestd.stores.query import QueryError

_QUOTE_IT = 'put it in quotes if it is meant as text: "{text}"'
_RANGE = "as in [400 TO 499], or [400 TO *]"
_TIME = "as in 2026-11-22, 2026-11-22T10:05 or 2026-11-22T19:05:00+09:00; without an offset it is UTC"

TEXTS: Mapping[str, tuple[str, str]] = {
    "too_long": ("the query has {size} characters; the limit is {limit}", "make it shorter"),
    "too_many_terms": ("the query has too many terms; the limit is {limit}", ""),
    "too_many_words": ("too many words: a phrase or value may have at most {limit}", ""),
    "too_many_brackets": ("more than {limit} nested brackets", ""),
    "too_many_conditions": ("more than {limit} nested conditions", ""),
    "bracket_not_closed": ("this bracket is not closed", "add a )"),
    "bracket_not_opened": ("this bracket was not opened", _QUOTE_IT),
    "brackets_empty": ("nothing in these brackets", _QUOTE_IT),
    "quote_not_closed": ("this quote is not closed", 'add a ", or write \\" for a quote within the text'),
    "escape_at_end": ("nothing after the \\", "write \\\\ for a backslash"),
    "minus_apart": ("'-' must be directly before what is excluded", _QUOTE_IT),
    "plus_apart": ("'+' must be directly before what is required", _QUOTE_IT),
    "fuzzy": ("fuzzy search (~) is not supported", "use wildcards: wo*d, w?rd"),
    "tilde": ("fuzzy search (~) is not supported", _QUOTE_IT),
    "boost": ("^ must follow a term and be followed by a number", _QUOTE_IT),
    "regex": ("regular expressions are not supported", _QUOTE_IT),
    "regex_value": (
        "regular expressions are not supported",
        'a path is put in quotes: {field}:"{text}"; for all paths below it, write {field}:{text}*',
    ),
    "nothing_after": ("nothing to search for after {text}", _QUOTE_IT),
    "nothing_before": ("nothing to search for before {text}", _QUOTE_IT),
    "no_value": ("no value for the field {field}", 'write {field}:VALUE, or {field}:"" for none'),
    "no_field": ("a colon must follow a field name", _QUOTE_IT),
    "no_bound": ("no value after {text}", "as in status_code:>=400"),
    "field_in_field": ("a field inside the field {field}", _QUOTE_IT),
    "field_wildcard": ("a field name cannot contain wildcards", "write \\* for a literal *"),
    "field_brackets": ("the brackets of this field do not match", "write [a][b], or a.b"),
    "field_depth": ("a field may have at most {limit} levels, and this one has {depth}", ""),
    "exists": ("_exists_ takes a single field name", "as in _exists_:user"),
    "no_word": ("this contains no word to search for", "only words are searched, not the punctuation between"),
    "wildcard_alone": ("a wildcard must be part of a single word", "put it next to a letter"),
    "range_without_field": ("a range needs a field, as in status_code:>=400", _QUOTE_IT),
    "range_of_text": ("{field} is text: it has words, but no order", ""),
    "range_not_closed": ("this range is not closed by ] or }", 'as in [400 TO 499] or ["a b" TO "c d"]'),
    "range_without_to": ("TO must be between the bounds of a range", "as in [400 TO 499]"),
    "range_without_bound": ("a bound of this range is missing", "write * for no bound: [400 TO *]"),
    "range_incomplete": ("this range is not complete", _RANGE),
    "unknown_level": ("{text} is not a known level", "the levels are: {levels}"),
    "not_a_time": ("'{text}' is not a time", _TIME),
    "no_such_time": ("there is no {text}", _TIME),
}

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def query_error(kind: str, column: int, length: int, **values: str | int) -> QueryError:
    """Return the error of a kind at ``column`` (from 1); ``values`` replace the placeholders of its texts."""
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    message, hint = (_PLACEHOLDER.sub(lambda found: shown[found[1]], text) for text in TEXTS[kind])
    return QueryError(message, column, length, hint, kind, shown)
