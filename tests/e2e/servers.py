"""Real servers for the end-to-end tests: started together in the background, stopped when the tests are over."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.e2e.s3 import S3

SCRIPT = Path(__file__).parent.parent / "testbed" / "elasticsearch.sh"
SEARCH_SERVERS = ("elasticsearch-9.5.3", "elasticsearch-8.19.21", "opensearch-3.8.0")
REQUIRED = os.environ.get("INGESTD_REQUIRE_TESTBED") == "1"


class MissingError(Exception):
    """The server cannot be had on this machine; the text says what is missing."""


@dataclass(frozen=True)
class SearchServer:
    """A running node: ``name`` is one of `SEARCH_SERVERS`; ``url`` has no slash at its end; ``data`` is its folder.

    ``s3`` is the emulator that its repository-s3 is set up for, if it has that.
    """

    name: str
    url: str
    data: Path
    s3: S3 | None = None

    @property
    def flavour(self) -> str:
        return self.name.partition("-")[0]

    @property
    def version(self) -> tuple[int, int, int]:
        major, minor, patch = map(int, self.name.partition("-")[2].split("."))
        return major, minor, patch

    def stop(self) -> None:
        """Stop the node; `start` brings it back with its data, on the same port."""
        _run("stop", str(self.data))

    def start(self) -> None:
        """Start the node again; returns once it is green."""
        _run("start", self.name.removeprefix("elasticsearch-"), self.url.rpartition(":")[2], str(self.data))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request past ingestd and return the parsed answer; a status that is not 2xx raises."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                data = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:2000]!r}") from None
        return json.loads(data or b"null")

    def documents(self, index: str, size: int = 1000) -> list[dict[str, Any]]:
        """Return the documents of ``index`` (a pattern is fine), without order."""
        self.call("POST", f"/{index}/_refresh")
        answer = self.call("POST", f"/{index}/_search", {"size": size, "query": {"match_all": {}}})
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    def count(self, index: str) -> int:
        """Return the number of documents in ``index``, 0 if there is no such index."""
        self.call("POST", f"/{index}/_refresh?ignore_unavailable=true")
        answer = self.call("GET", f"/{index}/_count?ignore_unavailable=true")
        return int(answer["count"])

    def wipe(self, prefix: str = "") -> None:
        """Delete the indices and templates whose names begin with ``prefix``."""
        # By name, one list: these servers refuse wildcards in a deletion.
        names = [name for name in self.call("GET", f"/{prefix}*") if not name.startswith(".")]
        if names:
            self.call("DELETE", f"/{quote(','.join(names), safe=',')}")
        for found in self.call("GET", "/_index_template")["index_templates"]:
            ours = found["index_template"].get("_meta", {}).get("managed_by") == "ingestd"
            if found["name"].startswith(prefix) and (prefix or ours):
                self.call("DELETE", f"/_index_template/{found['name']}")


class Testbed:
    """All servers of one test session. `start` returns at once; `get` waits."""

    __test__ = False

    def __init__(self) -> None:
        self._starting: dict[str, Future[SearchServer]] = {}
        self._pool = ThreadPoolExecutor(len(SEARCH_SERVERS), thread_name_prefix="testbed")
        self._folder: Path | None = None

    def start(self, name: str) -> Future[SearchServer]:
        """Get and start a server in the background, if that is not done yet."""
        if self._folder is None:
            # In the system's folder for temporary files, where the unprivileged account can reach it.
            self._folder = Path(tempfile.mkdtemp(prefix="ingestd-testbed-"))
            self._folder.chmod(0o755)
        if name not in self._starting:
            self._starting[name] = self._pool.submit(_start, name, self._folder / name)
        return self._starting[name]

    def get(self, name: str) -> SearchServer:
        """Return the running server; skips the test, or fails it if INGESTD_REQUIRE_TESTBED is 1."""
        try:
            return self.start(name).result()
        except MissingError as missing:
            if REQUIRED:
                pytest.fail(f"{name} is required here: {missing}")
            pytest.skip(f"{name}: {missing}")

    def stop(self) -> None:
        """Stop what was started, all at once, and remove its data."""
        self._pool.shutdown(wait=True)
        if self._folder is None:
            return
        emulators = [one.result().s3 for one in self._starting.values() if not one.exception()]
        stops = [subprocess.Popen(["bash", SCRIPT, "stop", self._folder / name]) for name in self._starting]
        for stop in stops:
            stop.wait()
        for emulator in emulators:
            if emulator is not None:
                emulator.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _start(name: str, data: Path) -> SearchServer:
    if sys.platform != "linux":
        raise MissingError("the servers are started on Linux only")
    for tool in ("bash", "curl", "unzip", "flock"):
        if shutil.which(tool) is None:
            raise MissingError(f"{tool} is needed")
    version = name.removeprefix("elasticsearch-")
    _run("jdk", version)
    _run("install", version)
    s3 = _emulator() if name.startswith("opensearch-3") else None
    try:
        environ = s3.testbed if s3 is not None else {}
        url = _run("start", version, str(_free_port()), str(data), **environ)
    except MissingError as failed:  # it is here and does not start: that is no reason to look away
        raise RuntimeError(str(failed)) from None
    return SearchServer(name, url, data, s3)


def _emulator() -> S3:
    from tests.e2e.s3 import S3  # noqa: PLC0415 - it takes a second

    return S3()


def _run(*arguments: str, **environ: str) -> str:
    command = ["bash", str(SCRIPT), *arguments]
    surroundings = os.environ | {"TESTBED_PLUGINS": "repository-s3"} | environ
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=surroundings
    )
    if done.returncode != 0:
        raise MissingError(done.stderr.strip().rpartition("\n")[2] or f"{' '.join(arguments)} failed")
    return str(done.stdout).strip().rpartition("\n")[2]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
