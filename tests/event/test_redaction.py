"""Personal data and secrets in text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.redaction import _PATTERNS, KINDS, _step, masker, redactor

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

CASES = [  # id, text, the same redacted
    ("email", "from a.b+c@example.co.kr to x", "from <email> to x"),
    ("email_in_brackets", "<kim@example.com>", "<<email>>"),
    ("email_in_url", "/u?mail=kim%40example.com&x=1", "/u?mail=<email>&x=1"),
    ("no_domain", "root@localhost x@y", "root@localhost x@y"),
    ("card", "4111111111111111", "<card>"),
    ("card_in_groups", "a 4111 1111 1111 1111, 5500-0055-5555-5559", "a <card>, <card>"),
    ("card_of_15_digits", "378282246310005", "<card>"),
    ("dates_are_no_card", "2026-11-22-10-00-00-120", "2026-11-22-10-00-00-120"),
    ("card_check_digit", "4111 1111 1111 1112", "4111 1111 1111 1112"),
    ("no_card_in_a_number", "14111111111111111 4111111111111111.5x", "14111111111111111 <card>.5x"),
    ("epoch", "1701310000000 1764404400000000000", "1701310000000 1764404400000000000"),
    ("resident_number", "900101-1234567", "<resident_number>"),
    ("resident_number_without_hyphen", "9001011234568", "<resident_number>"),
    ("resident_check_digit", "9001011234567", "9001011234567"),
    ("resident_number_of_no_day", "901301-1234567 900132-1234567", "901301-1234567 900132-1234567"),
    ("mobile", "010-1234-5678, 01012345678 011.123.4567", "<phone>, <phone> <phone>"),
    ("mobile_abroad", "+82 10 1234 5678 +82-(0)10-1234-5678 +821012345678", "<phone> <phone> <phone>"),
    ("landline", "02-123-4567 031-123-4567 070-1234-5678", "<phone> <phone> <phone>"),
    (
        "no_phone",
        "021234567 2026-11-22 1-010-1234-5678 010-1234 5678",
        "021234567 2026-11-22 1-010-1234-5678 010-1234 5678",
    ),
    ("token", "GET /?token=abc.d&x=1 HTTP", "GET /?token=<url_token>&x=1 HTTP"),
    ("token_of_any_case", "?x=1&API_KEY=a%20b;Password=c#d", "?x=1&API_KEY=<url_token>;Password=<url_token>#d"),
    ("token_quoted", '"/?sessionid=abc" next', '"/?sessionid=<url_token>" next'),
    ("token_in_json", r"?token=a\u00e9b\/c\"d", r"?token=<url_token>\"d"),
    ("url_in_json", r"https:\/\/kim:secret@host", r"https:\/\/<url_token>@host"),
    ("other_parameters", "/?tokens=5&page=2&keyword=x", "/?tokens=5&page=2&keyword=x"),
    ("password_in_url", "https://kim:secret@host/ http://host/a@b", "https://<url_token>@host/ http://host/a@b"),
    ("ip", "1.2.3.4 and 10.20.30.40:80", "1.2.3.0 and 10.20.30.0:80"),
    ("no_ip", "1.2.3 1.2.3.4.5 256.1.1.1 v1.2.3.4", "1.2.3 1.2.3.4.5 256.1.1.1 v1.2.3.4"),
    ("jwt", f"Bearer {TOKEN}, next", "Bearer <jwt>, next"),
    ("jwt_in_a_url", f"/?a={TOKEN}&b=1", "/?a=<jwt>&b=1"),
    ("no_jwt", "eyJhbGciOi.eyJ zeyJhbGciOiJI.eyJzdWIiOiIx.abc", "eyJhbGciOi.eyJ zeyJhbGciOiJI.eyJzdWIiOiIx.abc"),
    ("ipv6", "from 2001:db8:1:2:3:4:5:6, [2001:DB8:1::5]:80", "from 2001:db8:1::, [2001:db8:1::]:80"),
    ("ipv6_short", "::1 fe80::1%eth0 2001:db8::", ":: fe80::%eth0 2001:db8::"),
    ("ipv6_with_ipv4", "::ffff:10.1.2.3", "::"),
    (
        "no_ipv6",
        "10:00:00 aa:bb:cc:dd:ee:ff std::vector a::b::c :: 1:2",
        "10:00:00 aa:bb:cc:dd:ee:ff std::vector a::b::c :: 1:2",
    ),
    ("nothing", "서울 2026-11-22T10:00:00.000Z 200 0.123", "서울 2026-11-22T10:00:00.000Z 200 0.123"),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_redaction(text: str, expected: str) -> None:
    assert redactor(KINDS)(text) == expected


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("서울 kim@example.com", "서울 ***************"),
        (f'"{TOKEN}"', '"' + "*" * len(TOKEN) + '"'),
        ("2001:db8:1:2:3:4:5:6 fe80::1:2 ::ffff:10.1.2.3", "2001:db8:1:0:0:0:0:0 fe80::0:0 ::0000:00.0.0.0"),
        ('{"card":4111111111111111}', '{"card":9999999999999999}'),
        ("010-1234-5678 900101-1234567", "999-9999-9999 999999-9999999"),
        ("/?token=비밀&x=1", "/?token=******&x=1"),
        ("1.2.3.4 1.2.3.44 1.2.3.144", "1.2.3.0 1.2.3.10 1.2.3.100"),
        ("nothing", "nothing"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    assert masker(KINDS)(text.encode()).decode() == masked


JSON = st.recursive(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
TEXTS = st.lists(st.sampled_from(["a@b.kr", "4111111111111111", "010-1234-5678", "?key=é&", "xx://a:b@", "1.2.3.44"]))


@given(JSON, TEXTS, st.booleans())
def test_masked_json_is_json_of_the_same_length(value: object, texts: list[str], ascii_only: bool) -> None:
    data = json.dumps([value, " ".join(texts), 4111111111111111], ensure_ascii=ascii_only).encode("utf-8", "replace")
    masked = masker(KINDS)(data)
    assert len(masked) == len(data)
    assert masked.count(b"\n") == data.count(b"\n")
    assert json.loads(masked)[2] == 9999999999999999
    assert not any(text.encode() in masked for text in texts[:1])
    assert masker(KINDS)(masked) == masked


def test_only_the_kinds_that_are_named() -> None:
    text = "kim@example.com 010-1234-5678 1.2.3.4"
    assert redactor(["phone"], "X{kind}X")(text) == "kim@example.com XphoneX 1.2.3.4"
    assert redactor([])(text) == text


PARTS = ["a", "@", "a.", "1", "1.", "4", "0", "-", " ", "%40", "://", "?token=", "010-", "900101", "é"]


@given(st.lists(st.sampled_from(PARTS), max_size=30))
def test_a_redacted_text_has_nothing_to_redact(parts: list[str]) -> None:
    redact = redactor(["email", "card", "resident_number", "phone"], "***")
    once = redact("".join(parts))
    assert redact(once) == once


NEAR = [
    "4111111111111111",
    "010-1234-5678",
    "900101-1234567",
    "a@b.kr",
    "1.2.3.4",
    "256.",
    "-1",
    "x",
    ".5",
    " ",
    "(",
    "+82",
]


@given(st.lists(st.sampled_from([*PARTS, *NEAR]), max_size=20), st.sampled_from(KINDS))
def test_nothing_is_missed_by_looking_only_where_something_may_be(parts: list[str], kind: str) -> None:
    text = "".join(parts)
    everywhere = text
    for pattern in _PATTERNS:
        if pattern.kind == kind:
            everywhere = _step(pattern, pattern.mask)(everywhere)
    masked = masker([kind])(text.encode("latin-1")).decode("latin-1")
    assert all(new == other for old, new, other in zip(text, masked, everywhere, strict=True) if other != old)


@pytest.mark.sampled
@pytest.mark.parametrize("part", PARTS)
def test_long_texts(part: str) -> None:
    """The time is linear: with a square this would take minutes."""
    redactor(KINDS)(part * 300_000)
