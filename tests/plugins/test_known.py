"""Plugins that Logstash has and ingestd does not: what `ingestd check` says about them."""

from __future__ import annotations

import pytest

from ingestd.compiler.pipeline import inspect
from ingestd.config.parser import parse
from ingestd.plugins.known import is_known
from ingestd.plugins.registry import Kind, names
from ingestd.plugins.ruby_advice import ruby_advice

DEFAULT_PLUGINS: dict[Kind, str] = {  # Logstash's default distribution, 9.x
    "input": "azure_event_hubs beats couchdb_changes dead_letter_queue elasticsearch exec file ganglia gelf generator "
    "graphite heartbeat http http_poller jms pipe redis s3 snmp snmptrap sqs stdin syslog tcp twitter udp unix",
    "codec": "avro cef collectd dots edn edn_lines es_bulk fluent graphite json json_lines line msgpack multiline "
    "netflow plain rubydebug",
    "filter": "aggregate anonymize cidr clone csv date de_dot dissect dns drop elastic_integration elasticsearch "
    "fingerprint geoip grok http json kv memcached metrics mutate prune ruby sleep split syslog_pri throttle translate "
    "truncate urldecode useragent uuid xml",
    "output": "csv elasticsearch email file graphite http lumberjack nagios null redis s3 sns sqs stdout tcp udp "
    "webhdfs",
}
EVERY = [(kind, name) for kind, listed in DEFAULT_PLUGINS.items() for name in listed.split()]


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[f"{kind}-{name}" for kind, name in EVERY])
def test_every_default_plugin_is_there_or_known(kind: Kind, name: str) -> None:
    assert name in names(kind) or is_known(kind, name)


def test_known_plugins_are_named_as_such_and_their_codecs_are_checked() -> None:
    text = (
        'input { jdbc { port => 5044 codec => jsn } rabbitmq { codec => json { charst => "x" } } }\n'
        "filter { jdbc_streaming { } grook { } } output { rabbitmq { codec => avro { } } }\n"
    )
    found = {(error.message, error.hint) for error in inspect(parse(text, "test.conf", {}))}
    assert {message for message, _ in found} == {
        "the input 'jdbc' is known from Logstash, and not supported",
        "unknown codec plugin 'jsn'",
        "the input 'rabbitmq' is known from Logstash, and not supported",
        "unknown option 'charst' for codec 'json'",
        "the filter 'jdbc_streaming' is known from Logstash, and not supported",
        "unknown filter plugin 'grook'",
        "the output 'rabbitmq' is known from Logstash, and not supported",
        "the codec 'avro' is known from Logstash, and not supported",
    }
    assert all(hint for _, hint in found)


RUBY = [  # id, code, part of the advice
    ("rename", "event.set('a', event.get('b')); event.remove('b')", 'mutate { rename => { "b" => "a" } }'),
    ("copy", 'event.set("[a][c]", event.get("[b]"))', 'mutate { copy => { "[b]" => "[a][c]" } }'),
    ("old_api", "event['a'] = event['b']", 'mutate { copy => { "b" => "a" } }'),
    ("integer", "event.set('n', event.get('n').to_i)", 'mutate { convert => { "n" => "integer" } }'),
    ("float", "event.set('n', event.get('n').to_f)", 'mutate { convert => { "n" => "float" } }'),
    ("arithmetic", "event.set('n', event.get('n').to_i / 1000)", "Ruby; write the code in Python"),
    ("text", "event.set('x', event.get('a').to_s + '!')", "Ruby; write the code in Python"),
    ("capitals", "event.set('x', event.get('a').upcase + '!')", "Ruby; write the code in Python"),
    ("sum", "event.set('n', event.get('a') + event.get('n'))", "Ruby; write the code in Python"),
    ("gsub", "event.set('m', event.get('m').gsub(/a/, 'b'))", 'mutate { gsub => ["m", "PATTERN", "TEXT"] }'),
    ("split", "event.set('m', event.get('m').split(','))", 'mutate { split => { "m" => "SEPARATOR" } }'),
    ("case", "event.set('m', event.get('m').downcase)", 'mutate { lowercase => ["m"] }'),
    ("strip", "event.set('m', event.get('m').strip)", 'mutate { strip => ["m"] }'),
    ("literal", "event.set('env', 'prod')", 'mutate { replace => { "env" => "prod" } }'),
    ("number", "event.set('n', 0)", 'mutate { replace => { "n" => "0" } convert => { "n" => "integer" } }'),
    ("remove", "event.remove('a')\nevent.remove('b')", 'mutate { remove_field => ["a", "b"] }'),
    ("tag", "event.tag('slow')", 'mutate { add_tag => ["slow"] }'),
    ("timestamp", "event.timestamp = LogStash::Timestamp.new(event.get('t'))", "date { match =>"),
    ("time", "event.set('@timestamp', Time.at(event.get('t')))", "date { match =>"),
    ("local_time", "event.set('index_day', event.get('@timestamp').time.localtime.strftime('%Y'))", "index_timezone"),
    ("now", "event.set('seen', Time.now.utc)", "%{{TIME_NOW}}"),
    ("shift", "event.set('t', event.get('@timestamp').time.localtime + 8*60*60)", "times are kept in UTC"),
    ("entries", "event.get('a').each { |k, v| event.set(k, v) }", 'json_encode { source => "FIELD" target'),
    ("lookup", "event.set('x', $rc.get(event.get('a')) || Redis.new.get('b'))", "translate {"),
    ("length", "event.set('long', event.get('m').length)", "Ruby; write the code in Python"),
    ("cancel", "event.cancel if event.get('a') == 1", "drop { } in a condition"),
    ("json", "event.set('d', JSON.parse(event.get('m')))", 'json { source => "FIELD" }'),
    ("unescape", "event.set('q', CGI.unescape(event.get('q')))", 'urldecode { field => "FIELD" }'),
    ("digest", "event.set('h', Digest::MD5.hexdigest(event.get('m')))", "fingerprint {"),
    ("uuid", "event.set('id', SecureRandom.uuid)", "uuid {"),
    ("hash", "event.to_hash.each { |k, v| event.remove(k) if k.start_with?('a_') }", "prune {"),
    ("scan", "event.set('x', event.get('m').scan(/a/))", "grok {"),
    ("nothing", "puts 1", "in Python, for the filter python"),
]


@pytest.mark.parametrize(("code", "advice"), [case[1:] for case in RUBY], ids=[case[0] for case in RUBY])
def test_ruby_code_gets_the_native_filter_for_its_idiom(code: str, advice: str) -> None:
    text = (
        f'filter {{ ruby {{ code => "{code}" }} }}' if '"' not in code else f"filter {{ ruby {{ code => '{code}' }} }}"
    )
    [error] = inspect(parse(text, "test.conf", {}))
    assert error.message == "the filter 'ruby' is known from Logstash, and not supported"
    assert error.hint == ruby_advice(code)
    assert advice in error.hint


FILTERS = {  # not supported: what its advice names, all of which there is
    "aggregate": ("ingestd aggregate", "filter elapsed", "codec multiline"),
    "metrics": ("/metrics", "ingestd aggregate"),
    "sleep": ("filter throttle",),
    "http": ("filter translate",),
}


@pytest.mark.parametrize(("name", "alternatives"), FILTERS.items(), ids=FILTERS)
def test_a_filter_that_is_not_supported_has_an_alternative(name: str, alternatives: tuple[str, ...]) -> None:
    [finding] = inspect(parse(f"filter {{\n  {name} {{ }}\n}}", "test.conf", {}))
    assert str(finding) == (f"test.conf:2:3: error: the filter {name!r} is known from Logstash, and not supported")
    for alternative in alternatives:
        assert alternative in finding.hint
        kind, _, plugin = alternative.rpartition(" ")
        assert kind not in ("filter", "codec") or plugin in names("filter" if kind == "filter" else "codec")
