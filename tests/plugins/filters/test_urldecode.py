"""The filter ``urldecode``."""

from __future__ import annotations

import contextlib
import unicodedata
from typing import Any
from urllib.parse import quote, quote_from_bytes, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.filters.tables import Case, build, check

URL = "http%3A%2F%2Flogstash.net%2Fdocs%2F1.3.2"
PLAIN = "http://logstash.net/docs/1.3.2"
EUC = quote_from_bytes("서울".encode("cp949"))
NFD = unicodedata.normalize("NFD", "서울")

CASES = [
    Case("escapes", {}, {"message": URL}, {"message": PLAIN}),
    Case("nothing_escaped", {}, {"message": PLAIN}, {"message": PLAIN}),
    Case("other_field", {"field": "url"}, {"url": URL, "message": URL}, {"url": PLAIN, "message": URL}),
    Case("nested_field", {"field": "[a][b]"}, {"a": {"b": URL, "c": 1}}, {"a": {"b": PLAIN, "c": 1}}),
    Case("missing_stays_missing", {"field": "url"}, {"message": "%20"}, {"message": "%20"}),
    Case("null", {}, {"message": None}, {"message": None}),
    Case("number", {}, {"message": 20}, {"message": 20}),
    Case("array", {}, {"message": [URL, 1, "x"]}, {"message": [PLAIN, 1, "x"]}),
    Case("hash", {}, {"message": {"url": URL, "n": None}}, {"message": {"url": PLAIN, "n": None}}),
    Case("keys_stay", {}, {"message": {"%20": "%20"}}, {"message": {"%20": " "}}),
    Case("all_fields", {"all_fields": True}, {"message": URL, "b": [URL]}, {"message": PLAIN, "b": [PLAIN]}),
    Case("all_fields_but_metadata", {"all_fields": True}, {"@metadata": {"a": "%20"}}, {"@metadata": {"a": "%20"}}),
    Case("literal_and_escaped", {}, {"message": "europ%C3%A9enne européenne"}, {"message": "européenne européenne"}),
    Case("lower_case_digits", {}, {"message": "%ec%84%9c"}, {"message": "서"}),
    Case("no_escapes", {}, {"message": "100% %zz %4"}, {"message": "100% %zz %4"}),
    Case("percent_escaped", {}, {"message": "%2525"}, {"message": "%25"}),
    Case("nul", {}, {"message": "a%00b"}, {"message": "a\0b"}),
    Case("plus_stays", {}, {"message": "a+b%2B"}, {"message": "a+b+"}),
    Case("plus_as_space", {"plus_as_space": True}, {"message": "a+b%2B+"}, {"message": "a b+ "}),
    Case("plus_alone", {"plus_as_space": True}, {"message": "a+b"}, {"message": "a b"}),
    Case(
        "not_utf8",
        {},
        {"message": "/a/sa/search?rgu=0;+%C3%BB%D3%D0%D5%D2%B5%BD=;+%B7%A2%CB%CD="},
        {"message": "/a/sa/search?rgu=0;+û\\xD3\\xD0\\xD5ҵ\\xBD=;+\\xB7\\xA2\\xCB\\xCD="},
    ),
    Case("not_utf8_quotes_as_ruby", {}, {"message": '"%FF\t#{x}'}, {"message": '\\"\\xFF\\t\\#{x}'}),
    Case("surrogate_escaped", {}, {"message": "%ED%A0%80"}, {"message": "\\xED\\xA0\\x80"}),
    Case("charset", {"charset": "ISO-8859-1"}, {"message": "caf%E9"}, {"message": "café"}),
    Case("charset_cp949", {"charset": "CP949"}, {"message": EUC}, {"message": "서울"}),
    Case("charset_undecodable", {"charset": "EUC-KR"}, {"message": "%FF"}, {"message": "\ufffd"}),
    Case("charset_ruby_name", {"charset": "Windows-31J"}, {"message": "%83%8D"}, {"message": "ロ"}),
    Case("charset_counts_for_literals", {"charset": "Windows-1252"}, {"message": "é"}, {"message": "Ã©"}),
    Case("fallback", {"fallback_charset": "CP949"}, {"message": EUC}, {"message": "서울"}),
    Case("fallback_not_needed", {"fallback_charset": "CP949"}, {"message": quote("서울")}, {"message": "서울"}),
    Case("fallback_mixed", {"fallback_charset": "CP949"}, {"message": f"맛%EC%A7%91+{EUC}"}, {"message": "맛집+서울"}),
    Case(
        "fallback_two_bytes", {"fallback_charset": "CP949"}, {"message": "%C3%A5+%C3%DF%C3%B5"}, {"message": "책+추천"}
    ),
    Case("two_bytes_of_utf8", {"fallback_charset": "CP949"}, {"message": "caf%C3%A9"}, {"message": "café"}),
    Case("fallback_letter_as_trail_byte", {"fallback_charset": "CP949"}, {"message": "%8CAc"}, {"message": "똀c"}),
    Case("fallback_fails_too", {"fallback_charset": "CP949"}, {"message": "%FF+%20"}, {"message": "\\xFF+ "}),
    Case("normalize", {"normalize": "NFC"}, {"message": quote(NFD)}, {"message": "서울"}),
    Case("normalize_off", {}, {"message": quote(NFD)}, {"message": NFD}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_urldecode(case: Case) -> None:
    check("urldecode", case)


def test_value_without_escapes_keeps_its_identity() -> None:
    """Else the record would be rewritten for nothing."""
    value: dict[str, Any] = {"a": ["x", {"b": "y"}], "c": 1.5}
    event = {"message": value}
    build("urldecode", plus_as_space=True)(event)
    assert event["message"] is value


@pytest.mark.parametrize("option", ["charset", "fallback_charset"])
@pytest.mark.parametrize("name", ["klingon", "base64", "rot13"])
def test_unknown_encoding_fails_at_start(option: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"{option} '{name}' is not a known encoding"):
        build("urldecode", **{option: name})


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_decoding_undoes_encoding(text: str) -> None:
    event = {"message": quote(text, safe=""), "form": quote_plus(text)}
    build("urldecode")(event)
    build("urldecode", field="form", plus_as_space=True)(event)
    assert event == {"message": text, "form": text}


@given(st.text(st.sampled_from("%%%%0123456789abcdefABCDEF+ \t\r\n=.~_가"), max_size=12))
def test_escapes_are_those_of_bytes(text: str) -> None:
    """Whatever stands beside them: ``unquote`` of the standard library does the same, but for invalid bytes."""
    event = {"message": text}
    build("urldecode")(event)
    with contextlib.suppress(UnicodeDecodeError):
        assert event["message"] == unquote(text, errors="strict")


@given(
    st.text(st.sampled_from('%%%ABCEF0123456789+가a\ud800"#{'), max_size=30),
    st.sampled_from(["", "CP949", "UTF-16"]),
)
def test_anything_is_decoded(text: str, fallback: str) -> None:
    event = {"message": text}
    assert build("urldecode", fallback_charset=fallback, normalize="NFKC", all_fields=True)(event) is True
    assert isinstance(event["message"], str)
