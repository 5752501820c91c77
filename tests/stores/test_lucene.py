from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores import lucene
from ingestd.stores.lucene.lexer import MAX_CHARS
from ingestd.stores.query import (
    FREE_FIELDS,
    MAX_FIELD_DEPTH,
    TEXT_FIELDS,
    And,
    Condition,
    Equal,
    Exists,
    Gap,
    Like,
    Not,
    Or,
    QueryError,
    Range,
    Text,
    Word,
)
from ingestd.stores.words import words

A, B, C, D = (Text(letter) for letter in "abcd")


def both(*parts: Condition) -> Condition:
    return And(parts)


def either(*parts: Condition) -> Condition:
    return Or(parts)


def levels(*names: str) -> Condition:
    return Or(tuple(Equal("level", name) for name in names))


CASES: dict[str, tuple[str, Condition | None]] = {
    "empty": ("", None),
    "blank": (" \t\n ", None),
    "word": ("a", A),
    "korean": ("맛", Text("맛")),
    "phrase": ('"서울 맛집"', Text("서울 맛집")),
    "field": ("level:ERROR", Equal("level", "ERROR")),
    "field_phrase": ('search_word:"서울 맛집"', Equal("search_word", "서울 맛집")),
    "field_empty": ('user:""', Equal("user", "")),
    "blank_behind_colon": ("user: kim", Equal("user", "kim")),
    "dotted": ("a.b.c:x", Equal("a.b.c", "x")),
    "escaped_name": (r"a\:b:x", Equal("a:b", "x")),
    "reference": (r"\[a\]\[b\]:x", Equal("[a][b]", "x")),
    "message": ("message:x", Text("x", ("message",))),
    "stack_trace": ('stack_trace:"x y"', Text("x y", ("stack_trace",))),
    # Operators.
    "and": ("a AND b", both(A, B)),
    "or": ("a OR b", either(A, B)),
    "signs_of_operators": ("a && b || !c", either(both(A, B), Not(C))),
    "blank_is_and": ("a b c", both(A, B, C)),
    "and_before_or": ("a AND b OR c AND d", either(both(A, B), both(C, D))),
    "or_before_blank": ("a b OR c d", both(A, either(B, C), D)),
    "not": ("NOT a AND b", both(Not(A), B)),
    "minus": ("a -b", both(A, Not(B))),
    "plus_says_nothing": ("+a +b", both(A, B)),
    "twice_not": ("NOT NOT a", Not(Not(A))),
    "not_of_a_field": ("-level:INFO", Not(Equal("level", "INFO"))),
    "bang_behind_colon": ("level:!INFO", Not(Equal("level", "INFO"))),
    "bang_and_blank": ("! a", Not(A)),
    "not_before_and_before_or": ("NOT a AND b OR NOT c", either(both(Not(A), B), Not(C))),
    "not_of_one_term": ("NOT a b", both(Not(A), B)),
    "not_of_a_group": ("NOT (a OR b) c", both(Not(either(A, B)), C)),
    "not_and_minus": ("NOT -a", Not(Not(A))),
    "not_within_a_field": ("user: NOT a", Not(Equal("user", "a"))),
    "all_four": ("a b AND NOT c OR d", both(A, either(both(B, Not(C)), D))),
    "or_twice": ("a OR b OR c", either(A, B, C)),
    "or_of_blanks": ("a OR b c OR d", both(either(A, B), either(C, D))),
    "or_of_groups": ("(a b) OR (c d)", either(both(A, B), both(C, D))),
    "brackets_before_and": ("(a OR b) AND c", both(either(A, B), C)),
    "brackets_before_blank": ("a OR (b c)", either(A, both(B, C))),
    "or_before_not": ("a OR b NOT c", both(either(A, B), Not(C))),
    "or_before_minus": ("a OR b -c", both(either(A, B), Not(C))),
    "or_before_plus": ("a OR b +c OR d", both(either(A, B), either(C, D))),
    "or_before_minus_and_blank": ("a OR b -c d", both(either(A, B), Not(C), D)),
    "and_before_minus": ("a AND b -c OR d", both(A, B, either(Not(C), D))),
    "field_binds_closest": ("level:a OR b", either(Equal("level", "a"), B)),
    "field_group_precedence": ("f:(a OR b AND c)", either(Equal("f", "a"), both(Equal("f", "b"), Equal("f", "c")))),
    "group": ("a AND (b OR c)", both(A, either(B, C))),
    "groups": ("((a))", A),
    "flat": ("(a AND b) AND (c AND d)", both(A, B, C, D)),
    "operators_within_words": ("ORDER NOTE ANDROID TO1", both(*map(Text, ("ORDER", "NOTE", "ANDROID", "TO1")))),
    "lower_case_is_a_word": ("a and b", both(A, Text("and"), B)),
    "to_is_a_word": ("a TO b", both(A, Text("TO"), B)),
    "field_group": ("level:(ERROR OR CRITICAL)", levels("ERROR", "CRITICAL")),
    "field_group_with_signs": ("tags:(a -b)", both(Equal("tags", "a"), Not(Equal("tags", "b")))),
    "boost": ("a^2 (b c)^0.5", both(A, B, C)),
    # Ranges.
    "range": ("n:[1 TO 5]", Range("n", "1", "5")),
    "range_open": ("n:{1 TO 5}", Range("n", "1", "5", False, False)),
    "range_mixed": ("n:[1 TO 5}", Range("n", "1", "5", True, False)),
    "range_from": ("n:[1 TO *]", Range("n", "1", None)),
    "range_to": ("n:{* TO 5}", Range("n", None, "5", True, False)),
    "range_all": ("n:[* TO *]", Exists("n")),
    "range_negative": ("n:[-5 TO -1]", Range("n", "-5", "-1")),
    "range_phrases": ('w:["a b" TO "c d"]', Range("w", "a b", "c d")),
    "range_quoted_star": ('w:["*" TO z]', Range("w", '"*"'[1:-1], "z")),
    "more": ("n:>5", Range("n", "5", None, False)),
    "at_least": ("n:>=400", Range("n", "400", None)),
    "less": ("n:<5", Range("n", None, "5", True, False)),
    "at_most_negative": ("n:<=-5", Range("n", None, "-5")),
    "compared_phrase": ('w:>="a b"', Range("w", "a b", None)),
    "compared_in_group": ("n:(>=10 AND <20)", both(Range("n", "10", None), Range("n", None, "20", True, False))),
    # Levels.
    "threshold": ("level:>=WARNING", levels("WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")),
    "threshold_lower": ("level:>=error", levels("ERROR", "CRITICAL", "FATAL")),
    "above": ("level:>ERROR", levels("CRITICAL", "FATAL")),
    "level_range": ("level:[INFO TO WARN]", levels("INFO", "WARNING", "WARN")),
    "level_of_ecs": (
        "log.level:>=error",
        Or(tuple(Equal("log.level", name) for name in ("ERROR", "CRITICAL", "FATAL"))),
    ),
    "level_below": ("level:{* TO INFO}", levels("DEBUG")),
    # Wildcards.
    "like": ("path:/api/*", Like("path", ("/api/", Gap.MANY))),
    "like_one": ("w:c?t", Like("w", ("c", Gap.ONE, "t"))),
    "like_escaped": (r"w:c\?t*", Like("w", ("c?t", Gap.MANY))),
    "like_two_stars": ("w:a**b", Like("w", ("a", Gap.MANY, "b"))),
    "quoted_is_no_pattern": ('w:"a*"', Equal("w", "a*")),
    "exists": ("user:*", Exists("user")),
    "exists_by_name": ("_exists_:a.b", Exists("a.b")),
    "everything": ("*", And(())),
    "everything_of_kibana": ("*:*", And(())),
    "word_pattern": ("tim*out", Word(("tim", Gap.MANY, "out"))),
    "word_pattern_of_field": ("stack_trace:V?lue", Word(("V", Gap.ONE, "lue"), ("stack_trace",))),
    "star_at_ends_of_words": ("*time*", Text("time")),
    "question_mark_of_a_path": ("/search?q=", Text("/search?q=")),
    "question": ("what?", Word(("what", Gap.ONE))),
    # Signs that belong to values.
    "path": ("path:/search", Equal("path", "/search")),
    "paths": ("path:/a/b", Equal("path", "/a/b")),
    "ipv6": ("client_ip:2001:db8::1", Equal("client_ip", "2001:db8::1")),
    "url": ("http://host:8080/a", Text("http://host:8080/a")),
    "url_of_field": ("url:http://host:8080/a", Equal("url", "http://host:8080/a")),
    "time_of_day": ("10:05:33", Text("10:05:33")),
    "time_stamp": ("2026-11-22T10:05:33", Text("2026-11-22T10:05:33")),
    "escaped_colon": (r"a\:b", Text("a:b")),
    "escaped_blank": (r"w:a\ b", Equal("w", "a b")),
    "escaped_quote": (r'"say \"hi\""', Text('say "hi"')),
    "hyphen": ("time-out", Text("time-out")),
    "negative": ("n:-5", Equal("n", "-5")),
    "negative_in_text": ("w:a-b", Equal("w", "a-b")),
    "equals": ("q=서울&page=2", Text("q=서울&page=2")),
    "apostrophe": ("it's", Text("it's")),
    "term_and_phrase": ('a"b"', both(A, B)),
    # Times.
    "day": ("@timestamp:2026-11-22", Range("@timestamp", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", True, False)),
    "month": ("@timestamp:2026-12", Range("@timestamp", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", True, False)),
    "year": ("@timestamp:2026", Range("@timestamp", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", True, False)),
    "minute": (
        "@timestamp:2026-11-22T10:05",
        Range("@timestamp", "2026-11-22T10:05:00Z", "2026-11-22T10:06:00Z", True, False),
    ),
    "days": (
        "@timestamp:[2026-11-21 TO 2026-11-22]",
        Range("@timestamp", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z", True, False),
    ),
    "days_without_ends": (
        "@timestamp:{2026-11-20 TO 2026-11-22}",
        Range("@timestamp", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", True, False),
    ),
    "point": (
        '@timestamp:"2026-11-22T10:00:00.123Z"',
        Range("@timestamp", "2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.123Z"),
    ),
    "since_with_offset": (
        "@timestamp:>=2026-11-22T08:00:00+09:00",
        Range("@timestamp", "2026-11-21T23:00:00Z", None),
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_parse(text: str, expected: Condition | None) -> None:
    assert lucene.parse(text) == expected


ERRORS: dict[str, tuple[str, int, int, str]] = {  # text, column, length, part of the message
    "quote_open": ('level:"ERR', 7, 4, "this quote is not closed"),
    "bracket_open": ("a (b", 3, 1, "this bracket is not closed"),
    "bracket_extra": ("a)", 2, 1, "this bracket was not opened"),
    "square_extra": ("a]", 2, 1, "this bracket was not opened"),
    "brackets_empty": ("a ()", 4, 1, "nothing in these brackets"),
    "and_at_end": ("a AND", 3, 3, "nothing to search for after AND"),
    "and_at_begin": ("AND a", 1, 3, "nothing to search for before AND"),
    "and_twice": ("a AND AND b", 3, 3, "nothing to search for after AND"),
    "not_alone": ("NOT", 1, 3, "nothing to search for after NOT"),
    "not_before_bracket": ("(a OR)", 4, 2, "nothing to search for after OR"),
    "bang_alone": ("a !", 3, 1, "nothing to search for after !"),
    "minus_alone": ("a - b", 3, 1, "must be directly before what is excluded"),
    "field_without_value": ("a level:", 3, 5, "no value for the field level"),
    "or_then_and": ("a OR AND b", 3, 2, "nothing to search for after OR"),
    "or_in_brackets": ("a (OR b)", 4, 2, "nothing to search for before OR"),
    "signs_and_bracket": ("(a &&)", 4, 2, "nothing to search for after &&"),
    "not_before_and": ("a NOT AND b", 3, 3, "nothing to search for after NOT"),
    "minus_before_bracket": ("(a -)", 4, 1, "nothing to search for after -"),
    "plus_before_or": ("a +OR b", 3, 1, "nothing to search for after +"),
    "brackets_nested_empty": ("(())", 3, 1, "nothing in these brackets"),
    "field_before_and": ("level: AND b", 1, 5, "no value for the field level"),
    "second_field_without_value": ("a:b c:", 5, 1, "no value for the field c"),
    "field_without_value_in_group": ("(level:)", 2, 5, "no value for the field level"),
    "colon_alone": (":x", 1, 1, "follow a field name"),
    "colon_after_phrase": ('"a":b', 4, 1, "follow a field name"),
    "colon_after_group": ("(a):b", 4, 1, "follow a field name"),
    "colon_after_range": ("n:[1 TO 2]:b", 11, 1, "follow a field name"),
    "colon_after_operator": ("a AND :b", 3, 3, "nothing to search for after AND"),
    "field_in_field": ("a:(b:c)", 4, 3, "a field inside the field a"),
    "field_pattern": ("a*:x", 1, 4, "cannot contain wildcards"),
    "fuzzy": ("서울~2", 3, 2, "fuzzy search"),
    "proximity": ('"a b"~5', 6, 2, "fuzzy search"),
    "regex": ("path:/a.*b/", 6, 6, "regular expressions are not supported"),
    "boost_without_number": ("a^", 2, 1, "followed by a number"),
    "backslash_at_end": ("ab\\", 3, 1, "nothing after the \\"),
    "range_without_field": ("[1 TO 2]", 1, 8, "a range needs a field"),
    "comparison_without_field": (">=5", 1, 3, "a range needs a field"),
    "comparison_without_value": ("n:>=", 3, 2, "no value after >="),
    "range_of_text": ("message:[a TO b]", 9, 8, "no order"),
    "range_open_end": ("n:[1 TO 5", 3, 7, "not closed"),
    "range_without_to": ("n:[1 5]", 6, 1, "TO must be between"),
    "range_incomplete": ("n:[1 TO]", 3, 5, "not complete"),
    "range_empty": ("n:[]", 3, 1, "not complete"),
    "range_too_much": ("n:[1 TO 5 6]", 3, 9, "not closed"),
    "level_unknown": ("level:>=LOUD", 7, 6, "LOUD is not a known level"),
    "time_wrong": ("@timestamp:yesterday", 12, 9, "'yesterday' is not a time"),
    "time_not_there": ("@timestamp:2026-02-30", 12, 10, "there is no 2026-02-30"),
    "time_in_range": ("@timestamp:[now-1h TO *]", 12, 13, "'now-1h' is not a time"),
    "signs_only": ("a =>", 3, 2, "no word to search for"),
    "wildcard_beside_signs": ("foo-ba*r", 1, 8, "part of a single word"),
    "range_without_bound": ("n:[TO 5]", 4, 2, "a bound of this range is missing"),
    "field_before_field": ("a: b:c d", 4, 3, "a field inside the field a"),
    "syntax_before_meaning": ("a*:x AND", 6, 3, "nothing to search for after AND"),
    "exists_of_a_range": ("_exists_:>5", 10, 2, "a single field name"),
    "exists_of_nothing": ("_exists_:(a b)", 10, 5, "a single field name"),
    "field_brackets": ("\\[a\\[b:x", 1, 6, "brackets of this field"),
    "exists_brackets": ("_exists_:\\[a", 10, 3, "brackets of this field"),
    "field_depth": ("\\[a\\]" * 51 + ":x", 1, 255, "may have at most 50 levels, and this one has 51"),
    "field_depth_dots": ("x " + ".".join("a" * 60) + ":x", 3, 119, "this one has 60"),
    "exists_depth": ("_exists_:" + ".".join("a" * 51), 10, 101, "this one has 51"),
    "too_long": ("a" * (MAX_CHARS + 5), MAX_CHARS + 1, 5, "the limit is 10,000"),
    "too_many_brackets": ("(" * 51, 51, 1, "more than 50 nested brackets"),
    "too_many_words": ('"' + "a " * 201 + '"', 1, 404, "too many words"),
    "too_many_ideographs": ("東" * 201, 1, 201, "too many words"),
    "too_many_terms": ("a " * 600, 401, 1, "too many terms; the limit is 200"),
    "too_many_values": ("n:1 " * 199 + "a b", 799, 1, "too many terms"),
    "too_many_operands": ("a OR " * 300 + "a", 1001, 1, "too many terms"),
    "too_deep": ("NOT " * 30 + "a", 105, 17, "more than 25 nested conditions"),
    "too_deep_signs": ("-" * 9000 + "a", 27, 8975, "more than 25 nested conditions"),
    "too_deep_brackets": ("(" * 50 + "a" + ")" * 50, 27, 49, "more than 25 nested conditions"),
    "too_deep_operators": ("a AND (b OR " * 13 + "c" + ")" * 13, 104, 58, "more than 25 nested conditions"),
}


@pytest.mark.parametrize(("text", "column", "length", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_point_at_the_mistake(text: str, column: int, length: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        lucene.parse(text)
    assert message in caught.value.message
    assert (caught.value.column, caught.value.length) == (column, length)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a AND", 'put it in quotes if it is meant as text: "AND"'),
        ("level:", 'write level:VALUE, or level:"" for none'),
        ("level:>=LOUD", "the levels are: DEBUG, INFO, WARNING, WARN, ERROR, CRITICAL, FATAL"),
        ("/a/", 'put it in quotes if it is meant as text: "/a/"'),
        ("a)", 'put it in quotes if it is meant as text: ")"'),
        ("a ()", 'put it in quotes if it is meant as text: "()"'),
        (":x", 'put it in quotes if it is meant as text: ":"'),
        ("a:(b:c)", 'put it in quotes if it is meant as text: "b:…"'),
        (">=5", 'put it in quotes if it is meant as text: ">…"'),
        ("[1 TO 2]", 'put it in quotes if it is meant as text: "[…"'),
        ("(a", "add a )"),
        ('"a', 'add a ", or write \\" for a quote within the text'),
        ("a\\", "write \\\\ for a backslash"),
        ("a*:x", "write \\* for a literal *"),
        ("wor~", "use wildcards: wo*d, w?rd"),
        ("n:>=", "as in status_code:>=400"),
        ("n:[1 TO]", "as in [400 TO 499], or [400 TO *]"),
        ("n:[TO 1]", "write * for no bound: [400 TO *]"),
        ("n:[1 5]", "as in [400 TO 499]"),
        ("n:[1 TO 5", 'as in [400 TO 499] or ["a b" TO "c d"]'),
        ("_exists_:(a)", "as in _exists_:user"),
        ("=>", "only words are searched, not the punctuation between"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    with pytest.raises(QueryError) as caught:
        lucene.parse(text)
    assert caught.value.hint == hint


def place(text: str) -> tuple[int, int] | None:
    """Parse, and return column and length of the error, None if there is none."""
    try:
        lucene.parse(text)
    except QueryError as error:
        return error.column, error.length
    return None


@given(st.one_of(st.text(), st.text('ab:"()[]{}*?\\/-+!<>=^~&| \tTOANDRN@timestamp2026맛', max_size=60)))
def test_any_text_is_a_query_or_an_error_in_it(text: str) -> None:
    column, length = place(text) or (1, 1)
    assert 1 <= column <= max(len(text), 1)
    assert 1 <= length <= max(len(text) - column + 1, 1)


TOKENS = ["a", "(", ")", "NOT ", "AND ", "OR ", " ", "f:", "[a TO b]", ">=", '"x"', "-", "*", "^2 ", "TO "]


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_order_of_tokens(parts: list[str]) -> None:
    column, length = place("".join(parts)) or (1, 1)
    assert column + length - 1 <= max(len("".join(parts)), 1)


@pytest.mark.parametrize(
    "text",
    ["(" * MAX_CHARS, "a " * 5000, "NOT " * 2500, "a: " * 3000, '"' + "\\" * 9998, "-" * MAX_CHARS, "*?" * 5000],
    ids=["brackets", "words", "nots", "fields", "backslashes", "signs", "wildcards"],
)
def test_long_texts_are_parsed_quickly(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(QueryError):
        lucene.parse(text)
    assert time.process_time() - begun < 2


NAMES = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda name: (
        name not in {*TEXT_FIELDS, "@timestamp", "level", "_exists_"}
        and not name.startswith("[")  # which is a reference, and may be malformed
        and name.count(".") < MAX_FIELD_DEPTH
    )
)
TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = TEXT.filter(lambda text: text != "*")


@given(NAMES, TEXT)
def test_a_filter_is_read_as_written(field: str, value: str) -> None:
    assert lucene.parse(lucene.render_filter(field, value)) == Equal(field, value)
    assert lucene.parse(lucene.render_filter(field, value, exclude=True)) == Not(Equal(field, value))


@given(TEXT.filter(words))
def test_a_filter_of_a_text(value: str) -> None:
    assert lucene.parse(lucene.render_filter("message", value)) == Text(value, ("message",))


def _conditions() -> st.SearchStrategy[Condition]:
    piece = st.text("ab서1", min_size=1, max_size=3)
    patterns = st.tuples(piece, st.sampled_from(Gap), piece)
    fields = st.sampled_from([FREE_FIELDS, ("message",), ("stack_trace",)])
    leaves: st.SearchStrategy[Condition] = st.one_of(
        st.builds(Equal, NAMES, TEXT),
        st.builds(Exists, NAMES),
        st.builds(Like, NAMES, patterns),
        st.builds(Range, NAMES, PLAIN, PLAIN, st.booleans(), st.booleans()),
        st.builds(Range, NAMES, PLAIN, st.none(), st.booleans()),
        st.builds(Range, NAMES, st.none(), PLAIN, st.just(True), st.booleans()),
        st.builds(Text, TEXT.filter(words), fields),
        st.builds(Word, patterns, fields),
    )
    return st.recursive(leaves, _combined, max_leaves=8)


def _combined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3)
    kinds: st.SearchStrategy[type[And] | type[Or]] = st.sampled_from([And, Or])
    return st.one_of(st.builds(Not, inner), st.builds(_flat, kinds, several))


def _flat(kind: type[And] | type[Or], parts: list[Condition]) -> Condition:
    """Flatten nested conditions of the same kind, as the parser does."""
    return kind(tuple(inner for part in parts for inner in (part.parts if isinstance(part, kind) else [part])))


@given(_conditions())
def test_what_is_rendered_is_read_back(condition: Condition) -> None:
    assert lucene.parse(lucene.render(condition)) == condition


QUERY_PARTS = ["a ", "b* ", '"c d" ', "f:e ", "f:[a TO *] ", "f:<=5 ", "_exists_:g ", "message:h ", "f:( ", "( ", ") "]
OPERATORS = ["AND ", "OR ", "NOT ", "-", "+", "!", "&& ", "|| "]


@given(st.lists(st.sampled_from([*QUERY_PARTS, *OPERATORS]), max_size=12).map("".join))
def test_a_rendered_query_is_read_as_the_query(text: str) -> None:
    text += ")" * (text.count("(") - text.count(")"))
    try:
        condition = lucene.parse(text)
    except QueryError:
        return
    assert condition is None or lucene.parse(lucene.render(condition)) == condition


NESTED = [
    "(",
    "NOT ",
    "-",
    "+",
    "!",
    "f:(",
    "(a OR ",
    "(a AND ",
    "(a b ",
    "(a OR b -",
    "(a OR b +c AND ",
    "f: ",
]


@given(st.lists(st.sampled_from(NESTED), min_size=1, max_size=4).map("".join), st.integers(26, 2500))
def test_deep_nesting_is_an_error(unit: str, depth: int) -> None:
    text = unit * min(depth, 8000 // len(unit)) + "a"
    text += ")" * text.count("(")
    with pytest.raises(QueryError):
        lucene.parse(text)


def test_everything_and_nothing_are_rendered() -> None:
    assert lucene.parse(lucene.render(And(()))) == And(())
    assert lucene.parse(lucene.render(Or(()))) == Not(And(()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("ERROR", "ERROR"), ("서울 맛집", '"서울 맛집"'), ("", '""'), ("AND", '"AND"'), ("a*", '"a*"'), ('"', r'"\""')],
)
def test_quote(value: str, expected: str) -> None:
    assert lucene.quote(value) == expected


def test_a_path_in_slashes_is_no_regular_expression_and_the_error_says_how_to_write_it() -> None:
    with pytest.raises(QueryError, match="regular expressions are not supported") as caught:
        lucene.parse("request_path:/v1/")
    assert caught.value.hint == (
        'a path is put in quotes: request_path:"/v1/"; for all paths below it, write request_path:/v1/*'
    )
    assert lucene.parse('request_path:"/v1/"') == Equal("request_path", "/v1/")
    assert lucene.parse("request_path:/v1/*") == Like("request_path", ("/v1/", Gap.MANY))
