"""What can go wrong on the way to Elasticsearch. No message holds a password, a key or a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ingestd.protocols import bulk
from ingestd.stores.elastic.options import Host

if TYPE_CHECKING:
    from elastic_transport import ApiResponseMeta


class ElasticError(Exception):
    """Base class of the two below."""


class ElasticUnavailable(ElasticError):  # noqa: N818  # a state, not a mistake
    """No answer came: try again later.

    ``kind`` is one of ``refused`` (no connection, usually because nothing listens), ``dns``, ``timeout``, ``closed``
    (the connection broke), ``tls``, ``proxy`` and ``network``: a label for metrics. The request may have been
    carried out all the same.
    """

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class ElasticRefused(ElasticError):  # noqa: N818  # an answer, not a mistake of ours
    """The server answered, and it says no. ``status`` is its HTTP status."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def parsed(data: bytes | None) -> Any:
    """Return what JSON says; text if it is something else, None if it is empty."""
    if not data:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode("utf-8", "replace")


def refused(meta: ApiResponseMeta, answer: Any) -> ElasticRefused:
    """Return the exception for an answer other than the one asked for; it says what to do if we know.

    Args:
        meta: Status of the answer, and the node that gave it.
        answer: The parsed answer; text if it is not JSON.
    """
    node, status = meta.node, meta.status
    url = Host(node.scheme, node.host, node.port, node.path_prefix).url
    if 200 <= status < 300:
        return ElasticRefused(f"{url} is neither Elasticsearch nor OpenSearch", status)
    if status == 401:
        known = "authorization" in node.headers
        how = "user and password or api_key" if known else "a user or an api_key, none given"
        return ElasticRefused(f"{url} does not know us (401): check {how}", status)
    data = orjson.dumps(_with_root_cause(answer)) if isinstance(answer, dict) else str(answer or "").encode()
    hint = "; the account lacks the right" if status == 403 else ""
    return ElasticRefused(f"{url} refuses: {bulk.whole_reason(status, data)}{hint}", status)


def _with_root_cause(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace "all shards failed" by the reason why they did."""
    error = answer.get("error")
    if not isinstance(error, dict) or not str(error.get("type", "")).startswith("search_phase"):
        return answer
    cause = next(iter(error.get("root_cause") or ()), None) or error.get("caused_by") or error
    return answer | {"error": cause}
