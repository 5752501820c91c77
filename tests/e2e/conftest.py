"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.servers import SEARCH_SERVERS, SearchServer, Testbed

TESTBED = pytest.StashKey[Testbed]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers that the chosen tests need, so that they are up when the first of these comes."""
    wanted = {
        str(item.callspec.params["search_server"])
        for item in session.items
        if isinstance(item, pytest.Function) and "search_server" in item.fixturenames
    }
    if not wanted or session.config.option.collectonly:
        return
    testbed = _testbed(session.config)
    for name in sorted(wanted):
        testbed.start(name)


def _testbed(config: pytest.Config) -> Testbed:
    if TESTBED not in config.stash:
        config.stash[TESTBED] = Testbed()
        config.add_cleanup(config.stash[TESTBED].stop)
    return config.stash[TESTBED]


@pytest.fixture(scope="session", params=SEARCH_SERVERS)
def search_server(request: pytest.FixtureRequest) -> SearchServer:
    """A real server, one after the other.

    A test for one server only: ``@pytest.mark.parametrize("search_server", ["opensearch-3.8.0"], indirect=True)``.
    It is shared by all tests: use `index_prefix`, or `clean_search_server` for fixed index names.
    """
    return _testbed(request.config).get(request.param)


@pytest.fixture
def index_prefix(search_server: SearchServer) -> Iterator[str]:
    """A beginning of names for indices and templates of this test alone; they are deleted after it."""
    prefix = f"t{uuid.uuid4().hex[:12]}-"
    yield prefix
    search_server.wipe(prefix)


@pytest.fixture
def clean_search_server(search_server: SearchServer) -> Iterator[SearchServer]:
    """A server without indices and without ingestd's templates."""
    search_server.wipe()
    yield search_server
    search_server.wipe()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
