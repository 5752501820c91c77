"""How many records the topics of a running pipeline hold, and how many of them its consumer group has read.

Asked from the brokers by a client of its own, which joins no group: so the answer is about all partitions, whoever
reads them, also while nobody does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from ingestd.plugins._kafka import KafkaOptions

TIMEOUT_S = 10.0
"""How long a broker may take to answer a request."""

_NO_GROUP = "ingestd-offsets"
"""The client wants the name of a group even if it asks for nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaClient:
    """An input or output ``kafka`` of a running pipeline.

    Attributes:
        pipeline: The name of the pipeline.
        plugin: The id of the plugin.
        config: How librdkafka reaches the brokers; holds passwords.
        topics: What it reads; of an output the topic that it writes to, empty: that depends on the event.
        pattern: A regular expression of topics to read, instead of ``topics``; empty: none.
        group: The consumer group of an input; empty: it is an output.
        from_start: Whether a group without a committed offset starts with the oldest record.
    """

    pipeline: str
    plugin: str
    config: dict[str, Any] = field(repr=False)
    topics: tuple[str, ...] = ()
    pattern: str = ""
    group: str = ""
    from_start: bool = False


def kafka_client(pipeline: str, plugin: str, options: KafkaOptions) -> KafkaClient:
    """Return the description of an input or output with these options."""
    config = options.client_config()
    if (topic := getattr(options, "topic_id", None)) is not None:
        return KafkaClient(pipeline=pipeline, plugin=plugin, config=config, topics=(topic.static,) * bool(topic.static))
    found: Any = options
    return KafkaClient(
        pipeline=pipeline,
        plugin=plugin,
        config=config,
        topics=() if found.topics_pattern else tuple(found.topics),
        pattern=found.topics_pattern,
        group=found.group_id,
        from_start=found.auto_offset_reset == "earliest",
    )


def offsets_document(client: KafkaClient, others: Iterable[str] = (), timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Return the offsets of a client's topics as JSON types.

    ``topics``: by name the number of ``partitions``, ``records`` that were ever written, and for an input ``committed``
    (None: nothing is) and ``lag``. ``missing``: topics that do not exist. ``problem``: why it is not known; else empty.

    Args:
        client: Who reads or writes.
        others: More topics of an output to ask about, if they are there.
        timeout_s: Seconds that each request may take.
    """
    head = {
        "pipeline": client.pipeline,
        "plugin": client.plugin,
        "servers": client.config["bootstrap.servers"],
        "group": client.group,
    }
    from confluent_kafka import Consumer, KafkaException  # noqa: PLC0415 -- an optional extra

    own = {"group.id": client.group or _NO_GROUP, "enable.auto.commit": False, "allow.auto.create.topics": False}
    consumer = Consumer(client.config | own | {"log_level": 0})
    try:
        return head | {"problem": ""} | _ask(consumer, client, () if client.group else others, timeout_s)
    except KafkaException as error:
        return head | {"problem": error.args[0].str(), "cluster": "", "topics": {}, "missing": []}
    finally:
        consumer.close()


def _ask(consumer: Consumer, client: KafkaClient, others: Iterable[str], timeout_s: float) -> dict[str, Any]:
    cluster = consumer.list_topics(timeout=timeout_s)
    there = {name: topic for name, topic in cluster.topics.items() if topic.partitions}
    wanted = [name for name in others if name in there]
    wanted += [name for name in client.topics if name in there]
    if client.pattern:
        fits = re.compile(client.pattern.lstrip("^")).match
        wanted += [name for name in there if fits(name)]
    topics = {name: _topic(consumer, name, there[name].partitions, client, timeout_s) for name in sorted({*wanted})}
    missing = [name for name in client.topics if name not in there]
    return {"cluster": cluster.cluster_id or "", "topics": topics, "missing": missing}


def _topic(
    consumer: Consumer, name: str, partitions: Iterable[int], client: KafkaClient, timeout_s: float
) -> dict[str, Any]:
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    asked = [TopicPartition(name, number) for number in sorted(partitions)]
    committed = consumer.committed(asked, timeout=timeout_s) if client.group else []  # before: the ends only grow
    marks = [consumer.get_watermark_offsets(partition, timeout=timeout_s) for partition in asked]
    found: dict[str, Any] = {"partitions": len(asked), "records": sum(high for _, high in marks)}
    if not client.group:
        return found
    lag, known = 0, [partition.offset for partition in committed]
    for offset, (low, high) in zip(known, marks, strict=True):
        start = low if client.from_start else high
        lag += high - (start if offset < 0 else max(offset, low))
    read = [offset for offset in known if offset >= 0]
    return found | {"committed": sum(read) if read else None, "lag": lag}
