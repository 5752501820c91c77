"""The accounts of several daemons around Kafka, added up: edges that write to topics, workers that read them. Pure.

What is exact and what is a bound: the ledgers count every event once that a daemon received and is done with, over
restarts and kill -9, as they are committed with the positions in its journal. Brokers know how many records a topic has
ever received, and up to where a group has read. In between, records are repeated but not lost: an edge that is killed
sends some again, a worker that is killed or loses a partition reads some again. How many cannot be known afterwards. So
::

    delivered by the edges  <=  records in the topics
    delivered by the edges  <=  received by the workers + lag

and each is equal unless something was repeated or has other writers. What is missing on the right is lost, unless an
account is missing; what is too much there is repeated. What Elasticsearch holds decides: it keeps each id once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec


class DayAccount(msgspec.Struct):
    """What an input received on a day."""

    input: str
    received: int


class OutputAccount(msgspec.Struct):
    """An account of ``accounts_document``, as far as it is needed here."""

    pipeline: str
    output: str
    delivered: int
    plugin: str = ""
    delivered_to: dict[str, int] = {}
    days: list[DayAccount] = []


class NodeAccounts(msgspec.Struct):
    """The document of ``api/accounts``, see ``accounts_document``."""

    received: int
    delivered: int
    duplicates: int
    dead: int
    dropped: int
    queued: int
    difference: int
    balanced: bool
    outputs: list[OutputAccount]


class TopicOffsets(msgspec.Struct):
    """What a broker knows of a topic, see ``offsets_document``."""

    records: int
    lag: int = 0


class KafkaOffsets(msgspec.Struct):
    """The offsets of an input or output ``kafka``, see ``offsets_document``."""

    pipeline: str
    plugin: str
    servers: str
    group: str = ""
    problem: str = ""
    cluster: str = ""
    topics: dict[str, TopicOffsets] = {}


@dataclass(frozen=True, slots=True)
class Node:
    """What one daemon says.

    Attributes:
        name: Its address.
        before: Its accounts before the brokers were asked: what it had delivered is in Kafka by then.
        kafka: The offsets of its inputs and outputs.
        after: Its accounts after that: what its group had committed is received by then.
    """

    name: str
    before: NodeAccounts
    kafka: tuple[KafkaOffsets, ...]
    after: NodeAccounts

    @property
    def from_kafka(self) -> int:
        """Events that it received from Kafka."""
        return sum(_received(self.after, client) for client in self.kafka if client.group)

    def delivered(self) -> Counter[str]:
        """Return the events that its outputs delivered, by their plugin."""
        found: Counter[str] = Counter()
        for account in self.after.outputs:
            found[account.plugin] += account.delivered
        return +found


@dataclass(slots=True)
class Topic:
    """A topic: how many events the nodes have ``delivered`` to it, and how many ``records`` it ever got."""

    cluster: str
    name: str
    delivered: int = 0
    records: int = 0

    @property
    def missing(self) -> int:
        """Events that Kafka acknowledged and does not have."""
        return max(self.delivered - self.records, 0)


@dataclass(slots=True)
class ConsumerGroup:
    """A consumer group.

    Attributes:
        cluster: The id of its cluster.
        name: Its name.
        topics: What it reads.
        delivered: Events that the nodes have delivered to these topics.
        received: Events that its members have received.
        lag: Records that it has still to read.
    """

    cluster: str
    name: str
    topics: set[str] = field(default_factory=set)
    delivered: int = 0
    received: int = 0
    lag: int = 0

    @property
    def missing(self) -> int:
        """Events that were delivered, and neither received nor still to be read."""
        return max(self.delivered - self.received - self.lag, 0)

    @property
    def surplus(self) -> int:
        """Records that were sent or read again, or came from other senders."""
        return max(self.received + self.lag - self.delivered, 0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The accounts of all nodes, and what was between them."""

    nodes: Sequence[Node]
    topics: Sequence[Topic]
    groups: Sequence[ConsumerGroup]

    @property
    def balanced(self) -> bool:
        """Whether no event is missing."""
        missing = sum(topic.missing for topic in self.topics) + sum(group.missing for group in self.groups)
        return not missing and all(node.after.balanced for node in self.nodes)

    @property
    def lag(self) -> int:
        """Records that groups have still to read."""
        return sum(group.lag for group in self.groups)

    def delivered_to(self, plugins: Iterable[str]) -> Counter[str]:
        """Return the events that all nodes delivered to each index with outputs of these plugins."""
        found: Counter[str] = Counter()
        for node in self.nodes:
            for account in node.after.outputs:
                if account.plugin in plugins:
                    found.update(account.delivered_to)
        return found

    def document(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "balanced": self.balanced,
            "nodes": [node_document(node) for node in self.nodes],
            "total": total_document(self),
            "topics": [
                {
                    "cluster": topic.cluster,
                    "topic": topic.name,
                    "delivered": topic.delivered,
                    "records": topic.records,
                    "missing": topic.missing,
                }
                for topic in self.topics
            ],
            "groups": [
                {
                    "cluster": group.cluster,
                    "group": group.name,
                    "topics": sorted(group.topics),
                    "delivered": group.delivered,
                    "received": group.received,
                    "lag": group.lag,
                    "missing": group.missing,
                    "surplus": group.surplus,
                }
                for group in self.groups
            ],
        }


_COUNTS = ("duplicates", "dead", "dropped", "queued", "difference")


def node_document(node: Node) -> dict[str, Any]:
    """Return the numbers of a node. ``received``: from clients, that is without what came from Kafka."""
    return {
        "node": node.name,
        "received": node.after.received - node.from_kafka,
        "from_kafka": node.from_kafka,
        "delivered": dict(node.delivered()),
        **{name: getattr(node.after, name) for name in _COUNTS},
        "balanced": node.after.balanced,
    }


def total_document(fleet: Fleet) -> dict[str, Any]:
    """Return the sum of the numbers of all nodes, and the lag."""
    rows = [node_document(node) for node in fleet.nodes]
    delivered: Counter[str] = Counter()
    for row in rows:
        delivered.update(row["delivered"])
    numbers = {name: sum(row[name] for row in rows) for name in ("received", "from_kafka", *_COUNTS)}
    return numbers | {"delivered": dict(delivered), "lag": fleet.lag}


def add_up(nodes: Sequence[Node]) -> Fleet:
    """Return the accounts of nodes, which were asked in this order, together."""
    delivered = _delivered_to_topics(nodes)
    topics = {place: Topic(*place, delivered=number) for place, number in delivered.items()}
    groups: dict[tuple[str, str], ConsumerGroup] = {}
    known: set[tuple[str, str, str]] = set()
    for node in nodes:
        for client in node.kafka:
            for name, offsets in client.topics.items():
                if topic := topics.get((client.cluster, name)):
                    topic.records = max(topic.records, offsets.records)
            if not client.group:
                continue
            group = groups.setdefault((client.cluster, client.group), ConsumerGroup(client.cluster, client.group))
            group.received += _received(node.after, client)
            for name, offsets in client.topics.items():
                if (client.cluster, client.group, name) not in known:  # the first answer: it is older than the accounts
                    known.add((client.cluster, client.group, name))
                    group.topics.add(name)
                    group.lag += offsets.lag
                    group.delivered += delivered.get((client.cluster, name), 0)
    return Fleet(nodes, [*topics.values()], [*groups.values()])


def _delivered_to_topics(nodes: Iterable[Node]) -> Counter[tuple[str, str]]:
    """Return the events that were delivered to each topic, by cluster and topic."""
    found: Counter[tuple[str, str]] = Counter()
    nodes = list(nodes)
    clusters = {client.cluster for node in nodes for client in node.kafka}
    only = clusters.pop() if len(clusters) == 1 else ""
    for node in nodes:
        own = {(client.pipeline, client.plugin): client.cluster for client in node.kafka if not client.group}
        for account in _written_to_kafka(node.before):
            cluster = own.get((account.pipeline, account.output), only)  # the only one: it may be out of the config
            for topic, number in account.delivered_to.items():
                found[cluster, topic] += number
    return found


def topics_of(accounts: NodeAccounts) -> set[str]:
    """Return the topics that a node has delivered events to."""
    return {topic for account in _written_to_kafka(accounts) for topic in account.delivered_to}


def _written_to_kafka(accounts: NodeAccounts) -> Iterator[OutputAccount]:
    return (account for account in accounts.outputs if account.plugin == "kafka")


def _received(accounts: NodeAccounts, client: KafkaOffsets) -> int:
    """Return what an input has received. All outputs of its pipeline get that; one that is new has seen less."""
    outputs = (account for account in accounts.outputs if account.pipeline == client.pipeline)
    seen = (sum(day.received for day in account.days if day.input == client.plugin) for account in outputs)
    return max(seen, default=0)
