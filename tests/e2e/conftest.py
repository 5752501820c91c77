"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import testbed
from tests.e2e.servers import REQUIRED, SEARCH_SERVERS, MissingError, SearchServer

if TYPE_CHECKING:
    from tests.e2e.s3 import S3
    from tests.e2e.s3_gate import S3Gate


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


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """An emulator for the tests of a module."""
    from tests.e2e.s3 import emulated_s3  # noqa: PLC0415 -- moto takes a second

    with emulated_s3() as server:
        yield server


@pytest.fixture(scope="module")
def gate(s3: S3) -> Iterator[S3Gate]:
    """A relay in front of the emulator, open at the start of each test that uses `gate_reset`."""
    from tests.e2e.s3_gate import S3Gate  # noqa: PLC0415

    with S3Gate(s3.url) as opened:
        opened.open()
        yield opened


@pytest.fixture
def gate_reset(gate: S3Gate) -> Iterator[None]:
    """Open and unlimited: whatever a test that fails has left, the next one does not meet it."""
    yield
    gate.reset()


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
