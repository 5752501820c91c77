"""Options of Kafka's clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestd.event.sprintf import Template
from ingestd.plugins._kafka import KafkaOptions
from ingestd.plugins.inputs import kafka as kafka_input
from ingestd.plugins.outputs import kafka as kafka_output
from ingestd.plugins.registry import OptionError

LOGIN = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="kim" password="a\\"b;c";'


def test_a_login() -> None:
    options = KafkaOptions(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_jaas_config=LOGIN)
    config = options.client_config()
    assert config["security.protocol"] == "sasl_ssl"
    assert (config["sasl.username"], config["sasl.password"]) == ("kim", 'a"b;c')
    assert config["sasl.mechanism"] == "SCRAM-SHA-512"
    assert config["ssl.endpoint.identification.algorithm"] == "https"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no_login", {"security_protocol": "SASL_PLAINTEXT"}, "has no username"),
    ("jks", {"security_protocol": "SSL", "ssl_truststore_location": "/x/store.jks"}, "must be a file in PEM"),
    ("no_file", {"security_protocol": "SSL", "ssl_truststore_location": "/x/ca.pem"}, "there is no file"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        KafkaOptions(**options).client_config()


def test_a_truststore(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    config = KafkaOptions(security_protocol="SSL", ssl_truststore_location=str(tmp_path / "ca.pem")).client_config()
    assert config["ssl.ca.location"] == str(tmp_path / "ca.pem")


def test_the_clients_take_their_configurations() -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    producer = kafka_output.Options(topic_id=Template("logs"), partitioner="round_robin").producer_config()
    confluent_kafka.Producer(producer)
    for strategy in ("range", "round_robin", "cooperative_sticky"):
        options = kafka_input.Options(partition_assignment_strategy=strategy, group_instance_id="edge")
        confluent_kafka.Consumer(options.consumer_config("w0")).close()
    assert options.consumer_config("w1")["group.instance.id"] == "edge-w1"
