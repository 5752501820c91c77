from __future__ import annotations

import subprocess
import sys

import pytest

from ingestd.stores.elastic.connection.client import quote_part
from ingestd.stores.elastic.connection.node import Answer
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.connection.transport import Transport


def test_the_import_is_cheap() -> None:
    """aiohttp comes with the first connection, the official client when it is used."""
    code = (
        "import sys, asyncio\n"
        "from ingestd.stores.elastic.connection.client import ElasticClient\n"
        "from ingestd.stores.elastic.connection.options import ElasticOptions\n"
        "heavy = ['aiohttp', 'elastic_transport', 'elasticsearch']\n"
        "def show(): print(*[name for name in heavy if name in sys.modules])\n"
        "client = ElasticClient(ElasticOptions())\n"
        "show()\n"
        "client.connect()\n"
        "show()\n"
        "client.api\n"
        "show()\n"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.splitlines() == ["", "aiohttp", "aiohttp elastic_transport elasticsearch"]


@pytest.mark.parametrize(
    ("options", "status", "answer", "sentence"),
    [
        pytest.param({}, 401, None, "requires credentials (401): set user and password or api_key", id="no_user"),
        pytest.param(
            {"api_key": "a:b"}, 401, None, "rejects the credentials (401): check user and password", id="wrong"
        ),
        pytest.param(
            {},
            403,
            {"error": {"type": "security_exception", "reason": "not yours"}},
            "answers HTTP 403: security_exception: not yours; the user lacks a privilege",
            id="forbidden",
        ),
        pytest.param({}, 502, "<h1>Bad</h1>", "answers HTTP 502: <h1>Bad</h1>", id="text"),
        pytest.param({}, 500, None, "answers HTTP 500", id="nothing"),
    ],
)
def test_an_error_response_is_a_sentence(options: dict[str, str], status: int, answer: object, sentence: str) -> None:
    [node] = Transport(ElasticOptions(**options)).pool.nodes  # type: ignore[arg-type]
    error = Answer(status, {}, b"", node).error(answer)
    assert str(error).startswith(f"http://127.0.0.1:9200 {sentence}")
    assert error.status == status


def test_server_is_shown() -> None:
    assert str(Server("opensearch", (3, 8, 0))) == "opensearch 3.8.0"
    assert str(Server("elasticsearch")) == "elasticsearch of unknown version"


def test_quote_part() -> None:
    assert quote_part("logs-*,a/b c?서") == "logs-*,a%2Fb%20c%3F%EC%84%9C"
