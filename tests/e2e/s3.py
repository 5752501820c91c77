"""An S3 emulator for the end-to-end tests, in this process."""

from __future__ import annotations

import boto3
from moto.server import ThreadedMotoServer

ACCESS_KEY, SECRET_KEY = "test", "test-secret"
REGION = "us-east-1"


class S3:
    """Listens on a free port; ``url`` is its endpoint."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    @property
    def testbed(self) -> dict[str, str]:
        """The environment in which `elasticsearch.sh` sets a server up for this S3."""
        return {
            "TESTBED_S3_ENDPOINT": self.url,
            "TESTBED_S3_ACCESS_KEY": ACCESS_KEY,
            "TESTBED_S3_SECRET_KEY": SECRET_KEY,
        }

    def bucket(self, name: str) -> str:
        """Make a bucket; returns its name."""
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return the names of all objects of a bucket."""
        return [one["Key"] for one in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def stop(self) -> None:
        """Close the port."""
        self._server.stop()
