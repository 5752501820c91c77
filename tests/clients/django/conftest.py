"""Fixtures of the tests."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ingestd_django import IngestdHandler

from tests.clients.django.server import Server

Make = Callable[..., logging.Logger]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def make(server: Server, tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes a logger whose handler sends to the server."""
    made: list[tuple[logging.Logger, IngestdHandler]] = []

    def make(**options: Any) -> logging.Logger:
        options = dict[str, Any](port=server.port, spool_dir=tmp_path / "spool", exit_seconds=30.0) | options
        handler = IngestdHandler("127.0.0.1", **options)
        logger = logging.getLogger(f"test.{uuid.uuid4().hex}")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False  # pytest's own handler raises what others only report
        logger.addHandler(handler)
        made.append((logger, handler))
        return logger

    yield make
    server.stop()
    for logger, handler in made:
        logger.removeHandler(handler)
        handler.close()
