"""Whether the documents are right: each of them, how often it came, its index. Wrong results have no speed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from tests.bench.sink import bodies

Expected = Callable[[bytes], dict[str, object]]


def check_sink(path: Path, sent: Mapping[bytes, int], expected: Expected, *, only_stamped: bool = False) -> list[int]:
    """Compare what the sink was sent with the lines that were sent; exits if an event is missing, wrong or too many.

    An event that was sent again after the sink went away has the id of the first time, and counts once, as in
    Elasticsearch. ``only_stamped``: leave out documents without ``sent_ns``.

    Returns the nanoseconds from sent to stored of the events with ``sent_ns``.
    """
    documents: Counter[bytes] = Counter()
    ids: set[str] = set()
    latencies = []
    for came_ns, action, document in _documents(path):
        sent_ns = document.pop("sent_ns", None)
        if action["_id"] in ids or (only_stamped and sent_ns is None):
            continue
        ids.add(action["_id"])
        if action["_index"] != "logstash-" + str(document["@timestamp"])[:10].replace("-", "."):
            sys.exit(f"wrong index {action['_index']}: {document}")
        if sent_ns is not None:
            latencies.append(came_ns - sent_ns)
        documents[canonical(document)] += 1
    compare(documents, sent, expected)
    return latencies


def _documents(path: Path) -> Iterator[tuple[int, dict[str, str], dict[str, Any]]]:
    for came_ns, body in bodies(path):
        lines = body.split(b"\n")
        for action, document in zip(lines[:-1:2], lines[1::2], strict=True):
            yield came_ns, orjson.loads(action)["create"], orjson.loads(document)


def check_stored(lines: Iterable[bytes], sent: Mapping[bytes, int], expected: Expected) -> None:
    """Compare the documents of the built-in store, one a line, with the lines that were sent."""
    compare(Counter(canonical(orjson.loads(line)) for line in lines), sent, expected)


def compare(documents: Counter[bytes], sent: Mapping[bytes, int], expected: Expected) -> None:
    """Exit unless the documents are those that are expected of the lines, each as often as it was sent."""
    wanted: Counter[bytes] = Counter()
    for line, times in sent.items():
        wanted[canonical(expected(line))] += times
    if documents != wanted:
        missing, unexpected = wanted - documents, documents - wanted
        shown = "".join(f"\n  {document.decode()}" for some in (missing, unexpected) for document in list(some)[:1])
        sys.exit(f"wrong: {missing.total()} events are missing, {unexpected.total()} unexpected:{shown}")


def canonical(document: object) -> bytes:
    """Return a document as JSON with sorted keys."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
