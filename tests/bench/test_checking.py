"""A wrong result must end the benchmark, or its figures mean nothing."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.bench.checking import check_sink

LINES = [b'{"n": %d, "@timestamp": "2026-11-22T10:00:00.000Z"}\n' % number for number in range(3)]


def body(*numbers: int, index: str = "logstash-2026.11.22") -> bytes:
    """Return a bulk body; the id of an event is its number."""
    lines = []
    for number in numbers:
        lines += [json.dumps({"create": {"_index": index, "_id": str(number)}}).encode(), LINES[number % 3].strip()]
    return b"\n".join([*lines, b""])


CASES = [  # id, bodies, what is said
    ("right", [body(0, 1), body(2)], ""),
    ("sent_again_after_an_outage", [body(0, 1), body(0, 1, 2)], ""),
    ("missing", [body(0, 1)], "1 events are missing, 0 unexpected"),
    ("too_many", [body(0, 1, 2, 3)], "0 events are missing, 1 unexpected"),
    ("wrong", [body(0, 1, 2).replace(b'"n": 2', b'"n": 7')], "1 events are missing, 1 unexpected"),
    ("wrong_index", [body(0, 1, 2, index="logstash-2026.11.21")], "wrong index"),
]


@pytest.mark.parametrize(("bodies", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_documents(tmp_path: Path, bodies: list[bytes], message: str) -> None:
    path = tmp_path / "bodies"
    path.write_bytes(b"".join(struct.pack("<QQ", 5, len(content)) + content for content in bodies))
    if message:
        with pytest.raises(SystemExit, match=message):
            check_sink(path, Counter(LINES), json.loads)
    else:
        check_sink(path, Counter(LINES), json.loads)
