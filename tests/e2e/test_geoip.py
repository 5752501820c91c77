"""Databases that come over the network: unchanged, changed, refused, redirected, endless; and a real one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ingestd.geoip import fetch as fetching
from ingestd.geoip.database_folder import database_file, installed_database
from ingestd.geoip.fetch import FetchError, fetch
from ingestd.geoip.install import Installer, silent
from ingestd.geoip.sources import Download
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.http_server import HttpServer
from tests.e2e.servers import REQUIRED
from tests.geoip import databases as db

SCRIPT = Path(__file__).parent.parent / "testbed" / "geoip.sh"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Site(HttpServer):
    """A server of one database; ``headers`` are those of the requests that came."""

    database = Path(db.COUNTRY)

    def __init__(self) -> None:
        super().__init__(Handler)
        self.headers: list[Any] = []
        self.host = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.headers.append(self.headers)
        body = self.server.database.read_bytes()
        tag = f'"{self.server.database.name}"'
        if self.path == "/moved":
            self._head(302, Location=self.server.host.replace("127.0.0.1", "localhost") + "/file")
        elif self.path == "/out":
            self._head(302, Location="ftp://127.0.0.1/x")
        elif self.path == "/forbidden":
            self._head(401)
        elif self.path == "/missing":
            self._head(404)
        elif self.path == "/torn":
            self._head(200, body[:100], length=len(body))
        elif self.headers.get("If-None-Match") == tag:
            self._head(304)
        else:
            self._head(200, body, ETag=tag)

    def _head(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


def test_install_and_refresh(site: Site, tmp_path: Path) -> None:
    installer = Installer(tmp_path, {}, NOW)
    steps: list[tuple[int, int | None]] = []
    use, origin = installer.install(site.host + "/file", progress=lambda step, total: steps.append((step, total)))
    assert (use, origin.type, origin.etag) == ("location", "DBIP-Country-Lite", '"country.mmdb"')
    size = Path(db.COUNTRY).stat().st_size
    assert sum(step for step, _ in steps) == size
    assert {total for _, total in steps} == {size}
    assert installer.refresh("location") is None, "the server says 304"
    site.database = Path(db.CITY)
    new = installer.refresh("location")
    assert new is not None
    assert new == installed_database(tmp_path)
    assert database_file(tmp_path, "location").read_bytes() == site.database.read_bytes()


def test_the_same_bytes_under_another_tag(site: Site, tmp_path: Path) -> None:
    installer = Installer(tmp_path, {}, NOW)
    installer.install(site.host + "/file")
    site.database = tmp_path / "other.mmdb"
    site.database.write_bytes(Path(db.COUNTRY).read_bytes())
    assert installer.refresh("location") is None
    origin = installed_database(tmp_path)
    assert origin is not None
    assert origin.etag == '"other.mmdb"', "the next time the server says 304"


def test_a_secret_goes_to_the_first_server_only(site: Site, tmp_path: Path) -> None:
    fetch(Download((site.host + "/moved",), {"Authorization": "Basic x"}), tmp_path / "x", silent)
    assert [headers.get("Authorization") for headers in site.headers] == ["Basic x", None]


def test_the_second_address_if_the_first_has_nothing(site: Site, tmp_path: Path) -> None:
    assert fetch(Download((site.host + "/missing", site.host + "/file")), tmp_path / "x", silent) is not None


REFUSED = [  # id, path, what is said
    ("forbidden", "/forbidden", "responded with 401: the account ID or the license key is wrong"),
    ("missing", "/missing", "responded with 404"),
    ("out_of_the_web", "/out", "redirects to a URL that is not HTTP"),
    ("torn", "/torn", "100 bytes of"),
]


@pytest.mark.parametrize(("path", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(path: str, said: str, site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=said):
        fetch(Download((site.host + path,)), tmp_path / "x", silent)


def test_bounds(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 100)
    with pytest.raises(FetchError, match="more than 100 bytes"):
        fetch(Download((site.host + "/file",)), tmp_path / "x", silent)
    monkeypatch.setattr(fetching, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(fetching, "MAX_S", -1.0)
    with pytest.raises(FetchError, match="sent only"):
        fetch(Download((site.host + "/file",)), tmp_path / "x", silent)


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1: .*refused"):
        fetch(Download(("http://127.0.0.1:1/x",)), tmp_path / "x", silent)


@pytest.fixture(scope="session")
def real_database() -> Path:
    """The database of countries of a package; the test is skipped where it cannot be had."""
    done = subprocess.run(
        ["bash", str(SCRIPT), "install"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = done.stderr.strip() or "geoip.sh failed"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    return Path(done.stdout.strip())


def test_the_built_in_pipeline_says_where_visitors_come_from(tmp_path: Path, real_database: Path) -> None:
    with Daemon(tmp_path, workers="3") as daemon:
        for number in range(1, 13):  # each on a connection of its own, so that all workers have some
            daemon.send([visit("210.89.164.90")])
            daemon.wait_for_delivery(number)
        ingestd(daemon.data_dir, "reload")
        daemon.send([visit("210.89.164.90")])
        daemon.wait_for_delivery(1)  # of the new workers
        assert len(daemon.said("no geoip database is installed, see ingestd geoip install")) == 1
        ingestd(daemon.data_dir, "geoip", "install", str(real_database))
    with Daemon(tmp_path) as daemon:
        daemon.send(map(visit, ["210.89.164.90", "8.8.8.8", "2001:4860:4860::8888", "10.0.0.1"]))
        daemon.wait_for_delivery(4)
        assert not daemon.problems()
    found = json.loads(ingestd(daemon.data_dir, "top", "geoip.country_code2", "--json"))
    assert {top["value"]: top["count"] for top in found} == {"US": 2, "KR": 1}
    addresses = json.loads(ingestd(daemon.data_dir, "top", "client_ip", "--json"))
    assert {top["value"]: top["count"] for top in addresses}["210.89.164.90"] == 14


def visit(address: str) -> dict[str, Any]:
    """Return what Django's own server logs of a request from ``address``."""
    return {
        "@timestamp": "2026-11-22T10:00:00.000Z",
        "message": '"GET / HTTP/1.1" 200 5316',
        "request": f"<socket.socket fd=9, family=2, laddr=('127.0.0.1', 8000), raddr=('{address}', 36965)>",
    }
