"""Who may send over HTTP: basic authentication (RFC 7617), bearer tokens (RFC 6750) and API keys of Elasticsearch."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

_TOKEN_SCHEMES = ("bearer", "apikey")


class HttpAccess:
    """Judges the header ``Authorization``.

    Args:
        user, password: For basic authentication; both or none.
        tokens: Accepted as `Bearer TOKEN` and `ApiKey TOKEN`.

    Raises:
        ValueError: A user without a password, or the reverse, or an empty token.
    """

    def __init__(self, user: str, password: str, tokens: Sequence[str]) -> None:
        if bool(user) != bool(password):
            given, missing = ("user", "password") if user else ("password", "user")
            raise ValueError(f"{given} is set, but {missing} is not: basic authentication needs both")
        if any(not token.strip() for token in tokens):
            raise ValueError("a token is empty; is its variable set?")
        self._basic = base64.b64encode(f"{user}:{password}".encode()) if user else b""
        self._tokens = [token.encode() for token in tokens]

    @property
    def required(self) -> bool:
        """Whether clients have to authenticate."""
        return bool(self._basic or self._tokens)

    @property
    def challenge(self) -> str:
        """The header ``WWW-Authenticate`` of a refusal."""
        return 'Basic realm="ingestd", charset="UTF-8"' if self._basic else 'Bearer realm="ingestd"'

    def accepts(self, authorization: str) -> bool:
        """Return whether a client may send; takes the same time for all wrong secrets."""
        if not self.required:
            return True
        scheme, _, secret = authorization.strip().partition(" ")
        given = secret.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() == "basic":
            return bool(self._basic) & hmac.compare_digest(given, self._basic)
        if scheme.lower() in _TOKEN_SCHEMES:
            return True in {hmac.compare_digest(given, token) for token in self._tokens}
        return False
