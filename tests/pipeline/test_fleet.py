"""Accounts of several daemons around Kafka, added up."""

from __future__ import annotations

import pytest

from ingestd.pipeline.fleet import (
    DayAccount,
    Fleet,
    KafkaOffsets,
    Node,
    NodeAccounts,
    OutputAccount,
    TopicOffsets,
    add_up,
    total_document,
)


def accounts(plugin: str, received: int, delivered: int, to: str = "logs", difference: int = 0) -> NodeAccounts:
    days = [DayAccount("in", received // 2), DayAccount("in", received - received // 2)]
    account = OutputAccount("main", "out", delivered, plugin, {to: delivered}, days)
    queued = received - delivered - difference
    return NodeAccounts(received, delivered, 0, 0, 0, queued, difference, not difference, [account])


def edge(name: str, delivered: int, records: int, *, since: int = 0, cluster: str = "one") -> Node:
    """Return an edge that has delivered ``since`` more while the others were asked."""
    offsets = KafkaOffsets("main", "out", "kafka:9092", cluster=cluster, topics={"logs": TopicOffsets(records)})
    before, after = (accounts("kafka", number, number) for number in (delivered, delivered + since))
    return Node(name, before, (offsets,), after)


def worker(name: str, received: int, lag: int, *, since: int = 0, group: str = "ingestd", cluster: str = "one") -> Node:
    offsets = KafkaOffsets(
        "main", "in", "kafka:9092", group, cluster=cluster, topics={"logs": TopicOffsets(received + lag, lag)}
    )
    before, after = (accounts("elasticsearch", n, n, "logstash-1") for n in (received, received + since))
    return Node(name, before, (offsets,), after)


CASES: list[tuple[str, list[Node], bool, list[tuple[int, int, int]]]] = [
    # id, nodes, whether they add up; of each group the lag, the missing and the surplus
    ("all_read", [edge("a", 60, 100), edge("b", 40, 100), worker("c", 70, 0), worker("d", 30, 0)], True, [(0, 0, 0)]),
    ("with_lag", [edge("a", 100, 100), worker("c", 70, 30)], True, [(30, 0, 0)]),
    ("two_workers_have_one_lag", [edge("a", 130, 130), worker("c", 70, 30), worker("d", 30, 30)], True, [(30, 0, 0)]),
    ("repeated", [edge("a", 100, 105), worker("c", 112, 0)], True, [(0, 0, 12)]),
    ("on_their_way", [edge("a", 100, 104, since=50), worker("c", 90, 14, since=50)], True, [(14, 0, 54)]),
    ("not_read", [edge("a", 100, 100), worker("c", 70, 29)], False, [(29, 1, 0)]),
    ("brokers_have_lost_some", [edge("a", 100, 98), edge("b", 0, 98)], False, []),
    ("two_groups", [edge("a", 9, 9), worker("c", 9, 0), worker("d", 5, 4, group="s3")], True, [(0, 0, 0), (4, 0, 0)]),
    ("one_misses", [edge("a", 9, 9), worker("c", 9, 0), worker("d", 5, 0, group="b")], False, [(0, 0, 0), (0, 4, 0)]),
    ("another_cluster", [edge("a", 9, 9), worker("c", 5, 0, cluster="two")], True, [(0, 0, 5)]),
    ("no_worker", [edge("a", 100, 100)], True, []),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "balanced", "groups"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_the_balance(nodes: list[Node], balanced: bool, groups: list[tuple[int, int, int]]) -> None:
    fleet = add_up(nodes)
    assert fleet.balanced == balanced
    found = [(group.lag, group.missing, group.surplus) for group in fleet.groups]
    assert found == groups


def fleet() -> Fleet:
    return add_up([edge("a", 60, 101), edge("b", 40, 101), worker("c", 70, 6), worker("d", 25, 6)])


def test_the_sum_of_all_nodes() -> None:
    assert total_document(fleet()) == {
        "received": 100,
        "from_kafka": 95,
        "delivered": {"kafka": 100, "elasticsearch": 95},
        "duplicates": 0,
        "dead": 0,
        "dropped": 0,
        "queued": 0,
        "difference": 0,
        "lag": 6,
    }
    assert fleet().delivered_to(("elasticsearch",)) == {"logstash-1": 95}


def test_the_document() -> None:
    document = fleet().document()
    assert [(node["node"], node["received"], node["from_kafka"]) for node in document["nodes"]] == [
        ("a", 60, 0),
        ("b", 40, 0),
        ("c", 0, 70),
        ("d", 0, 25),
    ]
    assert document["topics"] == [{"cluster": "one", "topic": "logs", "delivered": 100, "records": 101, "missing": 0}]
    [group] = document["groups"]
    assert group == {
        "cluster": "one",
        "group": "ingestd",
        "topics": ["logs"],
        "delivered": 100,
        "received": 95,
        "lag": 6,
        "missing": 0,
        "surplus": 1,
    }


def test_a_node_that_does_not_add_up() -> None:
    node = edge("a", 10, 10)
    wrong = Node("a", node.before, node.kafka, accounts("kafka", 12, 10, difference=2))
    assert not add_up([wrong]).balanced


def test_an_output_that_is_out_of_the_config_counts_for_the_only_cluster() -> None:
    node = edge("a", 10, 10)
    renamed = Node("a", node.before, (KafkaOffsets("main", "new", "kafka:9092", cluster="one"),), node.after)
    [topic] = add_up([renamed, worker("c", 10, 0)]).topics
    assert (topic.cluster, topic.delivered, topic.records) == ("one", 10, 10)
