"""Converts records of a database to the fields of Logstash's ``geoip`` filter, in both of its layouts.

Names, layouts and the default fields of each kind of database follow
https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-geoip and the plugin's version 7.3. Each field
is read from where MaxMind and DB-IP put it, https://dev.maxmind.com/geoip/docs/databases/city-and-country, and
from the flat keys of the ``@ip-location-db`` packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, NamedTuple

from ingestd.geoip.address import Address
from ingestd.suggest import did_you_mean

Tree = dict[str, Any]
Path = tuple[str | int, ...]


class LookupResult(NamedTuple):
    """The record of an address, which applies to all addresses with the same first ``bits``."""

    address: Address
    record: Any
    bits: int


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how it is read, and its path below the target in the ECS layout; empty: ECS does not have it."""

    ecs: tuple[str, ...]
    read: Callable[[LookupResult], Any]


def _at(record: Any, path: Path) -> Any:
    for part in path:
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and isinstance(part, int) and record:
            record = record[part]
        else:
            return None
    return None if isinstance(record, dict | list) else record


def _first(*paths: Path) -> Callable[[LookupResult], Any]:
    """Return a function that reads the first of ``paths`` with a plain value."""

    def read(found: LookupResult) -> Any:
        return next((value for path in paths if (value := _at(found.record, path)) is not None), None)

    return read


def _trait(name: str) -> Callable[[LookupResult], Any]:
    return _first((name,), ("traits", name))


def _flag(name: str) -> Callable[[LookupResult], Any]:
    """Return a function that reads a flag, which databases omit if it is false."""
    read = _trait(name)
    return lambda found: bool(read(found))


_latitude = _first(("location", "latitude"), ("latitude",))
_longitude = _first(("location", "longitude"), ("longitude",))
_country_code = _first(("country", "iso_code"), ("country_code",))
_region_code = _first(("subdivisions", -1, "iso_code"))


def _location(found: LookupResult) -> Any:
    lat, lon = _latitude(found), _longitude(found)
    return None if lat is None or lon is None else {"lat": lat, "lon": lon}


def _network(found: LookupResult) -> str:
    return str(ip_network((found.address, found.bits), strict=False))


def _region_iso_code(found: LookupResult) -> Any:
    country, region = _country_code(found), _region_code(found)
    return None if country is None or region is None else f"{country}-{region}"


FIELDS: dict[str, Field] = {
    "ip": Field(("ip",), lambda found: str(found.address)),
    "city_name": Field(("geo", "city_name"), _first(("city", "names", "en"), ("city",))),
    "continent_code": Field(("geo", "continent_code"), _first(("continent", "code"), ("continent_code",))),
    "continent_name": Field(("geo", "continent_name"), _first(("continent", "names", "en"), ("continent_name",))),
    "country_code2": Field(("geo", "country_iso_code"), _country_code),
    "country_code3": Field((), _country_code),  # two letters, as in Logstash
    "country_name": Field(("geo", "country_name"), _first(("country", "names", "en"), ("country_name",))),
    "dma_code": Field(("mmdb", "dma_code"), _first(("location", "metro_code"))),
    "postal_code": Field(("geo", "postal_code"), _first(("postal", "code"), ("postcode",), ("postal_code",))),
    "region_name": Field(("geo", "region_name"), _first(("subdivisions", -1, "names", "en"), ("state1",))),
    "region_code": Field(("geo", "region_code"), _region_code),
    "region_iso_code": Field(("geo", "region_iso_code"), _region_iso_code),
    "timezone": Field(("geo", "timezone"), _first(("location", "time_zone"), ("timezone",))),
    "location": Field(("geo", "location"), _location),
    "latitude": Field(("geo", "location", "lat"), _latitude),
    "longitude": Field(("geo", "location", "lon"), _longitude),
    "domain": Field(("domain",), _trait("domain")),
    "asn": Field(("as", "number"), _trait("autonomous_system_number")),
    "as_org": Field(("as", "organization", "name"), _trait("autonomous_system_organization")),
    "isp": Field(("mmdb", "isp"), _trait("isp")),
    "organization": Field(("mmdb", "organization"), _trait("organization")),
    "network": Field(("ip_traits", "network"), _network),
    "hosting_provider": Field(("ip_traits", "hosting_provider"), _flag("is_hosting_provider")),
    "tor_exit_node": Field(("ip_traits", "tor_exit_node"), _flag("is_tor_exit_node")),
    "anonymous_vpn": Field(("ip_traits", "anonymous_vpn"), _flag("is_anonymous_vpn")),
    "anonymous": Field(("ip_traits", "anonymous"), _flag("is_anonymous")),
    "public_proxy": Field(("ip_traits", "public_proxy"), _flag("is_public_proxy")),
    "residential_proxy": Field(("ip_traits", "residential_proxy"), _flag("is_residential_proxy")),
}
"""All fields, by their names in the legacy layout."""

_LONG_NAMES = {"autonomous_system_number": "asn", "autonomous_system_organization": "as_org"}
"""Logstash's names for two of the fields in the option ``fields``."""

_CITY = "ip city_name continent_code country_name country_code2 country_code3 postal_code dma_code region_name"
_LOCATION = " timezone location latitude longitude"
_FLAGS = "hosting_provider tor_exit_node anonymous_vpn anonymous public_proxy residential_proxy"

_DEFAULTS = {  # the first word found in the type of a database -> its fields
    "city": _CITY + " region_code" + _LOCATION,
    "country": "ip country_code2 country_name continent_name",
    "domain": "domain",
    "asn": "ip asn as_org",
    "isp": "ip asn as_org isp organization",
    "enterprise": "ip country_code2 country_name continent_name region_iso_code region_name city_name location",
    "anonymous-ip": _FLAGS,
}
_ANY = " ".join(name for name in FIELDS if name not in _FLAGS and name != "network")


def database_kind(database_type: str) -> str:
    """Return the kind of a database: ``city``, ``country``, ``asn`` ..., empty if its type does not say.

    ``database_type`` comes from its metadata: ``GeoLite2-City``, ``DBIP-Country-Lite``, ``country``; DB-IP says in
    parentheses which of MaxMind's formats it has: ``DBIP-Location-ISP (compat=Enterprise)``.
    """
    form = database_type.lower().rpartition("compat=")[2]
    return next((kind for kind in _DEFAULTS if kind in form), "")


def field_names(names: Iterable[str]) -> list[str]:
    """Return the names in the option ``fields`` as `FIELDS` has them; case does not matter.

    Raises:
        ValueError: There is no such field.
    """
    found = []
    for name in names:
        lower = name.lower()
        field = _LONG_NAMES.get(lower, lower)
        if field not in FIELDS:
            near = did_you_mean(lower, FIELDS)
            hint = f"did you mean {near!r}?" if near else f"known fields: {', '.join(FIELDS)}"
            raise ValueError(f"unknown field {name!r}; {hint}")
        found.append(field)
    return found


def extractor(database_type: str, names: Iterable[str], *, ecs: bool) -> Callable[[LookupResult], Tree | None]:
    """Return a function that converts a record to the fields below the target; None: the address is not found.

    Args:
        database_type: As in the database's metadata.
        names: Fields as `field_names` returns them; empty: the fields that Logstash reads from such a database.
        ecs: Use the layout of the Elastic Common Schema, not the flat one.
    """
    kind = database_kind(database_type)
    chosen = list(names) or _DEFAULTS.get(kind, _ANY).split()
    if ecs and not names and kind == "city":
        chosen = ["region_iso_code" if name == "region_code" else name for name in chosen]
    readers = [(FIELDS[name].ecs if ecs else (name,), FIELDS[name].read) for name in chosen]

    def extract(found: LookupResult) -> Tree | None:
        if kind == "city" and _latitude(found) is None and _longitude(found) is None:
            return None  # as in Logstash: without a location the other fields are empty or a guess
        tree: Tree = {}
        for path, read in readers:
            if path and (value := read(found)) is not None:
                _put(tree, path, value)
        return tree or None

    return extract


def _put(tree: Tree, path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
