"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import testbed
from tests.e2e.servers import REQUIRED, SEARCH_SERVERS, MissingError, SearchServer


@pytest.fixture(scope="session", params=SEARCH_SERVERS)
def search_server(request: pytest.FixtureRequest) -> SearchServer:
    """A real server, one after the other; without it the test is skipped, or fails if INGESTD_REQUIRE_TESTBED is 1.

    A test for one server only: ``@pytest.mark.parametrize("search_server", ["opensearch-3.8.0"], indirect=True)``.
    It is shared by all tests: use `index_prefix`, or `clean_search_server` for fixed index names.
    """
    try:
        return testbed(request.config).get(request.param)
    except MissingError as missing:
        if REQUIRED:
            pytest.fail(f"{request.param} is required here: {missing}")
        pytest.skip(f"{request.param}: {missing}")


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
        reason = "openssl is needed to make a certificate"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
