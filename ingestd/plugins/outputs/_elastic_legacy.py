"""Options of Logstash's outputs elasticsearch and opensearch that have another name here, or no effect."""

from __future__ import annotations

from ingestd.plugins.registry import Legacy, ignored, replaced

_STORE = ignored("Java key stores cannot be read; convert it to PEM files for ssl_certificate and ssl_key")
_TRUST = ignored("Java key stores cannot be read; convert it to a PEM file for ssl_certificate_authorities")
_DEAD = ignored("whatever the server refuses becomes a dead letter, with its reason")

SHARED: Legacy = {
    "ssl_keystore_path": _STORE,
    "ssl_keystore_type": _STORE,
    "ssl_keystore_password": _STORE,
    "keystore": _STORE,
    "keystore_password": _STORE,
    "ssl_truststore_path": _TRUST,
    "ssl_truststore_type": _TRUST,
    "ssl_truststore_password": _TRUST,
    "truststore": _TRUST,
    "truststore_password": _TRUST,
    "ssl_cipher_suites": ignored("the suites of the system's TLS library are used"),
    "validate_after_inactivity": ignored("a connection that broke is opened again"),
    "failure_type_logging_whitelist": _DEAD,
    "silence_errors_in_log": _DEAD,
    "dlq_custom_codes": _DEAD,
    "drop_error_types": _DEAD,
    "dlq_on_failed_indexname_interpolation": ignored("an event without an index always becomes a dead letter"),
    "template_api": ignored("the version of the server decides"),
    "flush_size": ignored("the setting batch.max_bytes bounds a batch"),
    "idle_flush_time": ignored("a batch is sent as soon as it is complete"),
    "max_retries": ignored("errors that may pass are retried forever"),
    "retry_max_items": ignored("errors that may pass are retried forever"),
    "protocol": ignored("it is always http"),
    "max_inflight_requests": ignored("the number of requests adapts to the server's responses"),
    "cluster": ignored("name the nodes in hosts"),
    "host": replaced("hosts"),
    "index_type": replaced("document_type"),
    "port": ignored('write it into hosts: hosts => ["NAME:9200"]'),
    "embedded": ignored("there is no embedded server"),
    "node_name": ignored("requests go over HTTP"),
    "bind_host": ignored("requests go over HTTP"),
    "bind_port": ignored("requests go over HTTP"),
}

ELASTICSEARCH: Legacy = {
    **SHARED,
    "ssl": replaced("ssl_enabled"),
    "cacert": replaced("ssl_certificate_authorities"),
    "ssl_certificate_verification": replaced("ssl_verification_mode", true="full", false="none"),
    "http_compression": replaced("compression_level", true="1", false="0"),
}

OPENSEARCH: Legacy = {
    **SHARED,
    "ssl": replaced("ssl_enabled", silent=True),
    "cacert": replaced("ssl_certificate_authorities", silent=True),
    "ssl_certificate_verification": replaced("ssl_verification_mode", silent=True, true="full", false="none"),
    "http_compression": replaced("compression_level", silent=True, true="1", false="0"),
    "tls_certificate": replaced("ssl_certificate", silent=True),
    "tls_key": replaced("ssl_key", silent=True),
    "legacy_template": ignored("the version of the server decides"),
    "default_server_major_version": ignored("the server says which version it is"),
    "target_bulk_bytes": ignored("the size of requests adapts to the server's responses"),
}
"""`ssl` and its like are the names of the output opensearch: nothing has to be changed."""
