"""What a database is about, and what is read out of its records. All fields are in the filter's own test."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from ingestd.geoip.fields import FIELDS, LookupResult, database_kind, extractor, field_names

KINDS = [  # type, kind
    ("GeoLite2-City", "city"),
    ("GeoIP2-City-Europe", "city"),
    ("GeoLite2-Country", "country"),
    ("GeoLite2-ASN", "asn"),
    ("GeoIP2-ISP", "isp"),
    ("GeoIP2-Domain", "domain"),
    ("GeoIP2-Enterprise", "enterprise"),
    ("GeoIP2-Anonymous-IP", "anonymous-ip"),
    ("DBIP-City-Lite", "city"),
    ("DBIP-Location (compat=City)", "city"),
    ("DBIP-Location-ISP (compat=Enterprise)", "enterprise"),
    ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", "asn"),
    ("country ipvAll", "country"),
    ("Visitors", ""),
]


@pytest.mark.parametrize(("database_type", "kind"), KINDS)
def test_kind_of(database_type: str, kind: str) -> None:
    assert database_kind(database_type) == kind


def test_names_of_fields() -> None:
    names = ["CITY_NAME", "autonomous_system_number", "AUTONOMOUS_SYSTEM_ORGANIZATION", "asn"]
    assert field_names(names) == ["city_name", "asn", "as_org", "asn"]


def test_two_layouts_have_no_place_twice() -> None:
    places = [field.ecs for field in FIELDS.values() if field.ecs]
    assert len(places) == len(set(places))


ODD = [  # id, record
    ("text", "KR"),
    ("number", 1),
    ("list", [{"country_code": "KR"}]),
    ("other_shapes", {"country": "KR", "city": {"names": ["Seoul"]}, "subdivisions": {}, "location": 1}),
    ("empty", {}),
]


@pytest.mark.parametrize("record", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_records_of_other_shapes_raise_nothing(record: object) -> None:
    found = LookupResult(ip_address("1.2.3.4"), record, 24)
    for kind in ("City", "Country", "ASN", "Visitors"):
        names = [name for name in FIELDS if name != "ip" and "proxy" not in name]
        extract = extractor(kind, names, ecs=False)
        assert set(extract(found) or {}) <= {
            *("network", "hosting_provider", "tor_exit_node", "anonymous_vpn", "anonymous"),
        }
