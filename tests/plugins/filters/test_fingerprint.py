"""The filter ``fingerprint``."""

from __future__ import annotations

import copy
import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.filters._murmur3 import hash32, hash128
from tests.plugins.filters.tables import Case, build, check

IP = "123.52.122.33"
KEY = "longencryptionkey"
HASHES = {  # of IP and with KEY, by openssl
    "SHA1": ("e3a176f7f9eae4fc77a62fe5ac015f3cf265b122", "4fa2c0f2f6ddb5039d7eba99d174e30fec7148dc"),
    "SHA256": (
        "735f6fd20a783b9137ba04038b266028560768dcb58f730692f3d2c90eaab439",
        "c3db9a1203003b633a76bd6f7451ced81bd627b095554e387f41f34e3e203809",
    ),
    "SHA384": (
        "bbcd1150f6a5e7f286f1976f8b18b8b6fd07a583f9826c1dcff5bae89c7db0f2abe210ae4da4b17b5ee8ae8e4c0bb771",
        "4a97f2270414ed16042e09fae5192c361a91361330cc0d6bb3c859cb2df8bed2b9baf2f769ecc5de3b075cf05a10fa3c",
    ),
    "SHA512": (
        "12a436aff6ddde3ce804e2b6b848b4a3f41c4a067983d2c0fe5438371cfbdc4e"
        "af7e86c91f46385010ad1197e7d5bf7803a22157b13ece1d0ba14d855df4ee2a",
        "fa3bb3ca6ce0638c75fd0e1a3f34432e793e2599a185c405eb9afa637ec75b18"
        "0f4fc6260f16a95b29f1e8cd1823222f18b6bc1d825f5328d3fa49f07fade5f6",
    ),
    "MD5": ("9d389b4edd30c5985c6fc63176626a9d", "d555c42eb3a5b75a40aec7ef000e4695"),
}
EMPTY = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
ONE, TWO = "fe05bcdcdc4928012781a5f1a2a77cbb5398e106", "ad782ecdac770fc6eb9a62e44f90873fb97fb26b"


def of(id_: str, value: Any, fingerprint: Any, **settings: Any) -> Case:
    """Return a case of the field ``message``."""
    return Case(id_, settings, {"message": value}, {"message": value, "fingerprint": fingerprint})


WHOLE = {
    "message": "hi",
    "@version": "1",
    "a": {"c": [True, {"d": '"'}], "b": {"z": 1.5, "y": None}},
    "@timestamp": "2026-11-22T10:00:00.000Z",
}

CASES = [
    *(of(f"{method}", IP, plain, method=method) for method, (plain, _) in HASHES.items()),
    *(of(f"{method}_hmac", IP, keyed, method=method, key=KEY) for method, (_, keyed) in HASHES.items()),
    of("base64", IP, "T6LA8vbdtQOdfrqZ0XTjD+xxSNw=", key=KEY, base64encode=True),
    of("base64_without_key", "", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", base64encode=True),
    of("korean", "서울", "ea9858eeebb6203cb5713f8ef5a55e415ea48255"),
    of("number", 42, "92cfceb39d57d914ed8b14d0e37643de0797ae56"),
    of("float_as_ruby", 1e20, "b8bb38620bac1330e67eecdc725464cf07f94189"),
    of("boolean", True, "5ffe533b830f08a0326348a9160afafc8ada44db"),
    of("null", None, EMPTY),
    of("array", ["one", "two"], [ONE, TWO]),
    of("empty_array", [], []),
    of("hash_in_any_order", {"b": {"d": 3, "c": 2}, "a": 1}, "27009f53d104c8a1b3c76ce07c2c63c841a2ce0f"),
    Case("missing", {}, {"other": 1}, {"other": 1}),
    Case(
        "nested",
        {"source": "[a][b]", "target": "[c][d]"},
        {"a": {"b": "one"}},
        {"a": {"b": "one"}, "c": {"d": ONE}},
    ),
    Case("nested_null", {"source": "[a][b]"}, {"a": {"b": None}}, {"a": {"b": None}, "fingerprint": EMPTY}),
    Case("nested_missing", {"source": "[a][b]"}, {"a": {"c": 1}}, {"a": {"c": 1}}),
    Case("inside_text", {"source": "[a][b]"}, {"a": "one"}, {"a": "one"}),
    Case(
        "last_source_counts",
        {"source": ["b", "a", "c"]},
        {"a": "one", "b": "two"},
        {"a": "one", "b": "two", "fingerprint": ONE},
    ),
    Case("target_is_source", {"target": "message"}, {"message": "one"}, {"message": ONE}),
    Case("ecs", {"ecs_compatibility": "v8"}, {"message": "one"}, {"message": "one", "event": {"hash": ONE}}),
    Case("ecs_target", {"ecs_compatibility": "v1", "target": "h"}, {"message": "one"}, {"message": "one", "h": ONE}),
    Case(
        "concatenated",
        {"source": ["message", "[a][b]"], "concatenate_sources": True},
        {"message": "hi", "a": {"b": 1}},
        {"message": "hi", "a": {"b": 1}, "fingerprint": "b98bee71ae11a1dce4bced6ded4c5085da471533"},
    ),
    Case(
        "concatenated_missing",
        {"source": ["b", "a"], "concatenate_sources": True},
        {"b": None},
        {"b": None, "fingerprint": "97fa2d7e191a9b45a2bd4e36d45d22120e92cd9b"},
    ),
    Case(
        "all_fields",
        {"concatenate_all_fields": True},
        WHOLE | {"@metadata": {"a": 1}},
        WHOLE | {"@metadata": {"a": 1}, "fingerprint": "a92dbad6140e39fe289057ac7a14342761360b8b"},
    ),
    of("murmur3", IP, 1541804874, method="MURMUR3"),
    of("murmur3_number", 123, 823512154, method="MURMUR3"),
    of("murmur3_negative", -1, 1651860712, method="MURMUR3"),
    of("murmur3_huge", 2**64 + 123, 823512154, method="MURMUR3"),
    of("murmur3_array", [123, IP], [823512154, 1541804874], method="MURMUR3"),
    of("murmur3_128", IP, "ee0e73bdf9c46422f43c5b06a694fc2c", method="MURMUR3_128"),
    of("murmur3_128_base64", IP, "7g5zvfnEZCL0PFsGppT8LA==", method="MURMUR3_128", base64encode=True),
    of("murmur3_128_of_32_bits", 123, "286816c693ac410ed63e1430dcd6f6fe", method="MURMUR3_128"),
    of("murmur3_128_negative", -5, "427227eb8529ecc9de7f4df02cd2f3d9", method="MURMUR3_128"),
    of("murmur3_128_of_64_bits", 2**40, "1ee474ffa9e80fa2b867cee8ff621f70", method="MURMUR3_128"),
    of("murmur3_128_float", 1.5, "13813f80ae12e26d6a7f095672defb76", method="MURMUR3_128"),
    of("network", "233.255.13.44", "233.255.13.0", method="IPV4_NETWORK", key=24),
    of("network_of_ipv6", "2001:db8:1:2::5", "2001:db8:1::", method="IPV4_NETWORK", key=48),
    of("network_of_each", ["1.2.3.4", "5.6.7.8"], ["1.2.0.0", "5.6.0.0"], method="IPV4_NETWORK", key="16"),
    of(
        "punctuation",
        "PHP Warning:  json_encode() [<a href='f'>x</a>]€+_1가",
        ":_()[<=''></>]€+_",
        method="PUNCTUATION",
    ),
    of("punctuation_of_number", -1.5, "-.", method="PUNCTUATION"),
    Case(
        "punctuation_last_name_counts",
        {"method": "PUNCTUATION", "source": ["b", "a"]},
        {"a": "1!", "b": "2?"},
        {"a": "1!", "b": "2?", "fingerprint": "?"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_fingerprint(case: Case) -> None:
    check("fingerprint", case)


def test_uuid() -> None:
    """Each event gets its own, whatever its fields."""
    function = build("fingerprint", method="UUID", target="[a][id]")
    events: list[dict[str, Any]] = [{}, {"a": {"id": 1}}]
    assert all(function(event) for event in events)
    first, second = (event["a"]["id"] for event in events)
    assert first != second
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "IPV4_NETWORK"}, "needs the option key"),
        ({"method": "IPV4_NETWORK", "key": 129}, "key must be the length of a network prefix, 0 to 128, not '129'"),
        ({"method": "IPV4_NETWORK", "key": 24, "concatenate_sources": True}, "without the names of fields"),
    ],
)
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("fingerprint", **settings)


@pytest.mark.parametrize("value", ["", "localhost", "1.2.3", None, 5, {"ip": "1.2.3.4"}, "1.2.3.4\n"])
def test_no_address(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- of the standard library
        build("fingerprint", method="IPV4_NETWORK", key=24)({"message": value})


@pytest.mark.parametrize(
    ("text", "of_32_bits", "of_128_bits"),
    [
        ("", 0, "00000000000000000000000000000000"),
        ("test", 0xBA6BD213, None),
        ("Hello, world!", 0xC0363E43, None),
        ("The quick brown fox jumps over the lazy dog", 776992547, "6c1b07bc7bbc4be347939ac4a93c437a"),
    ],
)
def test_murmur3(text: str, of_32_bits: int, of_128_bits: str | None) -> None:
    assert hash32(text.encode()) == of_32_bits
    assert of_128_bits is None or hash128(text.encode()).hex() == of_128_bits


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
METHODS = sorted({*HASHES, "MURMUR3", "MURMUR3_128", "UUID", "PUNCTUATION"})
FUNCTIONS = [
    build("fingerprint", method=method, source=["message", "[a][b]"], **settings)
    for method in METHODS
    for settings in ({}, {"concatenate_sources": True}, {"concatenate_all_fields": True})
]


@given(st.dictionaries(st.sampled_from(["message", "a"]), VALUES))
def test_every_value_has_a_fingerprint(event: dict[str, Any]) -> None:
    for function in FUNCTIONS:
        got = copy.deepcopy(event)
        assert function(got) is True
        got.pop("fingerprint", None)
        assert repr(got) == repr(event)


@given(st.text(st.characters()))
def test_text_is_hashed_as_utf8(text: str) -> None:
    event = {"message": text}
    build("fingerprint", method="SHA256")(event)
    assert event["fingerprint"] == hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
