"""How fast is this machine at this moment? A loop that does what the default pipeline is for, and nothing else.

Decode the touched fields, one regex, one search word, splice, bulk body: no config, no checks, no ids, no client's
address, no sockets, no journal. The cost of the daemon divided by that of this loop says what everything else costs;
the quotient is about the same on a fast machine and on one that others use as well.
"""

from __future__ import annotations

import gc
import multiprocessing
import re
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self, TypedDict
from urllib.parse import unquote_plus

import msgspec
import orjson

from tests.bench.events import make_lines

LINES = 4_000
"""Enough for one measurement; all together are a few percent of the load."""

_CHUNK_LINES = 200
_PAUSE_S = 0.1
_Projected = TypedDict(
    "_Projected",
    {
        "@timestamp": str,
        "message": str,
        "request": Any,
        "status_code": Any,
        "method": Any,
        "request_path": Any,
        "bytes": Any,
        "search_word": Any,
    },
    total=False,
)
_decode = msgspec.json.Decoder(_Projected).decode_lines
_access = re.compile(r'"(\w+) (\S+) HTTP/\S+" (\d+) (\d+)').match
_search = re.compile(r"[?&]q=([^&]+)&page=[01]\Z").search


@dataclass(frozen=True, slots=True)
class Reference:
    """What the loop cost: CPU microseconds per event, and how many times longer it took than it had the CPU."""

    us: float
    load: float


class ReferenceProcess:
    """Measures in a process of its own, ten times a second, for as long as the daemon is measured.

    So it sees what the daemon sees: neighbours on the machine, cold caches, a slower clock under load.
    """

    def __init__(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_measure, args=(theirs,), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def result(self) -> Reference:
        """Return what the loop has cost since the start; to be called once."""
        self._pipe.send("stop")
        result: Reference = self._pipe.recv()
        return result

    def __exit__(self, *raised: object) -> None:
        self._process.terminate()
        self._process.join()


def _measure(pipe: Connection) -> None:
    gc.freeze()  # a collection of what the benchmark itself has made would count as the loop's time
    lines = make_lines(LINES)
    chunks = [b"".join(lines[start : start + _CHUNK_LINES]) for start in range(0, len(lines), _CHUNK_LINES)]
    cpu = wall = 0.0
    rounds = 0
    while rounds == 0 or not pipe.poll(_PAUSE_S):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        for chunk in chunks:
            bulk_body(chunk)
        cpu += time.process_time() - cpu_start
        wall += time.perf_counter() - wall_start
        rounds += 1
    pipe.send(Reference(cpu / rounds / len(lines) * 1e6, wall / cpu))


def bulk_body(chunk: bytes) -> bytes:
    """Return the bulk body for the lines of ``chunk``: the documents of the default pipeline, without ``client_ip``."""
    parts: list[bytes] = []
    day, action = "", b""
    for raw, event in zip(chunk.split(b"\n"), _decode(chunk), strict=False):
        if (stamp := event["@timestamp"][:10]) != day:
            day, action = stamp, b'{"create":{"_index":"logstash-%b"}}\n' % stamp.replace("-", ".").encode()
        added = _found(event["message"])
        parts += (action, raw[:-1], b",", orjson.dumps(added)[1:], b"\n") if added else (action, raw, b"\n")
    return b"".join(parts)


def _found(message: str) -> dict[str, Any]:
    match = _access(message)
    if match is None:
        return {}
    method, path, _, size = match.groups()
    added = {"method": method, "request_path": path, "bytes": int(size), "visit": True}
    word = _search(path)
    if word is not None:
        added["search_word"] = unquote_plus(word[1])
    return added
