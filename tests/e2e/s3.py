"""An S3 emulator for the end-to-end tests, in this process or another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import FakeKey, S3Backend
from werkzeug.serving import ThreadedWSGIServer

from tests.threads import Background

ACCESS_KEY, SECRET_KEY = "test", "test-secret"
"""Those in tests/testbed/opensearch.keystore, too."""
REGION = "us-east-1"


class S3:
    """A client of an emulator; ``url`` is its endpoint, ``requests`` has the first lines of those that succeeded."""

    def __init__(self, url: str, requests: Sequence[str] = ()) -> None:
        self.url, self.requests = url, requests
        self.client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def bucket(self, name: str) -> str:
        """Make a bucket; returns its name."""
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return the names of all objects of a bucket."""
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _upload_part(backend: S3Backend, bucket_name: str, multipart_id: str, part_id: int, value: bytes) -> FakeKey:
    """Answer as S3 does if there is no such upload; moto answers 500."""
    if multipart_id not in backend.get_bucket(bucket_name).multiparts:
        raise NoSuchUpload(upload_id=multipart_id)
    return _UPLOAD_PART(backend, bucket_name, multipart_id, part_id, value)


_UPLOAD_PART = S3Backend.upload_part
S3Backend.upload_part = _upload_part  # type: ignore[assignment, method-assign]


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # so that server_close joins them
    requests: list[str]


class _Handler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code) == "200" and isinstance(self.server, _Server):
            self.server.requests.append(self.requestline)
        super().log_request(code, size)


class Emulator:
    """Listens on a free port in the ``with`` block; ``url`` is its endpoint, ``requests`` has those that succeeded."""

    def __init__(self) -> None:
        application = DomainDispatcherApplication(create_backend_app)
        self._server = _Server("127.0.0.1", 0, application, handler=_Handler)
        self._server.requests = self.requests = list[str]()
        self._serving = Background(lambda: self._server.serve_forever(0.02), self._server.shutdown)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        self._serving.__exit__(kind, *raised)

    @property
    def testbed(self) -> dict[str, str]:
        """The environment in which `elasticsearch.sh` sets a server up for this S3."""
        return {"TESTBED_S3_ENDPOINT": self.url}


@contextmanager
def emulated_s3() -> Iterator[S3]:
    """Run an emulator."""
    with Emulator() as emulator:
        s3 = S3(emulator.url, emulator.requests)
        yield s3
        s3.client.close()
