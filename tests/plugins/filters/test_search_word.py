"""The filter ``search_word``."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.tables import Case, build, build_in, check

SEOUL = "%EC%84%9C%EC%9A%B8"


def word(id_: str, path: str, found: str | None, settings: dict[str, Any] | None = None, **record: Any) -> Case:
    """Return a case in which ``found`` is the word of a path; None: there is none."""
    before = {"request_path": path, "method": "GET", **record}
    after = before if found is None else before | {"search_word": found}
    return Case(id_, settings or {}, before, after, found is not None)


CASES = [
    word("plain", f"/search?q={SEOUL}", "서울"),
    word("names", "/search?query=a", "a"),
    word("later_parameter", f"/search?sort=new&q={SEOUL}&x=1#top", "서울"),
    word("u_escapes", "/search?q=%uC11C%uC6B8", "서울"),
    word("u_escape_pair", "/search?q=%uD83D%uDE00", "😀"),
    word("u_escape_half", "/search?q=%uD83D", "\ufffd"),
    word("brackets", f"/search?q[]={SEOUL}", "서울"),
    word("escaped_brackets", f"/search?q%5B%5D={SEOUL}", "서울"),
    word("index", f"/search?q%5b0%5d={SEOUL}", "서울"),
    word("capital", f"/search?Q={SEOUL}", "서울"),
    word("semicolon", f"/search?page=1;q={SEOUL};x=1", "서울"),
    word("semicolon_in_word", "/search?q=a;b&x=1", "a;b"),
    word("html_escaped", f"/search?page=1&amp;q={SEOUL}&amp;x=1", "서울"),
    word("blanks", "/search?q=++%EC%84%9C%EC%9A%B8++%EB%A7%9B%EC%A7%91+", "서울 맛집"),
    word("other_blanks", "/search?q=%E3%80%80a%C2%A0%09%00b%E2%80%8B", "a b"),
    word("only_blanks", "/search?q=%20%20", None),
    word("empty", "/search?q=", None),
    word("first_that_is_not_blank", "/search?q=+&query=a&word=b", "a"),
    word("case", "/search?q=Seoul+Food", "seoul food"),
    word("case_kept", "/search?q=Seoul%20Food", "Seoul Food", {"fold_case": False}),
    word("decomposed", "/search?q=%E1%84%89%E1%85%A5%E1%84%8B%E1%85%AE%E1%86%AF", "서울"),
    word("cp949", "/search?q=%BC%AD%BF%EF", "서울", {"fallback_charset": "CP949"}),
    word("not_utf_8", "/search?q=%BC", "\\xbc"),
    word("long", "/search?q=" + "%EC%84%9C" * 9999, "서" * 200),
    word("long_setting", "/search?q=abc+def", "abc", {"max_chars": 4}),
    word("page_1", "/search?q=jeju&page=1", "jeju"),
    word("page_01", "/search?q=jeju&page=01", "jeju"),
    word("page_2", "/search?q=jeju&page=2", None),
    word("page_10", "/search?page=10&q=jeju", None),
    word("page_last", "/search?page=last&q=jeju", None),
    word("page_empty", "/search?page=&q=jeju", "jeju"),
    word("page_setting", "/search?page=2&q=jeju&seite=1", "jeju", {"page_parameters": ["seite"]}),
    word("pages_counted", "/search?page=2&q=jeju", "jeju", {"page_parameters": []}),
    word("autocomplete", "/api/AutoComplete/?q=je", None),
    word("suggest", "/search/suggestions?q=je", None),
    word("static", "/static/app.js?s=83hf82", None),
    word("extension", "/app.css?s=83hf82", None),
    word("path_setting", "/static/a?q=x", "x", {"ignore_paths": "/hidden"}),
    word("extension_setting", "/a.js?q=x", "x", {"ignore_extensions": "html"}),
    word("parameter_setting", "/search?suchwort=a&q=b", "a", {"parameters": "suchwort"}),
    word("name_only_begins_so", "/search?quality=a", None),
    word("no_query", "/search/q=a", None),
    word("value_in_a_value", "/login?next=/search%3Fq%3Da", None),
    word("no_path", "", None),
    word("not_text", 5, None),  # type: ignore[arg-type]
    word("post", "/search?q=a", "a", method="POST"),
    word("head", "/search?q=a", None, method="HEAD"),
    word("preflight", "/search?q=a", None, method="OPTIONS"),
    word("all_methods", "/search?q=a", "a", {"methods": []}, method="HEAD"),
    word("method_is_no_text", "/search?q=a", None, method=["GET"]),
    word("status_is_no_number", "/search?q=a", "a", {"ignore_status_codes": [301]}, status_code=[301]),
    word("no_visit", "/search?q=a", None, visit=False),
    word("visit", "/search?q=a", "a", visit=True, status_code=404),
    word("status_setting", "/search?q=a", None, {"ignore_status_codes": [301]}, status_code=301),
    Case(
        "there", {}, {"request_path": "/?q=a", "search_word": "x"}, {"request_path": "/?q=a", "search_word": "x"}, False
    ),
    Case(
        "nested",
        {"source": "[url][original]", "target": "[search][word]"},
        {"url": {"original": "/?q=a"}},
        {"url": {"original": "/?q=a"}, "search": {"word": "a"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_search_word(case: Case) -> None:
    check("search_word", case)


def test_words_of_stored_events_are_found_again() -> None:
    search_word = build_in(BuildContext(again=True), "search_word", {})
    event = {"request_path": "/?q=A", "search_word": "A"}
    assert search_word(event)
    assert event["search_word"] == "a"
    no_visit = {"request_path": "/?q=A", "search_word": "A", "visit": False}
    search_word(no_visit)
    assert "search_word" not in no_visit


PIECES = ["?", "&", ";", "q=", "=", "%", "%u", "%uD83D", "%EC", "+", "&amp;", "q[", "%5B", "page=", "2", "a", "#", " "]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_a_word_is_never_blank_nor_long(path: str) -> None:
    event = {"request_path": f"/?{path}"}
    build("search_word", fallback_charset="CP949", max_chars=9)(event)
    found = event.get("search_word", "x")
    assert found == " ".join(found.split())
    assert 0 < len(found) <= 9


@pytest.mark.parametrize("piece", [*PIECES, "?q=", "&q=", ";q", "&q=+", "%EC%84"])
def test_time_is_linear_in_the_length(piece: str) -> None:
    event = {"request_path": "/?q=" + piece * (200_000 // len(piece))}
    search_word = build("search_word", fallback_charset="CP949")
    begun = time.process_time()
    search_word(event)
    assert time.process_time() - begun < 1.0
