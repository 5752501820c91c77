"""Signatures of requests to S3: the examples of AWS, and those of AWS's own library."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingestd.protocols.http.aws_signature import AwsKeys, Signer, canonical_query

KEYS = AwsKeys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
BUCKET = "https://examplebucket.s3.amazonaws.com"
NOTHING = hashlib.sha256(b"").hexdigest()

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
EXAMPLES = [
    (
        "get",
        ("GET", "/test.txt", {"Range": "bytes=0-9"}, NOTHING),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "put",
        (
            "PUT",
            "/test%24file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
        ),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "parameter_without_value",
        ("GET", "/?lifecycle=", {}, NOTHING),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "parameters",
        ("GET", "/?max-keys=2&prefix=J", {}, NOTHING),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]


@pytest.mark.parametrize(("request_", "signature"), [case[1:] for case in EXAMPLES], ids=[case[0] for case in EXAMPLES])
def test_the_examples_of_aws(request_: tuple[str, str, dict[str, str], str], signature: str) -> None:
    method, path, headers, digest = request_
    now = datetime(2013, 5, 24, tzinfo=UTC)
    signed = Signer(KEYS, "us-east-1").headers(method, BUCKET + path, headers, digest, now)
    assert signed["Authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("method", "url", "query", "headers", "body"),
    [
        ("POST", "http://127.0.0.1:9000/logs/a%20b/%EC%84%9C/x.gz", {"uploads": ""}, {"Content-Type": "text/x"}, b""),
        ("PUT", "https://minio.example.org:9000/logs/x%2A.gz", {"partNumber": "2", "uploadId": "a/b+c=~"}, {}, b"part"),
        ("DELETE", "https://logs.s3.eu-west-1.amazonaws.com/x", {"uploadId": "z"}, {"x-amz-a": " b  c "}, b""),
    ],
    ids=["create", "part", "abort"],
)
@pytest.mark.parametrize("token", ["", "session/token+="], ids=["long_term", "temporary"])
def test_the_same_as_the_library_of_aws(
    method: str, url: str, query: dict[str, str], headers: dict[str, str], body: bytes, token: str
) -> None:
    keys = AwsKeys("AK", "secret", token)
    full, digest = f"{url}?{canonical_query(query)}", hashlib.sha256(body).hexdigest()
    request = AWSRequest(method, full, headers, body)
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(Credentials("AK", "secret", token or None), "s3", "eu-west-1").add_auth(request)
    stamp = request.context["timestamp"]
    now = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    signed = Signer(keys, "eu-west-1").headers(method, full, headers, digest, now)
    assert signed["Authorization"] == request.headers["Authorization"]
