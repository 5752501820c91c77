"""Signature Version 4 of AWS, in the header ``Authorization``, as S3 wants it.

Follows https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Credentials; ``session_token`` is empty unless they are temporary."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def canonical_query(query: Mapping[str, str]) -> str:
    """Return parameters as they are signed, and sent."""
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items()))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests to a service in a region."""

    keys: AwsKeys
    region: str
    service: str = "s3"

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], payload_sha256: str, now: datetime
    ) -> dict[str, str]:
        """Return the headers of a request, with those that sign it.

        Args:
            method: In capital letters.
            url: As it is sent: the path is percent-encoded once, and the query is a `canonical_query`.
            headers: The other headers; all are signed.
            payload_sha256: Of the body, in hex.
            now: The time, which the server compares with its own.
        """
        parts, time = urlsplit(url), now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        own = {"x-amz-content-sha256": payload_sha256, "x-amz-date": time}
        if self.keys.session_token:
            own["x-amz-security-token"] = self.keys.session_token
        sent = {**headers, **own}
        signed = {name.lower(): " ".join(value.split()) for name, value in {**sent, "host": parts.netloc}.items()}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = "\n".join([method, parts.path or "/", parts.query, lines, names, payload_sha256])
        return {**sent, "Authorization": self._authorization(request, names, time)}

    def _authorization(self, request: str, names: str, time: str) -> str:
        place = f"{time[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join([_ALGORITHM, time, place, hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{self.keys.secret_access_key}".encode()
        for step in place.split("/"):
            key = _hmac(key, step)
        credential = f"{self.keys.access_key_id}/{place}"
        return f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={_hmac(key, text).hex()}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
