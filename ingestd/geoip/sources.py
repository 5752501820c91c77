"""Where databases come from: files, addresses, and two names for those that most people want.

``maxmind:GeoLite2-City`` is MaxMind's download with one's own key, https://dev.maxmind.com/geoip/updating-databases;
``dbip:city-lite`` is the free database of this month, https://db-ip.com/db/lite.php.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import urlsplit

_MAXMIND = "https://download.maxmind.com/geoip/databases/{}/download?suffix=tar.gz"
_DBIP = "https://download.db-ip.com/free/dbip-{}-{:%Y-%m}.mmdb.gz"

ACCOUNT, KEY = "MAXMIND_ACCOUNT_ID", "MAXMIND_LICENSE_KEY"
"""Variables of the environment: what stands on a command line can be read by every user of the machine."""

_ATTRIBUTIONS = (  # a mark in the database's type or its source, the line that the licence asks for
    ("geolite2", "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com."),
    ("dbip", "IP Geolocation by DB-IP, https://db-ip.com (CC BY 4.0)."),
    ("geo-whois-asn", "Country data of ip-location-db, from statistics of the NRO, https://www.nro.net (CC BY 4.0)."),
)


class SourceError(ValueError):
    """A source is not one that can be fetched; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Download:
    """What to ask for: addresses to try in turn, and headers for the first server only, not for where it redirects."""

    urls: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def is_remote(source: str) -> bool:
    """Return whether ``source`` is fetched over the network, and so can be refreshed."""
    return re.match(r"(https?|maxmind|dbip):", source) is not None


def download(source: str, environ: Mapping[str, str], today: date) -> Download:
    """Return how to fetch a remote ``source``.

    Raises:
        SourceError: It holds a secret, or the environment lacks one.
    """
    scheme, _, name = source.partition(":")
    if scheme == "maxmind":
        account, key = environ.get(ACCOUNT), environ.get(KEY)
        if not account or not key:
            raise SourceError(f"{source} needs {ACCOUNT} and {KEY} in the environment, see docs/geoip.md")
        login = base64.b64encode(f"{account}:{key}".encode()).decode()
        return Download((_MAXMIND.format(_plain(name)),), {"Authorization": f"Basic {login}"})
    if scheme == "dbip":
        last_month = today.replace(day=1) - timedelta(days=1)  # a month's database comes on its first day, some time
        return Download(tuple(_DBIP.format(_plain(name), day) for day in (today, last_month)))
    parts = urlsplit(source)
    if parts.username or parts.password or "license_key=" in parts.query:
        hint = "what stands on a command line can be read by others; for MaxMind write maxmind:GeoLite2-City"
        raise SourceError(f"the address holds a secret: {hint} and put {ACCOUNT} and {KEY} into the environment")
    return Download((source,))


def attribution(database_type: str, source: str) -> str:
    """Return the line that has to be shown with the data, empty if we know of none."""
    text = f"{database_type} {source}".lower()
    return next((line for mark, line in _ATTRIBUTIONS if mark in text), "")


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise SourceError(f"{name!r} is no name of a database")
    return name
