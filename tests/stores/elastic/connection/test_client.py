from __future__ import annotations

import subprocess
import sys

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders

from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.errors import response_error
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server


def test_the_import_is_cheap() -> None:
    """The official client and aiohttp come with the first connection, not with the module."""
    heavy = {"aiohttp", "elastic_transport", "elasticsearch"}
    code = f"import sys, ingestd.stores.elastic.connection.client as c; print({heavy!r} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


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
    (node,) = ElasticClient(ElasticOptions(**options)).api.transport.node_pool.all()  # type: ignore[arg-type]
    error = response_error(ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, node.config), answer)
    assert str(error).startswith(f"http://127.0.0.1:9200 {sentence}")
    assert error.status == status


def test_server_is_shown() -> None:
    assert str(Server("opensearch", (3, 8, 0))) == "opensearch 3.8.0"
    assert str(Server("elasticsearch")) == "elasticsearch of unknown version"


def test_quote_part() -> None:
    assert quote_part("logs-*,a/b c?서") == "logs-*,a%2Fb%20c%3F%EC%84%9C"
