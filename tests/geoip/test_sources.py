"""Where databases come from."""

from __future__ import annotations

import base64
from datetime import date

import pytest

from ingestd.geoip.sources import SourceError, attribution, download, is_remote, plain_source

TODAY = date(2026, 1, 1)
MAXMIND = {"MAXMIND_ACCOUNT_ID": "42", "MAXMIND_LICENSE_KEY": "secret"}

ADDRESSES = [  # id, source, addresses
    ("address", "https://example.com/x.mmdb", ("https://example.com/x.mmdb",)),
    ("capitals", "HTTPS://example.com/x.mmdb", ("HTTPS://example.com/x.mmdb",)),
    (
        "maxmind",
        "maxmind:GeoLite2-City",
        ("https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=tar.gz",),
    ),
    (
        "dbip_of_this_month_or_the_last",
        "dbip:country-lite",
        (
            "https://download.db-ip.com/free/dbip-country-lite-2026-01.mmdb.gz",
            "https://download.db-ip.com/free/dbip-country-lite-2025-12.mmdb.gz",
        ),
    ),
]


@pytest.mark.parametrize(("source", "urls"), [row[1:] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES])
def test_addresses(source: str, urls: tuple[str, ...]) -> None:
    assert is_remote(source)
    assert download(source, MAXMIND, TODAY).urls == urls


def test_a_path_is_not_remote() -> None:
    assert not any(map(is_remote, ["/x/GeoLite2-City.mmdb", "x.mmdb", "dbip/x.mmdb"]))


def test_the_key_goes_into_a_header_and_is_not_shown() -> None:
    found = download("maxmind:GeoLite2-ASN", MAXMIND, TODAY)
    assert found.headers == {"Authorization": "Basic " + base64.b64encode(b"42:secret").decode()}
    assert "Basic" not in repr(found)


WRONG = [  # id, source, what the message holds
    ("no_key", "maxmind:GeoLite2-City", "MAXMIND_LICENSE_KEY in the environment"),
    ("password", "https://me:secret@example.com/x", "contains a secret"),
    ("key_in_the_address", "https://example.com/x?license_key=secret", "contains a secret"),
    ("password_after_capitals", "HTTPS://me:secret@example.com/x", "contains a secret"),
    ("password_after_a_misspelt_scheme", "htps://me:secret@example.com/x", "contains a secret"),
    ("misspelt_scheme", "htps://example.com/x?key=secret", "htps://example.com/x cannot be downloaded: write https://"),
    ("no_name", "dbip:../x", "is not the name of a database"),
]


@pytest.mark.parametrize(("source", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong(source: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        download(source, {}, TODAY)
    assert "secret@" not in str(raised.value)
    assert "=secret" not in str(raised.value)


PLAIN = [  # source, what of it is shown
    ("https://me:secret@example.com/x?key=secret#secret", "https://example.com/x"),
    ("HTTPS://me:secret@example.com/x", "HTTPS://example.com/x"),
    ("htps://me:secret@example.com/x", "htps://example.com/x"),
    ("https:/me:secret@example.com/x", "https:/example.com/x"),
    ("https:me:secret@example.com/x", "https:example.com/x"),
    ("/x/a@b?.mmdb", "/x/a@b?.mmdb"),
    ("maxmind:GeoLite2-City", "maxmind:GeoLite2-City"),
]


@pytest.mark.parametrize(("source", "shown"), PLAIN, ids=[row[0].replace("secret", "s") for row in PLAIN])
def test_what_is_shown_of_a_source_has_no_secret(source: str, shown: str) -> None:
    assert plain_source(source) == shown


LINES = [  # id, type, source, what the line names
    ("maxmind", "GeoLite2-City", "x.tar.gz", "https://www.maxmind.com"),
    ("dbip", "DBIP-Country-Lite", "x.mmdb", "https://db-ip.com"),
    ("nro", "country ipvAll", "/x/geo-whois-asn-country.mmdb", "https://www.nro.net"),
]


@pytest.mark.parametrize(("kind", "source", "line"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_attribution(kind: str, source: str, line: str) -> None:
    assert line in attribution(kind, source)


def test_a_database_of_ones_own_needs_no_attribution() -> None:
    assert not attribution("Visitors", "/x/own.mmdb")
