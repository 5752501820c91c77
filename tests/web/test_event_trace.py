"""A stored event through the running config once more, as the page shows it."""

from __future__ import annotations

import pickle
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestd.config.parser import parse
from ingestd.settings import Settings
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.web.event_trace import EventNotFoundError, trace_event
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import QueryProcessConfig
from tests.waiting import WAIT_SECONDS

INDEX, TIME = "logstash-2026.11.22", "2026-11-22T10:00:00.123Z"
CONFIG = """
input { tcp { port => 5000 codec => line } }
filter { grok { match => { "message" => "%{WORD:word} %{INT:n:int}" } } }
output { store { } }
"""
DOCUMENTS = {
    "failed": b'{"@timestamp":"%b","message":"-","tags":["_grokparsefailure","kept"]}' % TIME.encode(),
    "again": b'{"@timestamp":"%b","message":"seoul 7","word":"old","big":123456789012345678901}' % TIME.encode(),
    "original": b'{"@timestamp":"%b","message":"changed","event":{"original":"seoul 8"}}' % TIME.encode(),
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    with closing(LocalWriter(store_root(tmp_path), "w0")) as writer:
        writer.append(INDEX, [*DOCUMENTS.values()], [*DOCUMENTS])
    return tmp_path


def configs(**texts: str) -> bytes:
    return pickle.dumps((Settings(), {name: parse(text, "-e", {}) for name, text in texts.items()}))


def traced(data_dir: Path, event_id: str, running: bytes, time: str = TIME) -> Any:
    with closing(LocalStore(store_root(data_dir))) as store:
        return trace_event(store, running, INDEX, event_id, time)["pipelines"]


def test_each_way(data_dir: Path) -> None:
    """The document with the captures replaced, the record as it came, and the tags of a failure only once."""
    [again] = traced(data_dir, "again", configs(main=CONFIG))
    [trace] = again["traces"]
    assert (again["name"], again["input"]) == ("main", "")
    [result] = trace["results"]
    assert result["document"] == {
        "@timestamp": TIME,
        "@version": "1",
        "message": "seoul 7",
        "word": "seoul",
        "n": 7,
        "big": 123456789012345678901,
    }
    assert result["outputs"][0] | {"index": INDEX, "id": "store_0"} == result["outputs"][0]
    [original] = traced(data_dir, "original", configs(main=CONFIG))
    assert original["input"] == "tcp_0"
    document = original["traces"][0]["results"][0]["document"]
    assert (document["message"], document["n"], document["@timestamp"]) == ("seoul 8", 8, TIME)
    [failed] = traced(data_dir, "failed", configs(main=CONFIG))
    assert failed["traces"][0]["event"]["tags"] == ["kept"]
    assert failed["traces"][0]["results"][0]["document"]["tags"] == ["kept", "_grokparsefailure"]


def test_several_pipelines_of_which_one_is_wrong_now(data_dir: Path) -> None:
    wrong = CONFIG.replace("%{WORD", "%{NO_SUCH")
    first, second = traced(data_dir, "again", configs(main=CONFIG, other=wrong))
    assert (first["name"], len(first["traces"])) == ("main", 1)
    assert (second["name"], "NO_SUCH" in second["error"]) == ("other", True)


@pytest.mark.parametrize(("event_id", "time"), [("none", TIME), ("again", "2026-11-22T10:00:00.124Z")])
def test_no_such_event(data_dir: Path, event_id: str, time: str) -> None:
    with pytest.raises(EventNotFoundError, match=f"{INDEX} has no event {event_id}"):
        traced(data_dir, event_id, configs(main=CONFIG), time)


async def test_in_a_query_process(data_dir: Path) -> None:
    pool = QueryPool(QueryProcessConfig(str(data_dir), 256 << 20, WAIT_SECONDS, configs=configs(main=CONFIG)))
    wanted = {"index": INDEX, "id": "again", "time": TIME}
    found, missing = await pool.run("trace", wanted), await pool.run("trace", wanted | {"id": "none"})
    await pool.close()
    assert (found.status, missing.status) == (200, 400)
    assert msgspec.json.decode(found.body)["pipelines"][0]["traces"][0]["steps"][0]["id"] == "grok_0"
