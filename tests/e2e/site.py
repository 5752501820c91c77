"""The Django site in a process of its own, served by ``manage.py runserver``."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import WAIT_SECONDS, wait_until

MANAGE = Path(__file__).parent / "django_site" / "manage.py"
_ADDRESS = re.compile(r"development server at http://127\.0\.0\.1:([1-9]\d*)/")


class Site:
    """A running site."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, target: str) -> int:
        """Request a path with its query, sent as it stands; return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def is_listening(self) -> bool:
        """Return whether it accepts connections; makes no request, which would be logged."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True


@contextmanager
def django_site(folder: Path, **variables: str) -> Iterator[Site]:
    """Serve the site with additional environment ``variables``; ``folder`` takes its console output."""
    output = folder / "site.log"
    command = [sys.executable, str(MANAGE), "runserver", "127.0.0.1:0", "--noreload", "--skip-checks"]
    environ = os.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_RUNSERVER_HIDE_WARNING": "true"} | variables
    with output.open("wb") as stream:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: process.poll() is not None or _ADDRESS.search(output.read_text()), "the site to start")
        found = _ADDRESS.search(output.read_text())
        assert found, output.read_text()
        yield Site(int(found[1]))
    finally:
        process.terminate()
        process.wait()
