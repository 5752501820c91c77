"""What the input and the output ``kafka`` share: how to reach the brokers.

The client is confluent-kafka (librdkafka), an extra. Options have Logstash's names, whose meaning is that of the Java
client: https://www.elastic.co/docs/reference/logstash/plugins/plugins-integrations-kafka. The names of librdkafka:
https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd.plugins.registry import OptionError, ignored, option, unsupported

ID_HEADER = "ingestd-id"
"""Header of a record with the id of the event, so that one that is sent twice can be recognised."""

MISSING_PACKAGE = "Kafka needs the package confluent-kafka: pip install 'ingestd[kafka]'"

_login = re.compile(r'(username|password)\s*=\s*"((?:[^"\\]|\\.)*)"').findall

_PROTOCOLS = ("PLAINTEXT://", "SSL://", "SASL_PLAINTEXT://", "SASL_SSL://")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%\w+)?\]")

_PEM_ADVICE = (
    "keytool -importkeystore -srckeystore FILE -destkeystore store.p12 -deststoretype PKCS12, then for a truststore "
    "openssl pkcs12 -in store.p12 -nokeys -out ca.pem"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """How to reach the brokers."""

    bootstrap_servers: str = option("localhost:9092", "Brokers to ask first: `host1:port1,host2:port2`.")
    client_id: str = option("ingestd", "Name of this client in the brokers' logs.")
    security_protocol: str = option(
        "PLAINTEXT", "Protocol to connect to brokers with.", choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    )
    sasl_mechanism: str = option(
        "PLAIN", "How to log in with SASL.", choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")
    )
    sasl_jaas_config: str = option(
        "", 'The login: `...LoginModule required username="..." password="...";`. Only name and password are used.'
    )
    sasl_kerberos_service_name: str = option("kafka", "The brokers' Kerberos principal, with `GSSAPI`.")
    ssl_truststore_location: str = option("", "File in PEM with the authorities to trust; default: the system's.")
    ssl_truststore_type: str = option("PEM", "Only `PEM`.", choices=("PEM", "jks", "JKS", "PKCS12"))
    ssl_keystore_location: str = option("", "File in PKCS12 with this client's certificate and key.")
    ssl_keystore_type: str = option("PKCS12", "Only `PKCS12`.", choices=("PKCS12", "jks", "JKS", "PEM"))
    ssl_keystore_password: str = option("", "Password of that file.")
    ssl_endpoint_identification_algorithm: str = option(
        "https", "`https` checks that a broker's certificate matches its name; empty does not."
    )
    metadata_max_age_ms: int = option(
        300_000, "Milliseconds after which the list of topics and partitions is refreshed."
    )
    request_timeout_ms: int = option(40_000, "Milliseconds to wait for the answer to a request.")
    retry_backoff_ms: int = option(100, "Milliseconds between attempts.")
    reconnect_backoff_ms: int = option(50, "Milliseconds before the first attempt to connect again.")
    connections_max_idle_ms: int = option(540_000, "Milliseconds after which an idle connection is closed.")

    def client_config(self) -> dict[str, Any]:
        """Return the configuration of librdkafka.

        Raises:
            OptionError: The options cannot work.
        """
        check_servers(self.bootstrap_servers)
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": self.client_id,
            "security.protocol": self.security_protocol.lower(),
            "topic.metadata.refresh.interval.ms": self.metadata_max_age_ms,
            "socket.timeout.ms": min(max(self.request_timeout_ms, 10), 300_000),
            "retry.backoff.ms": max(self.retry_backoff_ms, 1),
            "reconnect.backoff.ms": max(self.reconnect_backoff_ms, 0),
            "connections.max.idle.ms": max(self.connections_max_idle_ms, 0),
            "log_level": 2,  # errors come by error_cb
        }
        if self.security_protocol.startswith("SASL"):
            config |= self._login()
        if self.security_protocol.endswith("SSL"):
            config |= self._tls()
        return config

    def _login(self) -> dict[str, Any]:
        if self.sasl_mechanism == "GSSAPI":
            return {"sasl.mechanism": "GSSAPI", "sasl.kerberos.service.name": self.sasl_kerberos_service_name}
        found = dict(_login(self.sasl_jaas_config))
        if set(found) != {"username", "password"}:
            raise OptionError('sasl_jaas_config has no username="..." and password="..."', self.sasl_jaas_config)
        values = {name: re.sub(r"\\(.)", r"\1", value) for name, value in found.items()}
        return {f"sasl.{name}": value for name, value in values.items()} | {"sasl.mechanism": self.sasl_mechanism}

    def _tls(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "ssl.endpoint.identification.algorithm": self.ssl_endpoint_identification_algorithm or "none"
        }
        if self.ssl_truststore_location:
            _check_file("ssl_truststore", self.ssl_truststore_location, self.ssl_truststore_type, "PEM")
            config["ssl.ca.location"] = self.ssl_truststore_location
        if self.ssl_keystore_location:
            _check_file("ssl_keystore", self.ssl_keystore_location, self.ssl_keystore_type, "PKCS12")
            config["ssl.keystore.location"] = self.ssl_keystore_location
            config["ssl.keystore.password"] = self.ssl_keystore_password
        return config


def check_servers(text: str) -> None:
    """Raise OptionError unless ``text`` is addresses of brokers: ``host:port``, with commas between them."""
    hint = 'bootstrap_servers => "kafka1:9092,kafka2:9092"'
    for server in text.split(","):
        address = server.strip()
        if "://" in address and not address.upper().startswith(_PROTOCOLS):
            raise OptionError(f"{address!r} is a URL, not the address of a broker", text, hint)
        host, colon, port = address.rpartition("://")[2].rpartition(":")
        if not colon:
            raise (
                OptionError(f"{address!r} has no port", text, hint)
                if address
                else OptionError("bootstrap_servers has an empty address", text, hint)
            )
        if not host or not port.isdecimal() or not 0 < int(port) < 65536 or not _HOST.fullmatch(host):
            raise OptionError(f"{address!r} is not the address of a broker", text, hint)


def check_package() -> None:
    """Raise ValueError if the client is not installed."""
    if importlib.util.find_spec("confluent_kafka") is None:
        raise ValueError(MISSING_PACKAGE)


def _check_file(name: str, path: str, kind: str, wanted: str) -> None:
    if kind != wanted or path.endswith(".jks"):
        raise OptionError(f"{name}_location must be a file in {wanted}", path, f"convert it: {_PEM_ADVICE}")
    if not Path(path).is_file():
        raise OptionError(f"{name}_location: there is no file {path!r}", path)


_JAVA = ignored("it applies to the Java client only")
LEGACY = {
    **dict.fromkeys(
        (
            *("client_dns_lookup", "receive_buffer_bytes", "send_buffer_bytes", "sasl_client_callback_handler_class"),
            *("sasl_login_callback_handler_class", "sasl_login_connect_timeout_ms", "sasl_login_read_timeout_ms"),
            *("sasl_login_retry_backoff_ms", "sasl_login_retry_backoff_max_ms", "ssl_truststore_password"),
            "ssl_key_password",
        ),
        _JAVA,
    ),
    "jaas_path": unsupported("write the login into sasl_jaas_config"),
    "kerberos_config": unsupported("put it into /etc/krb5.conf, or its path into the variable KRB5_CONFIG"),
    **dict.fromkeys(
        ("sasl_oauthbearer_token_endpoint_url", "sasl_oauthbearer_scope_claim_name"),
        unsupported("OAUTHBEARER is not supported; use SCRAM-SHA-512"),
    ),
}
