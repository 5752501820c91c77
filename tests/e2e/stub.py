"""A small server that answers as Elasticsearch does, and fails in the ways it is configured to."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.e2e.http_server import HttpServer

DEFAULT_ROOT = b'{"version":{"number":"9.5.3"}}', {"X-Elastic-Product": "Elasticsearch"}


@dataclass(frozen=True)
class Fault:
    """What happens to one request, instead of an answer.

    ``status`` and ``text``: the answer, and nothing is stored; status 0 breaks the connection.
    ``store``: the documents are stored all the same. ``items``: statuses of single documents by place; only these
    are not stored, and the request as a whole is answered well.
    """

    status: int = 0
    text: str = "{}"
    store: bool = False
    delay: float = 0
    headers: dict[str, str] = field(default_factory=dict)
    items: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A request that came; ``path`` with its query, ``headers`` with lower-case names, ``count`` of documents."""

    method: str
    path: str
    headers: dict[str, str]
    count: int


class StubElasticsearch:
    """Listens from the start of the ``with`` block.

    Args:
        tls: With this, https.
        authorization: The header that every request needs; others get 401.
        max_bytes: Longest body that is taken; longer ones get 413.
        most_in_time: Bulk requests of more documents are not answered in a second, and not stored.
        port: Where to listen, 0 takes a free one.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        authorization: str | None = None,
        max_bytes: int = 1 << 30,
        most_in_time: int = 1 << 30,
        port: int = 0,
    ) -> None:
        self.authorization, self.max_bytes, self.most_in_time = authorization, max_bytes, most_in_time
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.bulk_faults: deque[Fault] = deque()
        self.template_faults: deque[Fault] = deque()
        self.templates: dict[str, Any] = {}
        self.root = DEFAULT_ROOT
        """The answer to ``GET /``, and its headers."""
        self.refuses: Callable[[dict[str, Any]], bool] = lambda document: False
        """Whether a document is answered with 400 and never stored."""
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(_Handler, port)
        self._server.stub = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        self.closing.set()
        self._server.__exit__(kind, *raised)

    def stored(self) -> int:
        """Return how many documents there are, not in the middle of a request."""
        with self.lock:
            return len(self.documents)

    def bulks(self) -> list[Request]:
        """Return the bulk requests that came."""
        return [request for request in self.requests if request.path.startswith("/_bulk")]

    def values(self, name: str) -> list[Any]:
        """Return a field of all documents, sorted."""
        return sorted(document[name] for document in self.documents.values())


class _Server(HttpServer):
    stub: StubElasticsearch


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_GET  # noqa: N815 -- names of the base class

    def _handle(self) -> None:
        stub = self.server.stub
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("it broke in the middle of a request")
        packed = self.headers.get("Content-Encoding") == "gzip"
        lines = (gzip.decompress(body) if packed else body).splitlines()
        with stub.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            stub.requests.append(Request(self.command, self.path, headers, len(lines) // 2))
            fault = self._fault(len(body), len(lines) // 2)
            if fault is None or fault.store or fault.items:
                answer = self._carry_out(body, lines, fault.items if fault else {})
        stub.closing.wait(fault.delay if fault else 0)
        if fault is None or fault.items:
            self._answer(*answer)
        elif fault.status:
            self._answer(fault.status, fault.text.encode(), fault.headers)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _fault(self, size: int, count: int) -> Fault | None:
        stub = self.server.stub
        if stub.authorization not in {None, self.headers.get("Authorization")}:
            return Fault(401, '{"error":{"type":"security_exception","reason":"unable to authenticate"}}')
        if size > stub.max_bytes:
            return Fault(413, "Request Entity Too Large")
        if count > stub.most_in_time:
            return Fault(delay=1.5)
        if self.path.startswith("/_index_template"):
            faults = stub.template_faults
        elif "/_bulk" in self.path:
            faults = stub.bulk_faults
        else:  # what the output asks when it connects, and the scheduler for backup and retention
            return None
        return faults.popleft() if faults else None

    def _carry_out(self, body: bytes, lines: list[bytes], refused: dict[int, int]) -> tuple[int, bytes, dict[str, str]]:
        stub = self.server.stub
        path, _, _ = self.path.partition("?")
        if path.startswith("/_index_template/"):
            name = path.rpartition("/")[2]
            if self.command == "PUT":
                stub.templates[name] = json.loads(body)
            elif name not in stub.templates:
                return 404, b'{"error":"not found"}', {}
            else:
                found = [{"name": name, "index_template": stub.templates[name]}]
                return 200, json.dumps({"index_templates": found}).encode(), {}
        elif path.endswith("/_bulk"):
            return 200, json.dumps(self._store(lines, refused), separators=(",", ":")).encode(), {}
        elif path.endswith("/_count"):
            index = path.split("/")[1]
            return 200, json.dumps({"count": sum(key[0] == index for key in stub.documents)}).encode(), {}
        elif path.startswith(("/_cat/indices", "/_snapshot", "/_mapping", "/_alias")):  # nothing to back up or delete
            return 200, b"[]" if path.startswith("/_cat") else b"{}", {}
        return 200, *stub.root

    def _store(self, lines: list[bytes], refused: dict[int, int]) -> dict[str, Any]:
        items = []
        for place, (head, document) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            [(action, target)] = json.loads(head).items()
            key = (target["_index"], target["_id"])
            status = 400 if self.server.stub.refuses(json.loads(document)) else refused.get(place)
            if status:
                kind = "mapper_parsing_exception" if status == 400 else "es_rejected_execution_exception"
                items.append({action: {"status": status, "error": {"type": kind, "reason": "refused"}}})
            elif action == "create" and key in self.server.stub.documents:
                error = {"type": "version_conflict_engine_exception", "reason": "there"}
                items.append({action: {"status": 409, "error": error}})
            else:
                self.server.stub.documents[key] = json.loads(document)
                items.append({action: {"status": 201}})
        return {"errors": any("error" in item for entry in items for item in entry.values()), "items": items}

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (usual | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
