"""Input and output kafka with librdkafka's own broker, which runs in this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd import metrics
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.plugins._kafka_offsets import kafka_client, offsets_document
from ingestd.plugins.inputs import kafka as kafka_input
from ingestd.plugins.outputs import kafka as kafka_output
from ingestd.plugins.registry import BuildContext
from tests.plugins.inputs.conversations import MemorySink
from tests.waiting import WAIT_SECONDS, eventually

confluent_kafka = pytest.importorskip("confluent_kafka")
pytestmark = pytest.mark.sampled(of="file")
"""A group of consumers takes three seconds to form."""


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    cluster = confluent_kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 2})
    [broker] = cluster.list_topics(timeout=WAIT_SECONDS).brokers.values()
    yield f"{broker.host}:{broker.port}"
    del cluster


def produce(servers: str, topic: str, count: int) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 2})
    for number in range(count):
        producer.produce(topic, str(number).encode(), partition=0)
    assert producer.flush(WAIT_SECONDS) == 0


def committed(servers: str, topic: str, partition: int = 0) -> int:
    """Return the offset that the group of the topic has committed; -1001: none."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers, "group.id": topic, "log_level": 2})
    [found] = consumer.committed([confluent_kafka.TopicPartition(topic, partition)], timeout=WAIT_SECONDS)
    consumer.close()
    return int(found.offset)


class Sink(MemorySink):
    """Sets ``refused`` when it has taken no records, as it is paused, and ``safe`` when a sync succeeded."""

    def __init__(self) -> None:
        super().__init__()
        self.refused, self.safe = asyncio.Event(), asyncio.Event()

    def put(self, *args: Any) -> bool:
        if self.paused:
            self.refused.set()
        return super().put(*args)

    async def synced(self) -> None:
        await super().synced()
        self.safe.set()


def reader(servers: str, topic: str) -> kafka_input.KafkaInput:
    options = kafka_input.Options(
        bootstrap_servers=servers, topics=[topic], group_id=topic, auto_offset_reset="earliest"
    )
    return kafka_input.KafkaInput(options, BuildContext())


async def test_a_stop_does_not_wait_for_room(servers: str) -> None:
    produce(servers, "full", 10)
    source, sink = reader(servers, "full"), Sink()
    sink.pause()
    running = asyncio.create_task(source.run(sink))
    async with asyncio.timeout(WAIT_SECONDS):
        await sink.refused.wait()
        source.stop("drain")
        await running
    assert not sink.data
    assert committed(servers, "full") < 0  # the next process reads them


async def test_what_cannot_be_synced_is_not_committed(servers: str) -> None:
    produce(servers, "broken", 10)
    source, sink = reader(servers, "broken"), Sink()
    sink.disk_error = OSError("bad disk")
    running = asyncio.create_task(source.run(sink))
    async with asyncio.timeout(WAIT_SECONDS):
        await eventually(lambda: sink.syncs >= 3, "more attempts")
        assert await asyncio.to_thread(committed, servers, "broken") < 0
        sink.disk_error = None
        await sink.safe.wait()
        source.stop("drain")
        await running
    assert committed(servers, "broken") == 10
    assert sum(data.count(b"\n") for data in sink.data) == 10  # each once


async def test_what_another_member_reads_now_is_not_committed(servers: str) -> None:
    """That would move the group back: the other member is further."""
    produce(servers, "moved", 10)
    source = reader(servers, "moved")
    consumer = confluent_kafka.Consumer(source._config)
    consumer.assign([confluent_kafka.TopicPartition("moved", partition, 0) for partition in (0, 1)])
    source._ends = {("moved", 0): 4, ("moved", 1): 0}
    assert await source._commit(consumer)
    consumer.assign([confluent_kafka.TopicPartition("moved", 1, 0)])
    source._ends = {("moved", 0): 2, ("moved", 1): 0}
    assert await source._commit(consumer)
    assert committed(servers, "moved") == 4
    consumer.close()


async def test_a_commit_that_fails_is_repeated_without_new_records(servers: str) -> None:
    produce(servers, "refusing", 10)
    source = reader(servers, "refusing")
    failures = [confluent_kafka.KafkaError(confluent_kafka.KafkaError.REBALANCE_IN_PROGRESS, "a member has joined")]

    class Consumer:
        def __init__(self) -> None:
            self._real = confluent_kafka.Consumer(source._config)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def commit(self, **kwargs: Any) -> Any:
            if failures:
                raise confluent_kafka.KafkaException(failures.pop())
            return self._real.commit(**kwargs)

    consumer: Any = Consumer()
    sink = Sink()
    consumer.subscribe(["refusing"])
    async with asyncio.timeout(WAIT_SECONDS):
        while failures or source._ends or not sink.data:
            await source._read(consumer, sink)
    consumer.close()
    assert committed(servers, "refusing") == 10


async def test_the_lag_is_what_is_not_committed(servers: str) -> None:
    produce(servers, "lagging", 10)
    source, sink = reader(servers, "lagging"), Sink()
    source._config["statistics.interval.ms"] = 300
    sink.pause()
    running = asyncio.create_task(source.run(sink))
    async with asyncio.timeout(WAIT_SECONDS):
        await eventually(lambda: metrics.KAFKA_LAG.value(*source._labels.values()) == 10, "the lag")
        sink.resume()
        await eventually(lambda: metrics.KAFKA_LAG.value(*source._labels.values()) == 0, "no lag")
        produce(servers, "lagging", 3)
        await eventually(lambda: sum(data.count(b"\n") for data in sink.data) == 13, "the rest")
        await eventually(lambda: metrics.KAFKA_LAG.value(*source._labels.values()) == 0, "no lag")
        source.stop("drain")
        await running
    assert committed(servers, "lagging") == 13


async def test_brokers_that_are_back_without_records(servers: str) -> None:
    source = reader(servers, "quiet")
    running = asyncio.create_task(source.run(Sink()))
    source._note(confluent_kafka.KafkaError(confluent_kafka.KafkaError._ALL_BROKERS_DOWN, "all are down"))
    assert source.problems() == ["input : all are down"]
    await eventually(lambda: not source.problems(), "the brokers to be back")
    source.stop("drain")
    await running


async def test_a_client_that_has_failed_for_good_is_replaced(servers: str) -> None:
    """Nothing makes librdkafka's broker refuse a producer, so its error is reported as librdkafka does."""
    options = kafka_output.Options(bootstrap_servers=servers, topic_id=Template("new"))
    output = kafka_output.KafkaOutput(options, BuildContext())
    await output.open()
    first = output._producer
    output._note(confluent_kafka.KafkaError(confluent_kafka.KafkaError._FATAL, "not allowed", True))
    records = [kafka_output.Record("new", None, str(number).encode(), f"id{number}") for number in range(10)]
    async with asyncio.timeout(WAIT_SECONDS):
        assert await output.deliver([records]) == [Tally(delivered=10, indices=Counter(new=10))]
    assert output._producer is not first
    await output.close()


async def test_offsets_of_topics_and_groups(servers: str) -> None:
    produce(servers, "offsets", 10)
    known: dict[str, Any] = {"bootstrap_servers": servers, "group_id": "offsets"}
    options = kafka_input.Options(topics=["offsets"], auto_offset_reset="earliest", **known)
    partitions = offsets_document(kafka_client("main", "in", options))["topics"]["offsets"]["partitions"]
    wanted = {"partitions": partitions, "records": 10, "committed": None, "lag": 10}
    assert offsets_document(kafka_client("main", "in", options))["topics"] == {"offsets": wanted}
    newest = kafka_input.Options(topics=["offsets"], **known)  # starts at the end
    assert offsets_document(kafka_client("main", "in", newest))["topics"] == {"offsets": wanted | {"lag": 0}}
    consumer = confluent_kafka.Consumer(options.consumer_config("w0"))
    consumer.commit(offsets=[confluent_kafka.TopicPartition("offsets", 0, 7)], asynchronous=False)
    consumer.close()
    assert offsets_document(kafka_client("main", "in", options))["topics"] == {
        "offsets": wanted | {"committed": 7, "lag": 3}
    }
    pattern = kafka_input.Options(topics_pattern="off.*", auto_offset_reset="earliest", **known)
    assert offsets_document(kafka_client("main", "in", pattern))["topics"]["offsets"]["lag"] == 3
    written = kafka_output.Options(bootstrap_servers=servers, topic_id=Template("offsets-%{app}"))
    found = offsets_document(kafka_client("main", "out", written), ["offsets", "nowhere"])
    assert found["topics"] == {"offsets": {"partitions": partitions, "records": 10}}
    assert found["problem"] == ""


def test_offsets_of_brokers_that_do_not_answer() -> None:
    options = kafka_output.Options(bootstrap_servers="127.0.0.1:1", topic_id=Template("logs"))
    found = offsets_document(kafka_client("main", "out", options), timeout_s=0.5)
    assert found["problem"]
    assert found["topics"] == {}


def test_the_name_of_a_topic_is_the_fault_of_the_record() -> None:
    for name in ("TOPIC_EXCEPTION", "_INVALID_ARG"):
        assert name in kafka_output._FOR_GOOD
