"""``kafka``: records of topics, in a consumer group; needs the extra `kafka`.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-kafka. Every worker of every daemon with
the same `group_id` is a member of the group, and reads its share of the partitions. An offset is committed once all
records before it are in the journal and on the disk. What was not committed is read again, by this or another member.
An event then gets the same id as before, from its topic, partition and offset, or from the header `ingestd-id` that the
output `kafka` sets. So Elasticsearch and OpenSearch keep it once, even if the sender had sent it twice; so does the
built-in store if the members are workers of one daemon.

While outputs lag behind, nothing is read, and the member stays in the group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestd import metrics
from ingestd.event.jsontext import loads
from ingestd.logs import Outage, get_logger
from ingestd.plugins._kafka import ID_HEADER, LEGACY, KafkaOptions, check_package
from ingestd.plugins.inputs._kafka_codec import KafkaCodec, RecordPosition, line_of_record
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import Codec, Sink, StopMode
from ingestd.plugins.registry import BuildContext, OptionError, ignored, option, plugin, unsupported

if TYPE_CHECKING:
    from confluent_kafka import Consumer

log = get_logger(__name__)

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_CHUNK_BYTES = 192 << 10
_STATISTICS_MS = 5000
_REBALANCED = ("REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "_ASSIGNMENT_LOST", "_STATE")
"""Errors of a commit during a rebalance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(KafkaOptions):
    """Options of the input ``kafka``."""

    topics: list[str] = option(["logstash"], "Topics to read.")
    topics_pattern: str = option("", "A regular expression for the topics to read, instead of `topics`.")
    group_id: str = option("logstash", "The consumer group: its members share the partitions.")
    group_instance_id: str = option(
        "",
        "Name of this daemon as a static member, which keeps its partitions while it is gone for less than "
        "`session_timeout_ms`.",
    )
    auto_offset_reset: str = option("latest", "Where a new group starts.", choices=("earliest", "latest", "none"))
    decorate_events: str = option(
        "none",
        "`basic` adds topic, partition, offset, timestamp and key in `[@metadata][kafka]`.",
        choices=("none", "basic", "extended", "false", "true"),
    )
    max_poll_records: int = option(2000, "Maximum number of records to store at once.")
    max_poll_interval_ms: int = option(300_000, "Milliseconds after which a member that hangs loses its partitions.")
    session_timeout_ms: int = option(45_000, "Milliseconds after which a member that is gone loses its partitions.")
    heartbeat_interval_ms: int = option(3000, "Milliseconds between heartbeats.")
    fetch_min_bytes: int = option(1, "Bytes that a broker waits for before it answers.")
    fetch_max_wait_ms: int = option(500, "Milliseconds that a broker waits at most.")
    fetch_max_bytes: int = option(52_428_800, "Maximum size of a response, in bytes.")
    max_partition_fetch_bytes: int = option(
        1_048_576, "Maximum size of the part of a partition in a response, in bytes."
    )
    isolation_level: str = option(
        "read_uncommitted",
        "`read_committed` skips records of transactions that were not committed.",
        choices=("read_uncommitted", "read_committed"),
    )
    check_crcs: bool = option(True, "Verify the checksums of records.")
    partition_assignment_strategy: str = option(
        "range", "How members share partitions.", choices=("range", "round_robin", "cooperative_sticky")
    )

    def consumer_config(self, writer_id: str) -> dict[str, Any]:
        """Return the configuration of the client.

        Raises:
            OptionError: The options cannot work.
        """
        member = {"group.instance.id": f"{self.group_instance_id}-{writer_id}"} if self.group_instance_id else {}
        fetched = max(self.fetch_max_bytes, self.max_partition_fetch_bytes)
        return (
            self.client_config()
            | member
            | {
                "group.id": self.group_id,
                "enable.auto.commit": False,
                "auto.offset.reset": "error" if self.auto_offset_reset == "none" else self.auto_offset_reset,
                "max.poll.interval.ms": max(self.max_poll_interval_ms, self.session_timeout_ms),
                "session.timeout.ms": self.session_timeout_ms,
                "heartbeat.interval.ms": self.heartbeat_interval_ms,
                "fetch.min.bytes": self.fetch_min_bytes,
                "fetch.wait.max.ms": self.fetch_max_wait_ms,
                "fetch.max.bytes": fetched,
                "message.max.bytes": min(fetched, 1_000_000_000),
                "max.partition.fetch.bytes": self.max_partition_fetch_bytes,
                "queued.max.messages.kbytes": 32 << 10,  # of all partitions; the default is 64 MB
                "isolation.level": self.isolation_level,
                "check.crcs": self.check_crcs,
                "partition.assignment.strategy": self.partition_assignment_strategy.replace(
                    "_sticky", "-sticky"
                ).replace("round_robin", "roundrobin"),
            }
        )


class KafkaInput:
    """Reads records, stores them, and commits their offsets."""

    finite = False

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._topics = [f"^{opts.topics_pattern.lstrip('^')}"] if opts.topics_pattern else opts.topics
        self._config = opts.consumer_config(context.writer_id) | {
            "error_cb": self._note,
            "stats_cb": self._count_lag,
            "statistics.interval.ms": _STATISTICS_MS,
        }
        self._from_start = opts.auto_offset_reset == "earliest"
        self._at_once = max(opts.max_poll_records, 1)
        reads = context.fields is None or "@metadata" in context.fields
        decorates = reads and opts.decorate_events not in ("none", "false")
        self.codec: Codec = KafkaCodec(context.codec, decorates=decorates)
        self._labels = {"pipeline": context.pipeline_id, "input": context.plugin_id}
        self._stream = StreamIds().new()
        self._offset = 0
        self._early: list[Any] = []
        self._ends: dict[tuple[str, int], int] = {}  # of what is on the disk and not committed, by topic and partition
        self._stopped = False
        self._is_down = False
        text = "Kafka cannot be read; trying again"
        self._outage = Outage(log.error, text, log.info, "Kafka can be read again")

    async def open(self) -> None:
        """Do nothing: unavailable brokers delay reading, not the start."""

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``, then leave the group."""
        from confluent_kafka import Consumer  # noqa: PLC0415 -- an optional extra

        consumer = Consumer(self._config)
        try:
            consumer.subscribe(self._topics)
            while not self._stopped:
                await self._read(consumer, sink)
        finally:
            await asyncio.to_thread(consumer.close)

    async def _read(self, consumer: Consumer, sink: Sink) -> None:
        """Store the next records, and commit them."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        try:
            messages = await asyncio.to_thread(consumer.consume, self._at_once, 0 if self._early else _POLL_SECONDS)
        except KafkaException as error:
            await self._failed(error)
            return
        if self._is_down and not messages:
            await self._find_out_whether_brokers_answer(consumer)
        early, self._early = self._early, []
        records = self._records([*early, *messages])
        # An error here must end the process: later offsets must not be committed without these records.
        if records and await self._put(records, consumer, sink) and await self._synced(consumer, sink):
            for record in records:
                self._ends[record.topic(), record.partition()] = record.offset() + 1
        if self._ends and not await self._commit(consumer):
            await asyncio.sleep(_RETRY_SECONDS)

    async def _find_out_whether_brokers_answer(self, consumer: Consumer) -> None:
        """The client reports that all brokers are unavailable, but not that they are back: there may be no records."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        with contextlib.suppress(KafkaException):
            await asyncio.to_thread(consumer.list_topics, timeout=_RETRY_SECONDS)
            self._recovered()

    def _recovered(self) -> None:
        self._outage.recovered(**self._labels)
        self._is_down = False

    async def _failed(self, error: Exception) -> None:
        self._outage.failed(error=error.args[0].str(), **self._labels)
        await asyncio.sleep(_RETRY_SECONDS)

    def _records(self, messages: Sequence[Any]) -> list[Any]:
        """Return the messages that are records, and note errors, which messages may be as well."""
        errors = [message for message in messages if message.error() is not None]
        for message in errors:
            error = message.error()
            assert error is not None  # noqa: S101
            if error.name() != "_PARTITION_EOF":
                self._outage.failed(error=error.str(), **self._labels)
        records = [message for message in messages if message.error() is None] if errors else list(messages)
        if records:
            self._recovered()
        return records

    async def _put(self, records: Sequence[Any], consumer: Consumer, sink: Sink) -> bool:
        """Put records in chunks; False: the input stops and there is no room, so they are read again."""
        lines: list[bytes] = []
        size = 0
        for number, record in enumerate(records, 1):
            lines.append(_line(record))
            size += len(lines[-1])
            if size >= _CHUNK_BYTES or number == len(records):
                data = b"".join(lines)
                while not sink.put(data, self._stream, self._offset):
                    if not await self._rest(consumer, sink):
                        return False
                self._offset += size
                lines, size = [], 0
        return True

    async def _synced(self, consumer: Consumer, sink: Sink) -> bool:
        """Return True once everything put is on the disk or delivered, False if the input stops before."""
        while True:
            try:
                await sink.synced()
            except OSError:  # logged there
                if not await self._rest(consumer, sink):
                    return False
            else:
                return True

    async def _rest(self, consumer: Consumer, sink: Sink) -> bool:
        """Wait until the sink has room; poll without reading meanwhile, to stay in the group.

        Returns False if the input stops before.
        """
        room = asyncio.ensure_future(sink.wait_until_resumed())
        try:
            while not room.done():
                if self._stopped:
                    return False
                consumer.pause(consumer.assignment())
                if (early := consumer.poll(0)) is not None:  # of a partition that came just now
                    self._early.append(early)
                await asyncio.wait([room], timeout=_POLL_SECONDS)
        finally:
            room.cancel()
        consumer.resume(consumer.assignment())
        return True

    async def _commit(self, consumer: Consumer) -> bool:
        """Commit what is on the disk; False: Kafka did not take it, and it is to be tried again.

        Only of partitions that are still ours: their new reader starts at what was committed last, and is further by
        now, so our commit would move the group back.
        """
        from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

        ours = {(partition.topic, partition.partition) for partition in consumer.assignment()}
        self._ends = {place: end for place, end in self._ends.items() if place in ours}
        if not self._ends:
            return True
        offsets = [TopicPartition(topic, partition, end) for (topic, partition), end in self._ends.items()]
        try:
            await asyncio.to_thread(consumer.commit, offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].name() in _REBALANCED:
                log.info("the group is being rebalanced; offsets are committed later", **self._labels)
            else:
                self._outage.failed(error=error.args[0].str(), **self._labels)
            return False
        self._ends = {}
        self._recovered()
        return True

    def _count_lag(self, statistics: str) -> None:
        """Set the metric of the lag, of our partitions.

        See https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md.
        """
        topics = loads(statistics.encode()).get("topics", {}).values()
        partitions = [partition for topic in topics for partition in topic["partitions"].values()]
        lag = sum(self._lag(partition) for partition in partitions if partition["fetch_state"] == "active")
        metrics.KAFKA_LAG.set(lag, *self._labels.values())

    def _lag(self, partition: dict[str, Any]) -> int:
        """Return how many records are not committed; the client knows that only once something is."""
        if partition["consumer_lag"] >= 0:
            return int(partition["consumer_lag"])
        return max(partition["hi_offset"] - max(partition["lo_offset"], 0), 0) if self._from_start else 0

    def _note(self, error: Any) -> None:
        """Take an error of the client, such as that no broker can be reached; it tries again."""
        if error.name() == "_ALL_BROKERS_DOWN":
            self._is_down = True
            self._outage.failed(error=error.str(), **self._labels)

    def problems(self) -> list[str]:
        """Return why nothing can be read, see ``WithProblems``."""
        return [f"input {self._labels['input']}: {self._outage.reason}"] if self._outage.ongoing else []

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._stopped = True


def _line(record: Any) -> bytes:
    headers = record.headers()
    event_id = next((value for name, value in headers if name == ID_HEADER), None) if headers else None
    key, value = record.key(), record.value()
    place = RecordPosition(
        record.topic(), record.partition(), record.offset(), record.timestamp()[1] or -1, _bytes(key)
    )
    return line_of_record(_bytes(value) or b"", place, event_id)


def _bytes(text: Any) -> bytes | None:
    return text.encode() if type(text) is str else text


_LEGACY = LEGACY | {
    "consumer_threads": ignored("the setting workers says how many processes read"),
    "enable_auto_commit": ignored("offsets are committed when records are on the disk"),
    "auto_commit_interval_ms": ignored("offsets are committed when records are on the disk"),
    "poll_timeout_ms": ignored("it applies to the Java client only"),
    "exclude_internal_topics": ignored("internal topics are left out"),
    "auto_create_topics": ignored("topics are not created by reading"),
    "client_rack": unsupported("leave it out: partitions are read from their leaders"),
    "group_protocol": ignored("the classic protocol is used"),
    "key_deserializer_class": ignored("keys are text"),
    "value_deserializer_class": ignored("the codec decodes values"),
    **dict.fromkeys(
        (
            *("schema_registry_url", "schema_registry_key", "schema_registry_secret", "schema_registry_proxy"),
            *("schema_registry_ssl_keystore_location", "schema_registry_ssl_keystore_password"),
            *("schema_registry_ssl_keystore_type", "schema_registry_ssl_truststore_location"),
            *("schema_registry_ssl_truststore_password", "schema_registry_ssl_truststore_type"),
            "schema_registry_validation",
        ),
        unsupported("a schema registry is not supported: let the sender write JSON"),
    ),
}


@plugin("input", "kafka", Options, codec="plain", journaled=True, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> KafkaInput:
    """Records of Kafka's topics; needs the extra `kafka`."""
    check_package()
    if opts.session_timeout_ms < opts.heartbeat_interval_ms:
        raise OptionError("session_timeout_ms is shorter than heartbeat_interval_ms", str(opts.session_timeout_ms))
    return KafkaInput(opts, context)
