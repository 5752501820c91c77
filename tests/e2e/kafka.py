"""A real Kafka broker for the end-to-end tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.daemon import free_port
from tests.e2e.servers import MissingError
from tests.leftovers import folder_for_servers
from tests.waiting import WAIT_SECONDS, wait_until

VERSION = "4.3.1"
_SCRIPT = Path(__file__).parent.parent / "testbed" / "kafka.sh"


class Kafka:
    """A broker with its data in a folder of its own.

    Raises:
        MissingError: It cannot be had on this machine.
        RuntimeError: It is there and does not start.
    """

    def __init__(self) -> None:
        if sys.platform != "linux" or shutil.which("bash") is None:
            raise MissingError("the broker is started by bash, on Linux")
        try:
            _run("install", VERSION)
        except RuntimeError as error:
            raise MissingError(str(error)) from None
        self._folder, self.port = folder_for_servers(), free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, again with its data and on the same port after ``stop``."""
        _run("start", VERSION, str(self.port), str(self._folder))
        wait_until(self._answers, "the broker to answer")

    def stop(self) -> None:
        """Stop it."""
        _run("stop", str(self._folder))

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def make_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic."""
        from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415

        admin = self._admin()  # futures end with it
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result()

    def log_bytes(self, topic: str) -> int:
        """Return the size of a topic on the disk, without its indices."""
        return sum(file.stat().st_size for file in (self._folder / "data").glob(f"{topic}-*/*.log"))

    @property
    def pid(self) -> int:
        """The process id of the broker."""
        return int((self._folder / "server.pid").read_text())

    def records(self, topic: str, count: int) -> list[Any]:
        """Return the first records of a topic, as soon as there are so many."""
        from confluent_kafka import Consumer  # noqa: PLC0415

        consumer = Consumer(
            {"bootstrap.servers": self.servers, "group.id": f"test-{topic}", "auto.offset.reset": "earliest"}
        )
        found: list[Any] = []
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            consumer.subscribe([topic])
            while len(found) < count:
                assert time.monotonic() < deadline, f"gave up waiting for {count} records"
                found += _values(consumer)
        finally:
            consumer.close()
        return found

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException  # noqa: PLC0415

        try:
            return bool(self._admin().list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    def _admin(self) -> Any:
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        return AdminClient({"bootstrap.servers": self.servers, "log_level": 2})


def _values(consumer: Any) -> list[Any]:
    return [message for message in consumer.consume(1000, 0.2) if message.error() is None]


def _run(*arguments: str) -> str:
    done = subprocess.run(
        ["bash", str(_SCRIPT), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"{' '.join(arguments)} failed")
    return str(done.stdout).strip().rpartition("\n")[2]
