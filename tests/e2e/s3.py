"""An S3 emulator for the end-to-end tests, in this process or another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import ThreadedWSGIServer

from tests.threads import Background

ACCESS_KEY, SECRET_KEY = "test", "test-secret"
REGION = "us-east-1"


class S3:
    """A client of an emulator; ``url`` is its endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
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


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # so that server_close joins them


class Emulator:
    """Listens on a free port in the ``with`` block; ``url`` is its endpoint."""

    def __init__(self) -> None:
        application = DomainDispatcherApplication(create_backend_app)
        self._server = _Server("127.0.0.1", 0, application, handler=MotoRequestHandler)
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
        return {
            "TESTBED_S3_ENDPOINT": self.url,
            "TESTBED_S3_ACCESS_KEY": ACCESS_KEY,
            "TESTBED_S3_SECRET_KEY": SECRET_KEY,
        }


@contextmanager
def emulated_s3() -> Iterator[S3]:
    """Run an emulator."""
    with Emulator() as emulator:
        s3 = S3(emulator.url)
        yield s3
        s3.client.close()
