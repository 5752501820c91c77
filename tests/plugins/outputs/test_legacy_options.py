"""Options of real configs that have another name, or no effect, are warnings of `ingestd check`; never a wrong hint."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ingestd.compiler.pipeline import inspect
from ingestd.config.nodes import PluginBlock
from ingestd.config.parser import parse
from ingestd.plugins.options import read_options
from ingestd.plugins.registry import find

OUTPUTS = [  # settings of the output elasticsearch, part of the message, part of the advice
    ("document_type => log", "'document_type' has an effect with Elasticsearch 6 only", "leave it out"),
    ("ssl => false", "'ssl' of output 'elasticsearch' is called 'ssl_enabled' now", "write ssl_enabled"),
    ("ssl_certificate_verification => false", "is called 'ssl_verification_mode' now", "ssl_verification_mode"),
    ("cacert => '/ca.pem'", "is called 'ssl_certificate_authorities' now", "ssl_certificate_authorities"),
    ("keystore => '/k.jks'", "'keystore' of output 'elasticsearch' has no effect", "ssl_certificate and ssl_key"),
    ("truststore => '/t.jks'", "'truststore' of output", "ssl_certificate_authorities"),
    ("workers => 4", "'workers' of output 'elasticsearch' has no effect", "concurrency"),
    ("flush_size => 500", "'flush_size' of output", "batch.max_bytes"),
    ("validate_after_inactivity => 5", "'validate_after_inactivity' of output", "opened again"),
    ("http_compression => false", "is called 'compression_level' now", "write compression_level => 0"),
    ("codec => json", "'codec' of output 'elasticsearch' has no effect", "leave it out"),
]


@pytest.mark.parametrize(("settings", "message", "advice"), OUTPUTS, ids=[row[0].split()[0] for row in OUTPUTS])
def test_a_warning_names_the_successor(settings: str, message: str, advice: str) -> None:
    text = f"input {{ stdin {{ }} }} output {{ elasticsearch {{ {settings} }} }}"
    [finding] = inspect(parse(text, "test.conf", {}))
    assert finding.severity == "warning"
    assert message in finding.message
    assert advice in finding.hint
    name, _, value = settings.split()
    assert text[finding.span.column - 1 :].startswith((name, value))


Section = Literal["input", "output"]
VALUES: list[tuple[Section, str, str, Any]] = [  # section, plugin, the option that takes the value, its value
    ("input", "http { port => 1 verify_mode => none }", "ssl_client_authentication", "none"),
    ("input", "http { port => 1 verify_mode => peer }", "ssl_client_authentication", "optional"),
    ("input", "http { port => 1 verify_mode => force_peer }", "ssl_client_authentication", "required"),
    ("output", "elasticsearch { http_compression => true }", "compression_level", 1),
    ("output", "elasticsearch { http_compression => false }", "compression_level", 0),
    ("output", "opensearch { http_compression => true }", "compression_level", 1),
    ("output", "opensearch { http_compression => 'false' }", "compression_level", 0),
]


@pytest.mark.parametrize(("section", "plugin", "name", "value"), VALUES, ids=[row[1] for row in VALUES])
def test_the_successor_takes_the_value(section: Section, plugin: str, name: str, value: Any) -> None:
    [node] = getattr(parse(f"{section} {{ {plugin} }}", "test.conf", {}), f"{section}s")
    assert isinstance(node, PluginBlock)
    spec = find(section, node.name)
    assert spec is not None
    options = read_options(spec.options, node.settings, node.name, node.span, [], legacy=spec.legacy)
    assert getattr(options, name) == value


def test_a_current_option_of_opensearch_needs_no_warning() -> None:
    assert inspect(parse("input { stdin { } } output { opensearch { http_compression => true } }", "a.conf", {})) == []


PLUGINS = [  # section, plugin, the successor or advice
    ("filter", "grok { singles => true }", "never an array"),
    ("filter", 'geoip { source => "a" lru_cache_size => 9 }', "cache_size"),
    ("filter", 'kv { trim => "x" }', "trim_value"),
    ("input", "http { port => 1 verify_mode => none }", "write ssl_client_authentication"),
    ("output", "s3 { bucket => logs use_aws_bundled_ca => true }", "certificate authorities of the system"),
]


@pytest.mark.parametrize(("section", "plugin", "advice"), PLUGINS, ids=[row[1].split()[0] for row in PLUGINS])
def test_options_of_older_versions(section: str, plugin: str, advice: str) -> None:
    findings = inspect(parse(f"{section} {{ {plugin} }}", "test.conf", {}))
    [finding] = [finding for finding in findings if "the option" in finding.message]
    assert finding.severity == "warning"
    assert advice in finding.hint


REFUSED = [  # section, plugin, part of the advice
    ("filter", "mutate { type => apache }", 'if [type] == "..."'),
    ("filter", 'grok { pattern => "%{WORD:a}" }', "match =>"),
    ("filter", 'grok { tags => ["a"] }', "in [tags]"),
    ("output", 'stdout { exclude_tags => ["a"] }', "not in [tags]"),
    ("input", "stdin { format => json }", "codec => json"),
]


@pytest.mark.parametrize(("section", "plugin", "advice"), REFUSED, ids=[row[1].split()[2] for row in REFUSED])
def test_what_would_change_the_events_is_an_error_with_advice(section: str, plugin: str, advice: str) -> None:
    findings = inspect(parse(f"{section} {{ {plugin} }}", "test.conf", {}))
    [error] = [finding for finding in findings if finding.severity == "error"]
    assert "no longer exists, as in Logstash" in error.message
    assert advice in error.hint


PEM = ("ssl_certificate and ssl_key", "ssl_certificate_authorities")
UNSUPPORTED = [  # section, plugin, options of Logstash's, part of the advice
    ("input", "beats { port => 5044 %s }", ("ssl_keystore_path", "ssl_keystore_password"), PEM[0]),
    ("input", "beats { port => 5044 %s }", ("ssl_truststore_path", "ssl_truststore_type"), PEM[1]),
    ("output", "tcp { host => a port => 1 %s }", ("ssl_keystore_path", "ssl_keystore_type"), PEM[0]),
    ("output", "http { url => 'http://a' http_method => post %s }", ("keystore", "keystore_type"), PEM[0]),
    ("output", "http { url => 'http://a' http_method => post %s }", ("truststore", "truststore_type"), PEM[1]),
    ("output", "kafka { topic_id => a %s }", ("jaas_path",), "sasl_jaas_config"),
    (
        *("input", "kafka { topics => a %s }"),
        tuple(
            f"schema_registry_ssl_{store}_{part}"
            for store in ("keystore", "truststore")
            for part in ("location", "password", "type")
        ),
        "let the sender write JSON",
    ),
]


@pytest.mark.parametrize(("section", "plugin", "names", "advice"), UNSUPPORTED, ids=[row[2][0] for row in UNSUPPORTED])
def test_what_logstash_can_and_ingestd_cannot(section: str, plugin: str, names: tuple[str, ...], advice: str) -> None:
    given = " ".join(f'{name} => "x"' for name in names)
    findings = inspect(parse(f"{section} {{ {plugin % given} }}", "test.conf", {}))
    errors = [finding for finding in findings if finding.severity == "error"]
    assert [error.message.endswith("is not supported") for error in errors] == [True] * len(names)
    assert all(advice in error.hint for error in errors)
