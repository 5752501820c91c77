"""The filter ``geoip``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigError
from ingestd.event.fields import FieldError
from ingestd.geoip.database_folder import database_file, database_folder
from ingestd.plugins.filters import geoip as module
from ingestd.plugins.registry import BuildContext, OptionError
from ingestd.settings import Settings
from tests.geoip import databases as db
from tests.geoip.mmdb import write
from tests.plugins.filters.tables import Case, build, build_in, check

FAILED = ["_geoip_lookup_failure"]
CITY_FLAT = {
    "ip": "1.2.3.4",
    "city_name": "Seoul",
    "continent_code": "AS",
    "country_name": "South Korea",
    "country_code2": "KR",
    "country_code3": "KR",
    "postal_code": "04524",
    "region_name": "Seoul",
    "region_code": "11",
    "timezone": "Asia/Seoul",
    "location": {"lat": 37.5658, "lon": 126.978},
    "latitude": 37.5658,
    "longitude": 126.978,
}
CITY_ECS = {
    "ip": "1.2.3.4",
    "geo": {
        "city_name": "Seoul",
        "continent_code": "AS",
        "country_name": "South Korea",
        "country_iso_code": "KR",
        "postal_code": "04524",
        "region_name": "Seoul",
        "region_iso_code": "KR-11",
        "timezone": "Asia/Seoul",
        "location": {"lat": 37.5658, "lon": 126.978},
    },
}
KOREA = {"ip": "1.2.3.4", "country_code2": "KR"}


def found(id_: str, database: str, geoip: dict[str, Any], **settings: Any) -> Case:
    """Return a case in which 1.2.3.4 is found in a database."""
    before = {"ip": "1.2.3.4"}
    return Case(id_, {"source": "ip", "database": database, **settings}, before, {**before, "geoip": geoip})


def ecs(id_: str, database: str, client: dict[str, Any], **settings: Any) -> Case:
    """Return a case in which [client][ip] is found, in the layout of ECS."""
    settings = {"source": "[client][ip]", "database": database, "ecs_compatibility": "v8", **settings}
    before = {"ip": "1.2.3.4", "port": 1}
    return Case(id_, settings, {"client": before}, {"client": {**before, **client}})


def seen(id_: str, value: Any, geoip: dict[str, Any] | None, **settings: Any) -> Case:
    """Return a case of a source's value in a database of countries; None: the target stays unset."""
    after = {"ip": value} | ({} if geoip is None else {"geoip": geoip})
    settings = {"source": "ip", "database": db.SIMPLE_COUNTRY, **settings}
    return Case(id_, settings, {"ip": value}, after if geoip else after | {"tags": FAILED}, bool(geoip))


CASES = [
    found("city", db.CITY, CITY_FLAT),
    found(
        "country",
        db.COUNTRY,
        {"ip": "1.2.3.4", "country_code2": "KR", "country_name": "South Korea", "continent_name": "Asia"},
    ),
    found("asn", db.ASN, {"ip": "1.2.3.4", "asn": 9318, "as_org": "SK Broadband Co Ltd"}),
    found(
        "isp",
        db.ISP,
        {"ip": "1.2.3.4", "asn": 9318, "as_org": "SK Broadband Co Ltd", "isp": "SK", "organization": "SK Inc"},
    ),
    found("domain", db.DOMAIN, {"domain": "example.com"}),
    found(
        "enterprise",
        db.ENTERPRISE,
        {
            "ip": "1.2.3.4",
            "country_code2": "KR",
            "country_name": "South Korea",
            "continent_name": "Asia",
            "region_iso_code": "KR-11",
            "region_name": "Seoul",
            "city_name": "Seoul",
            "location": {"lat": 37.5658, "lon": 126.978},
        },
    ),
    found("owner_of_enterprise", db.ENTERPRISE, {"asn": 9318}, fields=["asn"]),
    found(
        "anonymous",
        db.ANONYMOUS,
        {
            "hosting_provider": False,
            "tor_exit_node": True,
            "anonymous_vpn": False,
            "anonymous": True,
            "public_proxy": False,
            "residential_proxy": False,
        },
    ),
    found("simple_country", db.SIMPLE_COUNTRY, KOREA),
    found(
        "simple_city",
        db.SIMPLE_CITY,
        {
            "ip": "1.2.3.4",
            "city_name": "Seoul",
            "country_code2": "KR",
            "country_code3": "KR",
            "postal_code": "04524",
            "region_name": "Seoul",
            "timezone": "Asia/Seoul",
            "location": {"lat": 37.5658, "lon": 126.978},
            "latitude": 37.5658,
            "longitude": 126.978,
        },
    ),
    found("type_unknown", db.OTHER, {"ip": "1.2.3.4", "country_code2": "KR", "country_code3": "KR", "asn": 9318}),
    found("fields", db.CITY, {"city_name": "Seoul", "timezone": "Asia/Seoul"}, fields=["city_name", "TIMEZONE"]),
    found("fields_of_logstash", db.ASN, {"asn": 9318}, fields=["autonomous_system_number"]),
    found("network", db.ASN, {"network": "1.2.3.0/24"}, fields=["network"]),
    found("fields_that_are_not_there", db.ASN, {"asn": 9318}, fields=["asn", "city_name"]),
    ecs("ecs_city", db.CITY, CITY_ECS),
    ecs("ecs_asn", db.ASN, {"as": {"number": 9318, "organization": {"name": "SK Broadband Co Ltd"}}}),
    ecs("ecs_isp", db.ISP, {"mmdb": {"isp": "SK"}}, fields=["isp"]),
    ecs("ecs_latitude", db.CITY, {"geo": {"location": {"lat": 37.5658}}}, fields=["latitude", "country_code3"]),
    ecs("ecs_v1", db.SIMPLE_COUNTRY, {"geo": {"country_iso_code": "KR"}}, ecs_compatibility="v1"),
    Case(
        "ecs_merges",
        {"source": "[client][ip]", "database": db.SIMPLE_COUNTRY, "ecs_compatibility": "v8"},
        {"client": {"ip": "1.2.3.4", "geo": {"name": "here"}}},
        {"client": {"ip": "1.2.3.4", "geo": {"name": "here", "country_iso_code": "KR"}}},
    ),
    Case(
        "ecs_replaces_what_is_no_hash",
        {"source": "ip", "target": "client", "database": db.SIMPLE_COUNTRY, "ecs_compatibility": "v8"},
        {"ip": "1.2.3.4", "client": {"geo": "text"}},
        {"ip": "1.2.3.4", "client": {"geo": {"country_iso_code": "KR"}, "ip": "1.2.3.4"}},
    ),
    Case(
        "target",
        {"source": "[a][ip]", "target": "[b][where]", "database": db.SIMPLE_COUNTRY},
        {"a": {"ip": "1.2.3.4"}, "b": {"x": 1}},
        {"a": {"ip": "1.2.3.4"}, "b": {"x": 1, "where": KOREA}},
    ),
    Case(
        "target_merges",
        {"source": "ip", "database": db.SIMPLE_COUNTRY},
        {"ip": "1.2.3.4", "geoip": {"ip": "old", "note": 1}},
        {"ip": "1.2.3.4", "geoip": {"ip": "1.2.3.4", "note": 1, "country_code2": "KR"}},
    ),
    seen("ipv6", "2001:db8::1", {"ip": "2001:db8::1", "country_code2": "KR"}),
    seen("ipv6_long", "2001:0DB8:0:0::1", {"ip": "2001:db8::1", "country_code2": "KR"}),
    seen("ipv4_as_ipv6", "::ffff:1.2.3.4", KOREA),
    seen("blanks", " 1.2.3.4\n", KOREA),
    seen("array", ["1.2.3.4", "8.8.8.8"], KOREA),
    seen("empty_array", [], None),
    seen("unknown", "8.8.8.8", {}),
    seen("private", "10.1.2.3", {}),
    seen("loopback", "127.0.0.1", {}),
    seen("loopback_ipv6", "::1", {}),
    seen("link_local_with_zone", "fe80::1%eth0", {}),
    seen("reserved", "255.255.255.255", {}),
    seen("ipv6_in_a_database_of_ipv4", "2001:db8::1", {}, database=db.IPV4_ONLY),
    seen("ipv4_in_a_database_of_ipv4", "1.2.3.4", KOREA, database=db.IPV4_ONLY),
    seen("city_without_coordinates", "9.9.9.9", {}, database=db.CITY),
    seen("host_name", "localhost", {}),
    seen("short_form", "1.2.3", {}),
    seen("long_text", "1" * 1000, {}),
    seen("empty", "", None),
    seen("blank", "  ", None),
    seen("number", 16909060, None),
    seen("hash", {"ip": "1.2.3.4"}, None),
    seen("null", None, None),
    Case("missing", {"source": "ip", "database": db.SIMPLE_COUNTRY}, {}, {"tags": FAILED}, False),
    Case(
        "other_tags",
        {"source": "ip", "database": db.SIMPLE_COUNTRY, "tag_on_failure": ["a", "b"]},
        {"ip": "10.0.0.1", "tags": ["b", "c"]},
        {"ip": "10.0.0.1", "geoip": {}, "tags": ["b", "c", "a"]},
        False,
    ),
    Case(
        "no_tags",
        {"source": "ip", "database": db.SIMPLE_COUNTRY, "tag_on_failure": []},
        {"ip": "x"},
        {"ip": "x", "geoip": {}},
        False,
    ),
    Case(
        "not_found_keeps_the_target",
        {"source": "ip", "database": db.SIMPLE_COUNTRY, "tag_on_failure": []},
        {"ip": "x", "geoip": {"a": 1}},
        {"ip": "x", "geoip": {"a": 1}},
        False,
    ),
    Case("nothing_installed", {"source": "ip"}, {"ip": "1.2.3.4"}, {"ip": "1.2.3.4", "tags": FAILED}, False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_geoip(case: Case) -> None:
    check("geoip", case)


WRONG = [  # id, settings, what the message holds
    ("ecs_without_target", {"ecs_compatibility": "v8"}, "target is needed"),
    ("unknown_field", {"fields": ["city_nam"]}, "did you mean 'city_name'"),
    ("no_cache", {"cache_size": 0}, "cache_size"),
    ("no_such_file", {"database": "/nowhere/x.mmdb"}, "database /nowhere/x.mmdb: no such file or directory"),
    ("no_database", {"database": __file__}, "is not a MaxMind DB"),
]


@pytest.mark.parametrize(("settings", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("geoip", source="ip", **{"database": db.COUNTRY, **settings})


def test_a_missing_database_is_named_with_what_to_do() -> None:
    with pytest.raises(OptionError) as raised:
        build("geoip", source="ip", database="/nowhere/x.mmdb")
    assert raised.value.value == "/nowhere/x.mmdb"
    assert "ingestd geoip install" in raised.value.hint


def test_the_type_of_a_default_database() -> None:
    with pytest.raises(ConfigError, match="City, ASN"):
        build("geoip", source="ip", default_database_type="Country")


def test_a_target_that_can_hold_no_fields() -> None:
    with pytest.raises(FieldError, match="its value 'x' is not a hash"):
        build("geoip", source="ip", database=db.COUNTRY)({"ip": "1.2.3.4", "geoip": "x"})


def test_events_share_nothing() -> None:
    geoip = build("geoip", source="ip", database=db.CITY)
    first: dict[str, Any] = {"ip": "1.2.3.4"}
    second = dict(first)
    geoip(first)
    geoip(second)
    assert first["geoip"] is not second["geoip"]
    assert first["geoip"]["location"] is not second["geoip"]["location"]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at for every event."""
    monkeypatch.setattr(module, "CHECK_S", 0.0)


def replace(path: Path, code: str) -> None:
    new = write(path.with_suffix(".new"), {"1.2.3.0/24": {"country_code": code}}, "country")
    new.replace(path)


@pytest.mark.usefixtures("eager")
def test_a_replaced_database_is_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.mmdb"
    replace(path, "KR")
    geoip = build("geoip", source="ip", database=str(path), fields=["country_code2"])

    def country() -> Any:
        event: dict[str, Any] = {"ip": "1.2.3.4"}
        geoip(event)
        return event["geoip"]["country_code2"]

    assert country() == "KR"
    replace(path, "JP")
    assert country() == "JP"
    broken = path.with_suffix(".new")
    broken.write_bytes(b"no database")
    broken.replace(path)
    with caplog.at_level(logging.WARNING):
        assert country() == "JP", "what is broken replaces nothing"
        assert country() == "JP"
    assert [record.message for record in caplog.records] == ["geoip database cannot be used"], "said once"
    path.unlink()
    assert country() == "JP", "a database that the config names is kept"
    replace(path, "FR")
    assert country() == "FR"


@pytest.mark.usefixtures("eager")
def test_an_installed_database_comes_and_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    module._notice.cache_clear()  # another test may have said it
    context = BuildContext(settings=Settings(data_dir=tmp_path))
    geoip = build_in(context, "geoip", {"source": "ip", "tag_on_failure": []})
    caplog.set_level(logging.INFO)

    def event() -> dict[str, Any]:
        one = {"ip": "1.2.3.4"}
        geoip(one)
        return one

    assert event() == event() == {"ip": "1.2.3.4"}
    assert [record.message for record in caplog.records] == [
        "no geoip database is installed, see ingestd geoip install"
    ], "said once"
    database_folder(tmp_path).mkdir()
    replace(database_file(tmp_path, "location"), "KR")
    assert event() == {"ip": "1.2.3.4", "geoip": KOREA}
    database_file(tmp_path, "location").unlink()
    assert event() == {"ip": "1.2.3.4"}


def test_files_are_not_looked_at_for_every_event(tmp_path: Path) -> None:
    path = tmp_path / "x.mmdb"
    replace(path, "KR")
    geoip = build("geoip", source="ip", database=str(path))
    geoip({})
    replace(path, "JP")
    event: dict[str, Any] = {"ip": "1.2.3.4"}
    geoip(event)
    assert event["geoip"]["country_code2"] == "KR"


def test_the_owner_of_a_network_comes_from_another_database(tmp_path: Path) -> None:
    database_folder(tmp_path).mkdir()
    database_file(tmp_path, "asn").symlink_to(db.ASN)
    settings = {"source": "ip", "default_database_type": "ASN", "fields": ["asn"]}
    event: dict[str, Any] = {"ip": "1.2.3.4"}
    build_in(BuildContext(settings=Settings(data_dir=tmp_path)), "geoip", settings)(event)
    assert event["geoip"] == {"asn": 9318}


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that the config names is an error then, an installed one only a warning."""
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ValueError, match=r"pip install 'ingestd\[geoip\]'"):
        build("geoip", source="ip", database=db.COUNTRY)
    database_folder(tmp_path).mkdir()
    database_file(tmp_path, "location").symlink_to(db.COUNTRY)
    event = {"ip": "1.2.3.4"}
    assert build_in(BuildContext(settings=Settings(data_dir=tmp_path)), "geoip", {"source": "ip"})(event) is False
