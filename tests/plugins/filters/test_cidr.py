"""The filter ``cidr``."""

from __future__ import annotations

import logging
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.filters import _watched_files
from ingestd.plugins.filters._networks import NetworkSet
from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, build_in, check, options_of, spec_of

BLOCKS = ["192.168.0.0/24", "10.0.0.0/8", "fe80::/64", "1.2.3.4"]


def within(id_: str, event: dict[str, Any], *, done: bool = True, **settings: Any) -> Case:
    """Return a case; the event stays as it is."""
    return Case(id_, {"network": BLOCKS, **settings}, event, event, done)


CASES = [
    within("in_first", {"ip": "192.168.0.30"}, address="%{ip}"),
    within("in_second", {"ip": "10.255.0.1"}, address="%{ip}"),
    within("single_address", {"ip": "1.2.3.4"}, address="%{ip}"),
    within("ipv6", {"ip": "fe80:0:0:0:0:0:0:1"}, address="%{ip}"),
    within("mapped", {"ip": "::ffff:10.0.0.1"}, address="%{ip}"),
    within("static_address", {"a": 1}, address="10.0.0.1"),
    within("second_address", {"a": "8.8.8.8", "b": "10.0.0.1"}, address=["%{a}", "%{b}"]),
    within("outside", {"ip": "192.168.1.1"}, address="%{ip}", done=False),
    within("other_version", {"ip": "::1"}, address="%{ip}", done=False),
    within("missing", {"a": 1}, address="%{ip}", done=False),
    within("no_address", {"ip": "localhost"}, address="%{ip}", done=False),
    within("number", {"ip": 167772161}, address="%{ip}", done=False),
    within("nothing_to_check", {"ip": "10.0.0.1"}, done=False),
    within("no_networks", {"ip": "10.0.0.1"}, address="%{ip}", network=[], done=False),
    within("invalid_network", {"ip": "10.0.0.1"}, address="%{ip}", network=["x", "10.0.0.0/40", "10.0.0.0/8"]),
    within("list_of_networks", {"ip": "10.0.0.1"}, address="%{ip}", network="1.1.1.0/24, 10.0.0.0/8"),
    within("host_bits", {"ip": "10.0.0.1"}, address="%{ip}", network="10.1.2.3/8"),
    within("every_address", {"ip": "10.0.0.1"}, address="%{ip}", network="0.0.0.0/0"),
    within("networks_of_event", {"ip": "10.0.0.1", "n": "10.0.0.0/8"}, address="%{ip}", network=["%{n}", "::/0"]),
    within("networks_of_array", {"ip": "10.0.0.1", "n": ["x", "10.0.0.0/8"]}, address="%{ip}", network="%{n}"),
    within("networks_missing", {"ip": "10.0.0.1"}, address="%{ip}", network="%{n}", done=False),
    within("field", {"a": {"ip": "10.0.0.1"}}, address_field="[a][ip]"),
    within("field_with_array", {"ip": ["x", 1, "10.0.0.1"]}, address_field="ip"),
    within("field_missing", {"a": 1}, address_field="ip", done=False),
    within("field_is_hash", {"ip": {"a": "10.0.0.1"}}, address_field="ip", done=False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_cidr(case: Case) -> None:
    check("cidr", case)


def test_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is read again when it changes, and stays as it was if it cannot be used."""
    caplog.set_level(logging.INFO)
    path, now = tmp_path / "networks", 0.0
    path.write_text("10.0.0.0/8\n\n1.1.1.1\r\nnone\n")
    monkeypatch.setattr(_watched_files, "monotonic", lambda: now)
    settings = {"address": "%{ip}", "network_path": "networks", "refresh_interval": 10}
    function = build_in(BuildContext(folder=tmp_path), "cidr", settings)
    assert function({"ip": "10.0.0.1"})
    assert function({"ip": "1.1.1.1"})
    path.write_text("fe80::/16")
    assert not function({"ip": "fe80::1"})
    now = 10.0
    assert function({"ip": "fe80::1"})
    assert not function({"ip": "10.0.0.1"})
    path.write_bytes(b"\xff")
    now = 20.0
    assert function({"ip": "fe80::1"})
    assert [record.getMessage().split(" path")[0].split(" error")[0] for record in caplog.records] == [
        "lines of a file are not networks and are ignored",
        "file read again",
        "a file cannot be read again, what it held before stays in use",
    ]


def test_separator(tmp_path: Path) -> None:
    (tmp_path / "networks").write_text("10.0.0.0/8|1.1.1.1")
    settings = {"address": "%{ip}", "network_path": str(tmp_path / "networks"), "separator": "|"}
    assert build("cidr", **settings)({"ip": "1.1.1.1"})
    with pytest.raises(ValueError, match="has no network; check the separator ';'"):
        build("cidr", **settings | {"separator": ";"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": "a", "address_field": "a"}, "either address or address_field"),
        ({"network": "a", "network_path": "a"}, "either network or network_path"),
        ({"network_path": "/does/not/exist"}, "cannot read /does/not/exist"),
        ({"separator": ""}, "separator must not be empty"),
    ],
)
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("cidr", **settings)


def test_invalid_networks_are_mentioned() -> None:
    options = options_of("cidr", {"network": ["10.0.0.0/8", "10.0.0.0/33,1.1.1.1", "%{n}"]})
    assert [warning.text for warning in spec_of("cidr").option_warnings(options)] == ["'10.0.0.0/33' is not a network"]


NUMBERS = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 32)), max_size=5), NUMBERS)
def test_sets(networks: list[tuple[int, int]], number: int) -> None:
    made = [ip_network((start, bits), strict=False) for start, bits in networks]
    address = IPv4Address(number)
    assert (address in NetworkSet(made)) is any(address in network for network in made)
    assert IPv6Address(number) not in NetworkSet(made)


PIPELINE = pipeline_of(
    'cidr { address => ["%{a}", "%{message}"] network => ["%{b}", "0.0.0.0/1"] add_tag => "x" }'
    ' cidr { address_field => "a" network => ["::/0", "0.0.0.0/0"] add_tag => "y" }'
)


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["message"] == event["message"]
    assert "_cidr_error" not in got.get("tags", [])
