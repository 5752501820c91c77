"""What can go wrong on the way to Elasticsearch. No message holds a password, a key or a header."""

from __future__ import annotations


class ElasticError(Exception):
    """Base of both: catch this to catch all."""


class ElasticUnavailable(ElasticError):  # noqa: N818  # a state, not a mistake
    """No answer came: try again later.

    ``kind`` is one of ``refused`` (no connection, mostly nobody listens), ``dns``, ``timeout``, ``closed`` (the
    connection broke), ``tls``, ``proxy`` and ``network``: a label for metrics. A request that ends so may have
    been carried out all the same.
    """

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class ElasticRefused(ElasticError):  # noqa: N818  # an answer, not a mistake of ours
    """An answer came, and it says no. ``status`` is its HTTP status."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status
