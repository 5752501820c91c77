"""Where databases come from: files, URLs, and two shorthands for the most popular ones.

``maxmind:GeoLite2-City`` is MaxMind's download with your own license key, https://dev.maxmind.com/geoip/updating-databases;
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
"""Environment variables, because every user of the machine can read command lines."""

_SCHEME = "[a-z][a-z0-9+.-]*:"
_ATTRIBUTIONS = (  # a part of the database's type or source, the line that its licence requires
    ("geolite2", "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com."),
    ("dbip", "IP Geolocation by DB-IP, https://db-ip.com (CC BY 4.0)."),
    ("geo-whois-asn", "Country data of ip-location-db, from statistics of the NRO, https://www.nro.net (CC BY 4.0)."),
)


class SourceError(ValueError):
    """A source cannot be downloaded; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Download:
    """URLs to try in turn, and headers that are sent to the first server but not to where it redirects."""

    urls: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def is_remote(source: str) -> bool:
    """Return whether ``source`` is downloaded, and so can be refreshed."""
    return re.match(rf"(https?|maxmind|dbip):|{_SCHEME}//", source, re.IGNORECASE) is not None


def plain_source(source: str) -> str:
    """Return a source without what may be secret in it: the user, the password and the query of a URL."""
    if not is_remote(source):
        return source
    found = re.sub(r"[?#].*", "", source, flags=re.DOTALL)
    return re.sub(rf"^({_SCHEME}/*)[^/]*@", r"\1", found, flags=re.IGNORECASE)


def download(source: str, environ: Mapping[str, str], today: date) -> Download:
    """Return how to download a remote ``source``.

    Raises:
        SourceError: It contains a secret, or one is missing in the environment.
    """
    scheme, _, name = source.partition(":")
    scheme = scheme.lower()
    if scheme == "maxmind":
        account, key = environ.get(ACCOUNT), environ.get(KEY)
        if not account or not key:
            raise SourceError(f"{source} needs {ACCOUNT} and {KEY} in the environment, see docs/geoip.md")
        login = base64.b64encode(f"{account}:{key}".encode()).decode()
        return Download((_MAXMIND.format(_plain(name)),), {"Authorization": f"Basic {login}"})
    if scheme == "dbip":
        last_month = today.replace(day=1) - timedelta(days=1)  # this month's may not be published yet
        return Download(tuple(_DBIP.format(_plain(name), day) for day in (today, last_month)))
    parts = urlsplit(source)
    if parts.username or parts.password or "license_key=" in parts.query:
        hint = "other users can read command lines; for MaxMind write maxmind:GeoLite2-City"
        raise SourceError(f"the URL contains a secret: {hint} and set {ACCOUNT} and {KEY} in the environment")
    if scheme not in ("http", "https"):
        raise SourceError(f"{plain_source(source)} cannot be downloaded: write https://, maxmind:, dbip: or a path")
    return Download((source,))


def attribution(database_type: str, source: str) -> str:
    """Return the line that must be shown with the data, empty if none is known."""
    text = f"{database_type} {source}".lower()
    return next((line for mark, line in _ATTRIBUTIONS if mark in text), "")


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise SourceError(f"{name!r} is not the name of a database")
    return name
