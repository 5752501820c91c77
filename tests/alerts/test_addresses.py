"""Addresses of e-mails as people write them."""

from __future__ import annotations

import pytest

from ingestd.alerts.addresses import address_mistake, mailbox

GOOD = [  # text, name, the address on the wire
    ("ops@shop.test", "", "ops@shop.test"),
    (" <ops@shop.test> ", "", "ops@shop.test"),
    ("Kim <ops@shop.test>", "Kim", "ops@shop.test"),
    ("운영팀 <ops@shop.test>", "운영팀", "ops@shop.test"),
    ('"Kim, Ops" <ops@shop.test>', "Kim, Ops", "ops@shop.test"),
    ("root", "", "root"),
    ("Root <root>", "Root", "root"),
    ('"kim lee"@shop.test', "", '"kim lee"@shop.test'),
    ("ops@[192.0.2.1]", "", "ops@[192.0.2.1]"),
    ("철수@shop.test", "", "철수@shop.test"),
    ("ops@예시.한국", "", "ops@xn--vv4b11d.xn--3e0b707e"),
    ("ops@faß.test", "", "ops@faß.test"),  # IDNA 2003, which Python has, takes it for fass.test, 2008 does not
]


@pytest.mark.parametrize(("text", "name", "address"), GOOD, ids=[row[0] for row in GOOD])
def test_addresses(text: str, name: str, address: str) -> None:
    assert address_mistake(text) == ""
    assert (mailbox(text).display_name, mailbox(text).addr_spec) == (name, address)


MORE, NONE, QUOTES = (
    "has more than one address",
    ": write ops@example.org, or Name <",
    "a name with a comma or bracket has",
)
BAD = [
    ("a@x, b@y", MORE),
    ("Kim <a@x>, Lee <b@y>", MORE),
    ("a@x <b@y>", MORE),
    ("team: a@x, b@y;", MORE),
    ("a@x; b@y", NONE),
    ("a@x b@y", NONE),
    ("a@x b", NONE),
    ("log alerts", NONE),
    ("a@", NONE),
    ("@x", NONE),
    ("a@@x", NONE),
    ("", NONE),
    ("a@x,", NONE),
    ("Kim, Ops <a@x>", QUOTES),
    ("[Shop] Ops <a@x>", QUOTES),
    ("<a@x> b", QUOTES),
    ("a@x\nBcc: b@x", NONE),
    ("=?utf-8?q?a=0ABcc:_b@x?= <a@x>", QUOTES),
]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[repr(row[0]) for row in BAD])
def test_what_is_not_one_address(text: str, expected: str) -> None:
    found = address_mistake(text)
    assert found.startswith(repr(text))
    assert expected in found
