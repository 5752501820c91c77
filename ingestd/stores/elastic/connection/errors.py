"""Errors of requests to Elasticsearch. No message contains a password, a key or a header."""

from __future__ import annotations

from typing import Any

import orjson

from ingestd.protocols.http import bulk


class ElasticError(Exception):
    """A request failed."""


class ElasticUnavailable(ElasticError):  # noqa: N818  # a state, not a mistake
    """There was no answer: try again later.

    ``kind`` is one of ``refused`` (no connection, usually because nothing listens), ``dns``, ``timeout``, ``closed``
    (the connection broke), ``tls``, ``proxy`` and ``network``: a label for metrics. The request may have been
    carried out all the same.
    """

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class ElasticResponseError(ElasticError):
    """The server answered with an error, or is not what we expect. ``status`` is its HTTP status."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def parse_body(data: bytes | None) -> Any:
    """Return the parsed JSON of a response; its text if it is not JSON, None if it is empty."""
    if not data:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode("utf-8", "replace")


def response_error(url: str, status: int, answer: Any, *, authorized: bool) -> ElasticResponseError:
    """Return the exception for an error response; its message says what to do if we know.

    Args:
        url: The node that sent it, without credentials.
        status: Of the response.
        answer: The parsed response; text if it is not JSON.
        authorized: Whether the request had credentials.
    """
    if 200 <= status < 300:
        return ElasticResponseError(f"{url} is neither Elasticsearch nor OpenSearch", status)
    if status == 401:
        if authorized:
            return ElasticResponseError(
                f"{url} rejects the credentials (401): check user and password or api_key", status
            )
        return ElasticResponseError(f"{url} requires credentials (401): set user and password or api_key", status)
    data = orjson.dumps(_with_root_cause(answer)) if isinstance(answer, dict) else str(answer or "").encode()
    hint = "; the user lacks a privilege" if status == 403 else ""
    return ElasticResponseError(f"{url} answers {bulk.whole_reason(status, data)}{hint}", status)


def _with_root_cause(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace "all shards failed" by the reason of the failure."""
    error = answer.get("error")
    if not isinstance(error, dict) or not str(error.get("type", "")).startswith("search_phase"):
        return answer
    cause = next(iter(error.get("root_cause") or ()), None) or error.get("caused_by") or error
    return answer | {"error": cause}
