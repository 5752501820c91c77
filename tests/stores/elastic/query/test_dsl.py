from __future__ import annotations

from typing import Any

import pytest

from ingestd.stores.base import StoreError
from ingestd.stores.elastic.query.dsl import ALL, NONE, clause, fields_of, query_clause
from ingestd.stores.elastic.query.mapping import FieldMapping, Fields, FieldType, dotted, fields_parameter
from ingestd.stores.elastic.query.scope import scope_of
from ingestd.stores.lucene import parse
from ingestd.stores.query import FREE_FIELDS, Equal, Gap, Like, Or, Query


def caps(kind: str, indices: list[str] | None = None) -> dict[str, Any]:
    return {kind: {"type": kind, "searchable": kind != "object", "aggregatable": True, "indices": indices}}


CAPS = {
    "indices": ["a", "b"],
    "fields": {
        "@timestamp": caps("date"),
        "message": caps("text"),
        "stack_trace": caps("text"),
        "level": caps("keyword"),
        "word": caps("keyword"),
        "n": caps("integer"),
        "tiny": caps("byte"),
        "x": caps("double"),
        "flag": caps("boolean"),
        "ip": caps("ip"),
        "when": caps("date"),
        "place": caps("geo_point"),
        "body": caps("text"),
        "title": caps("text"),
        "title.keyword": caps("keyword"),
        "mixed": {**caps("long", ["a"]), **caps("keyword", ["b"])},
        "o": caps("object"),
        "host": caps("keyword"),
        "host.name": caps("keyword"),
        "o.p": caps("keyword"),
        "gone": {"unmapped": {"type": "unmapped", "searchable": False, "aggregatable": False}},
    },
}
FIELDS = Fields.read(CAPS, scope_of("logstash-*", None, []))


def either(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"should": list(parts), "minimum_should_match": 1}}


CLAUSES: dict[str, tuple[str, dict[str, Any]]] = {
    "everything": ("*", ALL),
    "nothing": ("-*", NONE),
    "value": ("word:x", {"term": {"word": "x"}}),
    "level": ("level:warn", {"terms": {"level": ["warn", "WARN", "Warn"]}}),
    "level_pattern": ("level:w*", {"wildcard": {"level": {"value": "w*", "case_insensitive": True}}}),
    "number": ("n:404", {"term": {"n": 404}}),
    "number_written_as_float": ("n:404.0", {"term": {"n": 404}}),
    "no_number": ("n:x", NONE),
    "no_integer": ("n:1.5", NONE),
    "number_too_large": ("tiny:128", NONE),
    "float": ("x:1.50", {"term": {"x": 1.5}}),
    "truth": ("flag:true", {"term": {"flag": "true"}}),
    "no_truth": ("flag:yes", NONE),
    "address": ("ip:10.0.0.1", {"term": {"ip": "10.0.0.1"}}),
    "no_address": ("ip:10.0.0", NONE),
    "unknown": ("nobody:x", NONE),
    "unmapped": ("gone:x", NONE),
    "place": ("place:x", NONE),
    "not_unknown": ("-nobody:x", ALL),
    "text_field": ("body:x", {"match_phrase": {"body": "x"}}),
    "keyword_beside_text": ("title:x", {"term": {"title.keyword": "x"}}),
    "pattern_of_keyword_beside_text": ("title:x*", {"wildcard": {"title.keyword": {"value": "x*"}}}),
    "escaped_pattern": (r"word:\**", {"wildcard": {"word": {"value": r"\**"}}}),
    "exists": ("_exists_:title", {"exists": {"field": "title"}}),
    "exists_object": ("_exists_:o", {"exists": {"field": "o.p"}}),
    "exists_either": ("_exists_:host", either({"exists": {"field": "host"}}, {"exists": {"field": "host.name"}})),
    "exists_unknown": ("_exists_:nobody", NONE),
    "kinds": (
        "mixed:5",
        either(
            {"bool": {"filter": [{"terms": {"_index": ["a"]}}, {"term": {"mixed": 5}}]}},
            {"bool": {"filter": [{"terms": {"_index": ["b"]}}, {"term": {"mixed": "5"}}]}},
        ),
    ),
    "kinds_of_a_word": ("mixed:x", {"bool": {"filter": [{"terms": {"_index": ["b"]}}, {"term": {"mixed": "x"}}]}}),
    "range": ("n:[1 TO 5}", {"range": {"n": {"gte": 1, "lt": 5}}}),
    "range_beyond": ("tiny:[100 TO 1000]", {"range": {"tiny": {"gte": 100}}}),
    "range_outside": ("tiny:>1000", NONE),
    "range_around": ("tiny:[-1000 TO 1000]", {"exists": {"field": "tiny"}}),
    "range_of_words_in_numbers": ("n:[a TO z]", NONE),
    "range_of_words": ("word:>=a", {"range": {"word": {"gte": "a"}}}),
    "range_of_addresses": ("ip:<10.0.0.9", {"range": {"ip": {"lt": "10.0.0.9"}}}),
    "range_of_truth": ("flag:>a", NONE),
    "digits": (
        "tiny:1*",
        either(
            {"range": {"tiny": {"gte": 1, "lte": 1}}},
            {"range": {"tiny": {"gte": 10, "lte": 19}}},
            {"range": {"tiny": {"gte": 100}}},
        ),
    ),
    "word": (
        "Time",
        either({"wildcard": {"message": {"value": "*time*"}}}, {"wildcard": {"stack_trace": {"value": "*time*"}}}),
    ),
    "words": (
        'message:"A b c"',
        {
            "span_near": {
                "clauses": [
                    {"span_multi": {"match": {"wildcard": {"message": {"value": "*a"}}}}},
                    {"span_term": {"message": "b"}},
                    {"span_multi": {"match": {"prefix": {"message": {"value": "c"}}}}},
                ],
                "slop": 0,
                "in_order": True,
            }
        },
    ),
    "pattern_in_word": ("message:A*b", {"wildcard": {"message": {"value": "*a*b*"}}}),
    "and": ("word:a word:b", {"bool": {"filter": [{"term": {"word": "a"}}, {"term": {"word": "b"}}]}}),
    "and_nothing": ("word:a nobody:b", NONE),
    "or_nothing": ("word:a OR nobody:b", {"term": {"word": "a"}}),
    "not": ("-word:a", {"bool": {"must_not": [{"term": {"word": "a"}}]}}),
}


@pytest.mark.parametrize(("text", "expected"), CLAUSES.values(), ids=CLAUSES.keys())
def test_clause(text: str, expected: dict[str, Any]) -> None:
    assert query_clause(Query(condition=parse(text)), FIELDS) == expected


def test_many_values_of_a_field_are_one_clause() -> None:
    values = tuple(f"w{number}" for number in range(2_000))
    condition = Or((*(Equal("word", value) for value in values), Equal("n", "1"), Equal("host", "a")))
    expected = either({"term": {"n": 1}}, {"term": {"host": "a"}}, {"terms": {"word": list(values)}})
    assert clause(condition, FIELDS) == expected


def test_times() -> None:
    found = query_clause(Query("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", parse("word:a")), FIELDS)
    times = {"format": "strict_date_optional_time", "gte": "2026-11-22T00:00:00Z", "lt": "2026-11-23T00:00:00Z"}
    assert found == {"bool": {"filter": [{"range": {"@timestamp": times}}, {"term": {"word": "a"}}]}}


COPY = "restored-logstash-2026.11.22"


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("word:a", True),
        (f"_index:{COPY}", False),
        ("_index:restored-* word:a", False),
        ("word:a OR _index:*-2026.11.22", False),
        ("_index:*", False),
        (f"-_index:{COPY}", True),
        ("_index:logstash-2026.11.22", True),
    ],
)
def test_a_copy_is_left_out_unless_the_query_names_it(text: str, left_out: bool) -> None:
    condition = parse(text)
    scope = scope_of("logstash-*", condition, [COPY])
    assert (scope.left_out, scope.indices) == (
        ((COPY,), "logstash-*") if left_out else ((), "logstash-*,ingestd-copy-of-*")
    )


def test_the_clause_of_what_is_left_out() -> None:
    fields = Fields(FIELDS.mappings, scope_of("logstash-*", None, [COPY]))
    without = {"bool": {"must_not": [{"terms": {"_index": [COPY]}}]}}
    assert query_clause(Query(), fields) == without
    assert query_clause(Query(condition=parse("word:a")), fields) == {
        "bool": {"filter": [{"term": {"word": "a"}}, without]}
    }


UNANSWERED = [Like("n", (Gap.MANY, "4")), Like("x", ("1", Gap.MANY)), Like("ip", ("1", Gap.ONE))]


@pytest.mark.parametrize("condition", UNANSWERED)
def test_patterns_that_cannot_be_queried(condition: Like) -> None:
    with pytest.raises(StoreError, match=r"is a number: a wildcard must be at its end|it has no wildcards here"):
        clause(condition, FIELDS)


@pytest.mark.parametrize("number", [0, 5, 10, 42, 99, 100, 127, -1, -5, -12, -128])
@pytest.mark.parametrize(
    "pattern", [("1", Gap.MANY), (Gap.ONE,), (Gap.ONE, Gap.ONE), ("-", Gap.MANY), ("-1", Gap.ONE), ("0", Gap.MANY)]
)
def test_digits_match_the_number_as_written(number: int, pattern: tuple[str | Gap, ...]) -> None:
    head = "".join(piece for piece in pattern if isinstance(piece, str))
    open_end = Gap.MANY in pattern
    written = str(number)
    least = len(head) + pattern.count(Gap.ONE)
    expected = written.startswith(head) and (len(written) >= least if open_end else len(written) == least)
    found = clause(Like("tiny", pattern), FIELDS)
    ranges = found["bool"]["should"] if "bool" in found else [found] if found != NONE else []
    limits = [part["range"]["tiny"] for part in ranges]
    assert any(limit.get("gte", -128) <= number <= limit.get("lte", 127) for limit in limits) == expected


def test_fields_of() -> None:
    condition = parse("x AND (a:1 OR -b:[1 TO 2]) AND _exists_:c AND d:x*")
    assert list(fields_of(condition)) == [*FREE_FIELDS, "a", "b", "c", "d"]
    assert list(fields_of(None)) == []


def test_fields_parameter() -> None:
    assert fields_parameter(["level", "[a][b]", "level", ""]) == "a.b,a.b.*,level,level.*"
    assert fields_parameter([]) == ""
    assert fields_parameter(f"field{number}" for number in range(1000)) == "*"
    assert dotted("[a][b]") == "a.b"


def test_mappings() -> None:
    assert FIELDS.values("title") == (FieldMapping("title.keyword", FieldType.KEYWORD),)
    assert FIELDS.direct("title") == (FieldMapping("title", FieldType.TEXT),)
    assert FIELDS.direct("gone") == ()
    assert FIELDS.inside("[o]") == ["o.p"]
    assert [way.indices for way in FIELDS.values("mixed")] == [("a",), ("b",)]
