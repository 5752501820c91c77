"""Multipart uploads to S3 that another process can continue, as their ids and the tags of their parts are known.

The S3 client of `object_store` keeps these for itself. See
https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html. Importing this module takes 0.2 s.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import io
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import aiohttp
from yarl import URL

from ingestd.protocols.http.aws_signature import AwsKeys, Signer, canonical_query
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.object_store_errors import answer_error, error_code, silence_error

_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=10)
_ANSWER_BYTES = 1 << 16
_TRIES = 5
_FIRST_PAUSE_S = 0.2
_UPLOAD_ID = re.compile(r"<UploadId>([^<]+)</UploadId>")
_HEADERS = {"Storage-Class": "x-amz-storage-class"}
_GONE = frozenset({"NoSuchUpload", "InvalidPart"})
_TRANSIENT = frozenset({"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"})


class UnknownUploadError(BackupError):
    """S3 does not know the upload, or a part of it: it was completed, aborted or has expired."""


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """How requests to a bucket are made.

    Attributes:
        address: Returns the URL of a key without a query, and the region of the bucket.
        keys: They sign requests.
        headers: Of the request that creates an upload, such as those for encryption.
        proxy: URL of an HTTP proxy; empty: that of the environment.
    """

    address: Callable[[str], tuple[str, str]]
    keys: AwsKeys
    headers: dict[str, str]
    proxy: str = ""


class _Answer(NamedTuple):
    status: int
    phrase: str
    code: str
    text: str
    etag: str


class MultipartUploads:
    """The multipart uploads of a bucket. Requests that fail in passing are repeated a few times.

    All methods raise BackupError, and UnknownUploadError where an upload has to be started again.
    """

    def __init__(self, repository: Repository, access: BucketAccess) -> None:
        self._repository, self._access = repository, access
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)

    async def create(self, key: str, attributes: Mapping[str, str]) -> str:
        """Start an upload of an object with such attributes as ``Content-Type``; return its id."""
        headers = {_HEADERS.get(name, name): value for name, value in attributes.items()} | self._access.headers
        answer = await self._request("POST", key, {"uploads": ""}, headers=headers)
        if found := _UPLOAD_ID.search(answer.text):
            return html.unescape(found[1])
        raise answer_error(self._repository, answer.status, "without the id of an upload", answer.code)

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes, sha256: str) -> str:
        """Send a part, which replaces the part of the same number; return its tag.

        Args:
            key: Of the object.
            upload_id: Of the upload.
            number: 1 to 10,000.
            body: 5 MiB or more, unless it is the last part.
            sha256: Of the body, in hex; S3 refuses another body.
        """
        query = {"partNumber": str(number), "uploadId": upload_id}
        return (await self._request("PUT", key, query, body=body, sha256=sha256)).etag

    async def complete(self, key: str, upload_id: str, etags: Sequence[str]) -> None:
        """Make an object of the parts with these tags, in order."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag, quote=False)}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        await self._request("POST", key, {"uploadId": upload_id}, body=body, sha256=hashlib.sha256(body).hexdigest())

    async def abort(self, key: str, upload_id: str) -> None:
        """Delete an upload and its parts."""
        await self._request("DELETE", key, {"uploadId": upload_id})

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _request(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        *,
        body: bytes = b"",
        sha256: str = hashlib.sha256(b"").hexdigest(),
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Send a request until it is answered for good; return an answer that is not an error."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_S * 2**attempt)
            try:
                answer = await self._send(method, key, query, body, sha256, headers or {})
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = silence_error(self._repository, _why(error))
                continue
            if answer.status < 300 and not answer.code:
                return answer
            failure = answer_error(self._repository, answer.status, answer.phrase, answer.code)
            if answer.code in _GONE:
                raise UnknownUploadError(f"an upload in parts is unknown to S3 ({answer.code}); it starts again")
            if answer.status < 500 and answer.code not in _TRANSIENT:
                break
        raise failure

    async def _send(
        self, method: str, key: str, query: Mapping[str, str], body: bytes, sha256: str, headers: Mapping[str, str]
    ) -> _Answer:
        address, region = self._access.address(key)
        url = f"{address}?{canonical_query(query)}"
        signed = Signer(self._access.keys, region).headers(method, url, headers, sha256, datetime.now(UTC))
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=io.BytesIO(body) if body else None,  # sent in pieces
            headers=signed,
            proxy=self._access.proxy or None,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            found = b""
            async for piece in response.content.iter_chunked(_ANSWER_BYTES):
                found += piece[: _ANSWER_BYTES - len(found)]
            text, etag = found.decode("utf-8", "replace"), response.headers.get("ETag", "")
            return _Answer(response.status, response.reason or "", error_code(text), text, etag)


def _why(error: Exception) -> str:
    """Return what is wrong, without the URL."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    number = getattr(error, "errno", None)
    if number and number > 0 and not isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return os.strerror(number)
    return type(error).__name__
