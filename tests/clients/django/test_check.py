"""The command ``ingestd_check``."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from ingestd_django import IngestdHandler

from tests.clients.django import site
from tests.clients.django.server import Server

site.set_up()


@pytest.fixture
def handler(server: Server, tmp_path: Path) -> Iterator[IngestdHandler]:
    """The handler of a logger of the site."""
    made = IngestdHandler("127.0.0.1", server.port, spool_dir=tmp_path)
    logger = logging.getLogger("site.checked")
    logger.addHandler(made)
    yield made
    logger.removeHandler(made)
    server.stop()
    made.close()


def check(**options: object) -> str:
    out = io.StringIO()
    call_command("ingestd_check", stdout=out, no_color=True, **options)
    return out.getvalue()


def test_a_record_arrives(handler: IngestdHandler, server: Server) -> None:
    said = check()
    assert f"127.0.0.1:{server.port} has it on its disk." in said
    assert "Records arrive. Loggers that send: site.checked." in said
    [text] = server.messages()
    assert text.startswith("ingestd-check-")


def test_without_a_handler() -> None:
    with pytest.raises(CommandError, match="no logger has an IngestdHandler"):
        check()


def test_the_server_is_away(handler: IngestdHandler, server: Server) -> None:
    server.stop()
    with pytest.raises(CommandError, match=r"cannot be reached: .*refused"):
        check()


def test_the_level_is_too_high(handler: IngestdHandler) -> None:
    handler.setLevel("ERROR")
    with pytest.raises(CommandError, match="does not take records of level INFO"):
        check()


def test_nobody_answers_at_the_url(handler: IngestdHandler, server: Server) -> None:
    with pytest.raises(CommandError, match="cannot be asked"):
        check(url=f"http://127.0.0.1:{server.port}0")
