"""``kafka``: events as records of topics, which the brokers have acknowledged.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-kafka. Unlike there, records are written
to all in-sync replicas (`acks => "all"`), and a record that is sent again within a connection is written once
(idempotence). Events that were sent, but not known to be delivered when the process was killed, are sent again: each
record has the event's id in the header `ingestd-id`, by which the input `kafka` recognises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.payload import index_counts
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.logs import Outage, get_logger
from ingestd.plugins._kafka import ID_HEADER, LEGACY, KafkaOptions, check_package
from ingestd.plugins.interfaces import Codec, Prepared
from ingestd.plugins.outputs._messages import messages
from ingestd.plugins.registry import BuildContext, Touch, ignored, option, plugin, refused, required

if TYPE_CHECKING:
    from confluent_kafka import Producer

log = get_logger(__name__)

_RETRY_SECONDS = 1.0
_POLL_SECONDS = 0.1
_AT_ONCE = 2000  # records between two looks at what has arrived
_FOR_GOOD = (
    *("MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_RECORD", "INVALID_MSG", "INVALID_TIMESTAMP"),
    *("TOPIC_EXCEPTION", "_INVALID_ARG"),  # the name of its topic is not possible, as of a field that is missing
)
"""Errors that the record itself is the reason of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(KafkaOptions):
    """Options of the output ``kafka``."""

    topic_id: Template = required("The topic; may hold %{field} and %{+YYYY.MM.dd}.")
    message_key: Template | None = option(
        None, "The key, such as `%{host}`: records with the same key keep their order."
    )
    message_headers: dict[str, str] = option({}, "Fixed headers of each record.")
    acks: str = option(
        "all",
        "Which replicas must have a record: `all`, only the leader (`1`), or none (`0`).",
        choices=("0", "1", "all"),
    )
    compression_type: str = option(
        "none", "How batches are compressed.", choices=("none", "gzip", "snappy", "lz4", "zstd")
    )
    batch_size: int = option(
        1_000_000, "Bytes of a batch for a partition; 16,384, as in Logstash, take ten times the CPU of this process."
    )
    linger_ms: int = option(5, "Milliseconds that a record waits for others of its partition.")
    buffer_memory: int = option(33_554_432, "Bytes of records that may wait in the client.")
    max_request_size: int = option(1_048_576, "Bytes of the largest record; larger ones become dead letters.")
    partitioner: str = option(
        "default", "How records without a key are distributed.", choices=("default", "round_robin", "uniform_sticky")
    )

    def producer_config(self) -> dict[str, Any]:
        """Return the configuration of the client.

        Raises:
            OptionError: The options cannot work.
        """
        return self.client_config() | {
            "acks": self.acks,
            "enable.idempotence": self.acks == "all",
            "compression.type": self.compression_type,
            "batch.size": max(self.batch_size, 1),
            "linger.ms": self.linger_ms,
            "queue.buffering.max.kbytes": max(self.buffer_memory >> 10, 1),
            "queue.buffering.max.messages": 100_000,
            "message.max.bytes": max(self.max_request_size, 1000),
            "message.timeout.ms": 0,  # never: the journal keeps what the brokers have not got
            "partitioner": "random" if self.partitioner == "round_robin" else "murmur2_random",
        }


class Record(NamedTuple):
    """One record to send."""

    topic: str
    key: str | None
    value: bytes
    event_id: str


@dataclass(slots=True)
class _Delivery:
    """What is known about the records of a call of ``deliver``."""

    records: Sequence[Record]
    waiting: int = 0
    again: list[int] = field(default_factory=list)
    """Records that failed for a reason that may end."""
    dead: dict[int, str] = field(default_factory=dict)
    """Records that failed for good, and why."""


class KafkaOutput:
    """Produces records and waits for the brokers' acknowledgements."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._config = opts.producer_config() | {"error_cb": self._note}
        self._plugin_id, self._dead_letters = context.plugin_id, context.dead_letters
        self._codec: Codec = context.codec
        self._topics = namer(opts.topic_id)
        self._keys = None if opts.message_key is None else namer(opts.message_key)
        self._headers = [(name, value.encode()) for name, value in opts.message_headers.items()]
        self._producer: Producer | None = None
        self._error, self._unusable = "", False
        text = "Kafka accepts no records; they wait until it does"
        self._outage = Outage(log.error, text, log.info, "Kafka accepts records again")

    async def open(self) -> None:
        """Make the client, which connects in the background."""
        self._producer = self._connect()

    def _connect(self) -> Producer:
        from confluent_kafka import Producer  # noqa: PLC0415 -- an optional extra

        return Producer(self._config)

    def prepare(self, batch: Batch) -> Prepared[list[Record]]:
        """Return the records."""
        values = messages(self._codec, batch)
        keys: Sequence[str | None] = [None] * len(values) if self._keys is None else self._keys(batch)
        records = [*map(Record, self._topics(batch), keys, values, batch.ids())]
        return Prepared(records, sum(map(len, values)))

    async def deliver(self, payloads: Sequence[list[Record]]) -> list[Tally]:
        """Return when every record is acknowledged, or a dead letter."""
        delivery = _Delivery([record for payload in payloads for record in payload])
        assert self._producer is not None  # noqa: S101 -- ``open`` was called
        try:
            todo: Sequence[int] = range(len(delivery.records))
            while todo:
                await self._send(delivery, todo)
                todo, delivery.again = delivery.again, []
                if self._unusable:
                    self._producer, self._unusable = self._connect(), False
                if todo:
                    self._outage.failed(output=self._plugin_id, error=self._error)
                    await asyncio.sleep(_RETRY_SECONDS)
        except BaseException:
            self._producer.purge()  # what is not sent yet comes again from the journal
            raise
        if self._outage.ongoing:
            self._outage.recovered(output=self._plugin_id)
        return self._tallies(payloads, delivery)

    async def _send(self, delivery: _Delivery, numbers: Sequence[int]) -> None:
        """Send records, and wait until it is known of each what became of it."""
        sent, quiet = 0, 0.0
        while sent < len(numbers) or delivery.waiting:
            before = sent, delivery.waiting
            sent += await asyncio.to_thread(self._produce, delivery, numbers[sent : sent + _AT_ONCE])
            quiet = 0.0 if (sent, delivery.waiting) != before else quiet + _POLL_SECONDS
            if quiet > 1:
                self._outage.failed(output=self._plugin_id, error=self._error or "no broker answers")

    def _produce(self, delivery: _Delivery, numbers: Sequence[int]) -> int:
        """Hand records to the client as far as it has room, and take what it reports; returns how many."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        producer = self._producer
        assert producer is not None  # noqa: S101
        count = 0
        if self._unusable:
            producer.purge()  # what it holds is reported as failed
            delivery.again += numbers
            numbers, count = (), len(numbers)
        for number in numbers:
            record = delivery.records[number]
            headers: list[tuple[str, Any]] = [(ID_HEADER, record.event_id.encode()), *self._headers]
            on_delivery = partial(self._on_delivery, delivery, number)
            try:
                producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=on_delivery)
                delivery.waiting += 1
            except BufferError:
                break
            except KafkaException as error:
                self._failed(delivery, number, error.args[0])
            count += 1
        producer.poll(0 if count else _POLL_SECONDS)
        return count

    def _on_delivery(self, delivery: _Delivery, number: int, error: Any, _message: Any) -> None:
        """Handle the delivery report of a record."""
        delivery.waiting -= 1
        if error is not None:
            self._failed(delivery, number, error)

    def _failed(self, delivery: _Delivery, number: int, error: Any) -> None:
        if error.name() in _FOR_GOOD:
            delivery.dead[number] = error.str()
        else:
            self._error = error.str()
            delivery.again.append(number)

    def _note(self, error: Any) -> None:
        """Take an error of the client, such as that a broker cannot be reached; it tries again.

        After a fatal one, as of a permission that is missing at first, it takes no record ever again.
        """
        self._error = error.str()
        self._unusable = self._unusable or error.fatal()

    def retry_reason(self) -> str:
        """Return why records wait; see ``WithRetries``."""
        return self._outage.reason

    def _tallies(self, payloads: Sequence[list[Record]], delivery: _Delivery) -> list[Tally]:
        tallies, start = [], 0
        for payload in payloads:
            dead = [number for number in delivery.dead if start <= number < start + len(payload)]
            topics = index_counts([record.topic for record in payload])
            topics.subtract([delivery.records[number].topic for number in dead])
            tallies.append(Tally(delivered=len(payload) - len(dead), dead=len(dead), indices=topics))
            start += len(payload)
        for number, reason in delivery.dead.items():
            record = delivery.records[number]
            self._dead_letters.add(
                stage="output",
                reason=f"Kafka refuses the record: {reason}",
                raw=record.value,
                plugin=self._plugin_id,
                event_id=record.event_id,
                index=record.topic,
            )
        return tallies

    async def close(self) -> None:
        """Close the connections."""
        if self._producer is not None:
            await asyncio.to_thread(self._producer.flush, _POLL_SECONDS)
            self._producer = None


def _touches(opts: Options) -> Touch:
    key = frozenset[str]() if opts.message_key is None else opts.message_key.reads
    return Touch(reads=opts.topic_id.reads | key)


_SERIALIZER = "org.apache.kafka.common.serialization.StringSerializer"
_LEGACY = LEGACY | {
    "retries": ignored("records are sent again until Kafka takes them"),
    "key_serializer": ignored(f"keys are text, as with {_SERIALIZER}"),
    "value_serializer": ignored(f"values are what the codec writes, as with {_SERIALIZER}"),
    "block_on_buffer_full": ignored("events wait in the journal"),
    "timeout_ms": ignored("events wait in the journal"),
    "metadata_fetch_timeout_ms": ignored("events wait in the journal"),
    "metadata_max_age": refused("write metadata_max_age_ms"),
}


@plugin("output", "kafka", Options, codec="plain", touches=_touches, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> KafkaOutput:
    """Topics of Kafka; needs the extra `kafka`."""
    check_package()
    return KafkaOutput(opts, context)
