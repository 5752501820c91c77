"""Real servers for the end-to-end tests: started together in the background, stopped when the tests are over."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.e2e.daemon import free_port
from tests.leftovers import folder_for_servers
from tests.waiting import WAIT_SECONDS, wait_until

if TYPE_CHECKING:
    from tests.e2e.s3 import S3, Emulator

SCRIPT = Path(__file__).parent.parent / "testbed" / "elasticsearch.sh"
SEARCH_SERVERS = ("elasticsearch-9.5.3", "elasticsearch-8.19.21", "opensearch-3.8.0")
LEGACY_SERVERS = ("elasticsearch-7.17.29", "elasticsearch-6.8.23")
"""Servers of which fewer tests make sure that they are served as the newer ones are."""

START_SECONDS = 1200.0
"""Bound of the start of a server, of which there are several at once and which may have to be fetched."""

REQUIRED = os.environ.get("INGESTD_REQUIRE_TESTBED") == "1"


class MissingError(Exception):
    """The server cannot be had on this machine; the text says what is missing."""


@dataclass(frozen=True)
class SearchServer:
    """A running node.

    ``name`` is one of `SEARCH_SERVERS` or `LEGACY_SERVERS`; ``url`` has no slash at its end; ``data`` is its folder.

    ``s3_url`` is the emulator that its repository-s3 is set up for, if it has that.
    """

    name: str
    url: str
    data: Path
    s3_url: str | None = None

    @functools.cached_property
    def s3(self) -> S3 | None:
        """The emulator at ``s3_url``."""
        from tests.e2e.s3 import S3  # noqa: PLC0415 - it takes a second

        return None if self.s3_url is None else S3(self.s3_url)

    @property
    def flavour(self) -> str:
        return self.name.partition("-")[0]

    @property
    def version(self) -> tuple[int, int, int]:
        major, minor, patch = map(int, self.name.partition("-")[2].split("."))
        return major, minor, patch

    @property
    def composable_templates(self) -> bool:
        """Whether it has ``_index_template``; otherwise it has ``_template``."""
        return self.flavour == "opensearch" or self.version >= (7, 9, 0)

    @property
    def bulk_path(self) -> str:
        """Where it takes documents without a mapping type in their action lines."""
        return "/_bulk" if self.version >= (7, 0, 0) or self.flavour == "opensearch" else "/any/doc/_bulk"

    def put_template(self, name: str, body: Any) -> None:
        """Install an index template of the form that this server has."""
        api = "_index_template" if self.composable_templates else "_template"
        self.call("PUT", f"/{api}/{name}", body)

    def stop(self) -> None:
        """Stop the node; `start` brings it back with its data, on the same port."""
        self.call("PUT", "/*/_settings", {"index": {"number_of_replicas": 0}})  # so that it becomes green again
        _run("stop", str(self.data))

    def start(self) -> None:
        """Start the node again; returns once it is green."""
        _run("start", self.name.removeprefix("elasticsearch-"), self.url.rpartition(":")[2], str(self.data))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request past ingestd and return the parsed answer; a status that is not 2xx raises."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
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
        if not self.composable_templates:
            for name in self.call("GET", "/_template"):
                if name.startswith(prefix or "ingestd"):
                    self.call("DELETE", f"/_template/{name}")
            return
        for found in self.call("GET", "/_index_template")["index_templates"]:
            ours = found["index_template"].get("_meta", {}).get("managed_by") == "ingestd"
            if found["name"].startswith(prefix) and (prefix or ours):
                self.call("DELETE", f"/_index_template/{found['name']}")


class Testbed:
    """The search servers of one test session, in a folder of their own.

    The process that runs the tests starts them; if they run in several processes (pytest-xdist), the one that started
    these. `SharedTestbed` finds them by what is written into the folder. `start` returns at once; `get` waits.
    """

    __test__ = False

    def __init__(self) -> None:
        self.folder = folder_for_servers()
        self._starting: dict[str, Future[SearchServer]] = {}
        self._pool = ThreadPoolExecutor(len(SEARCH_SERVERS + LEGACY_SERVERS), thread_name_prefix="testbed")
        self._emulators = ExitStack()

    def start(self, name: str) -> Future[SearchServer]:
        """Get and start a server in the background, if that is not done yet."""
        if name not in self._starting:
            self._starting[name] = self._pool.submit(self._start, name)
        return self._starting[name]

    def get(self, name: str) -> SearchServer:
        """Return the running server. Raises MissingError, or RuntimeError if it is there and does not start."""
        return self.start(name).result()

    def stop(self) -> None:
        """Stop what was started, all at once, and remove its data."""
        self._pool.shutdown(wait=True)
        stops = [subprocess.Popen(["bash", SCRIPT, "stop", self.folder / name]) for name in self._starting]
        for stop in stops:
            stop.wait()
        self._emulators.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, name: str) -> SearchServer:
        try:
            emulator = self._emulators.enter_context(_emulator()) if name.startswith("opensearch-3") else None
            server = _start(name, self.folder / name, emulator)
        except (MissingError, RuntimeError) as error:
            self._write(name, {type(error).__name__: str(error)})
            raise
        self._write(name, {"url": server.url, "s3": server.s3_url})
        return server

    def _write(self, name: str, found: dict[str, Any]) -> None:
        file = self.folder / f"{name}.new"
        file.write_text(json.dumps(found))
        file.rename(self.folder / f"{name}.json")


class SharedTestbed:
    """The servers that another process starts in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> SearchServer:
        """Return the running server. Raises MissingError, or RuntimeError if it is there and does not start."""
        file = self._folder / f"{name}.json"
        wait_until(file.exists, f"{name} to start", START_SECONDS)
        found = json.loads(file.read_text())
        if "url" in found:
            return SearchServer(name, found["url"], self._folder / name, found["s3"])
        [(kind, text)] = found.items()
        raise (MissingError if kind == MissingError.__name__ else RuntimeError)(text)


def _start(name: str, data: Path, emulator: Emulator | None) -> SearchServer:
    if sys.platform != "linux":
        raise MissingError("the servers are started on Linux only")
    for tool in ("bash", "curl", "unzip", "flock"):
        if shutil.which(tool) is None:
            raise MissingError(f"{tool} is needed")
    version = name.removeprefix("elasticsearch-")
    _run("jdk", version)
    _run("install", version)
    try:
        environ = emulator.testbed if emulator is not None else {}
        url = _run("start", version, str(free_port()), str(data), **environ)
    except MissingError as failed:  # it is here and does not start: that is no reason to look away
        raise RuntimeError(str(failed)) from None
    return SearchServer(name, url, data, emulator.url if emulator is not None else None)


def _emulator() -> Emulator:
    from tests.e2e.s3 import Emulator  # noqa: PLC0415 - it takes a second

    return Emulator()


def _run(*arguments: str, **environ: str) -> str:
    command = ["bash", str(SCRIPT), *arguments]
    surroundings = os.environ | {"TESTBED_PLUGINS": "repository-s3"} | environ
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=surroundings
    )
    if done.returncode != 0:
        raise MissingError(done.stderr.strip().rpartition("\n")[2] or f"{' '.join(arguments)} failed")
    return str(done.stdout).strip().rpartition("\n")[2]
