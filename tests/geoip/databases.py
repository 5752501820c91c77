"""Small databases of every kind, made once for a run of the tests. Each holds ``1.2.3.0/24`` and ``2001:db8::/32``."""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path
from typing import Any

from tests.geoip.mmdb import write

_folder = tempfile.TemporaryDirectory()
atexit.register(_folder.cleanup)
FOLDER = Path(_folder.name)

_SEOUL: dict[str, Any] = {
    "city": {"geoname_id": 1835848, "names": {"en": "Seoul", "ko": "서울특별시"}},
    "continent": {"code": "AS", "geoname_id": 6255147, "names": {"en": "Asia"}},
    "country": {"iso_code": "KR", "names": {"en": "South Korea", "ko": "대한민국"}},
    "location": {"accuracy_radius": 200, "latitude": 37.5658, "longitude": 126.978, "time_zone": "Asia/Seoul"},
    "postal": {"code": "04524"},
    "subdivisions": [
        {"iso_code": "00", "names": {"en": "Elsewhere"}},
        {"iso_code": "11", "names": {"en": "Seoul"}},
    ],
}
_PLACELESS = {"country": {"iso_code": "FR", "names": {"en": "France"}}}
_OWNER = {"autonomous_system_number": 9318, "autonomous_system_organization": "SK Broadband Co Ltd"}


def _make(name: str, database_type: str, record: dict[str, Any], **more: Any) -> str:
    networks = {"1.2.3.0/24": record, "2001:db8::/32": record, **more}
    return str(write(FOLDER / f"{name}.mmdb", networks, database_type))


CITY = _make("city", "GeoLite2-City", _SEOUL, **{"9.9.9.0/24": _PLACELESS})
COUNTRY = _make("country", "DBIP-Country-Lite", {key: _SEOUL[key] for key in ("continent", "country")})
ASN = _make("asn", "GeoLite2-ASN", _OWNER)
ISP = _make("isp", "GeoIP2-ISP", {**_OWNER, "isp": "SK", "organization": "SK Inc"})
DOMAIN = _make("domain", "GeoIP2-Domain", {"domain": "example.com"})
ENTERPRISE = _make("enterprise", "GeoIP2-Enterprise", {**_SEOUL, "traits": _OWNER})
ANONYMOUS = _make("anonymous", "GeoIP2-Anonymous-IP", {"is_anonymous": True, "is_tor_exit_node": True})
SIMPLE_COUNTRY = _make("simple-country", "country ipvAll", {"country_code": "KR"})
SIMPLE_CITY = _make(
    "simple-city",
    "city ipvAll",
    {
        "city": "Seoul",
        "country_code": "KR",
        "state1": "Seoul",
        "state2": "",
        "postcode": "04524",
        "latitude": 37.5658,
        "longitude": 126.978,
        "timezone": "Asia/Seoul",
    },
)
OTHER = _make("other", "Visitors", {"country_code": "KR", "autonomous_system_number": 9318})
IPV4_ONLY = str(write(FOLDER / "ipv4.mmdb", {"1.2.3.0/24": {"country_code": "KR"}}, "country ipv4", ip_version=4))
