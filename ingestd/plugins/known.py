"""Plugins that Logstash has and ingestd does not: `ingestd check` names them as known, with what to do instead.

The names are those of Logstash's default distribution, of its plugin repositories, and of common plugins of others.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingestd.plugins.registry import Kind

_TCP = "send the events to the input tcp, one a line"
_FILE = "use the input file, or read it once with `ingestd import`"
_QUEUE = "let a consumer of it write one event a line to the input tcp"
_POLL = "let a program fetch it and write one event a line to the input tcp or stdin"
_SEARCH = "use the output elasticsearch, file or stdout"
_SEND = "use the output kafka, tcp or http, from which a program of yours can put it there"
_LOOKUP = "use the filter translate with a dictionary file, which is read again when it changes"
_NEW_FIELD = "use mutate { add_field => { ... } }"
_CODEC = "use the codec json_lines, json, line or plain"

_ADVICE: Mapping[Kind, Mapping[str, str]] = {
    "input": {
        "elastic_agent": "use the input beats, which has the same options",
        "lumberjack": "use the input beats, which takes both versions of the protocol",
        "log4j": f"with log4j's SocketAppender and JsonTemplateLayout {_TCP}",
        "log4j2": f"with log4j's SocketAppender and JsonTemplateLayout {_TCP}",
        "websocket": _QUEUE,
        "relp": "let rsyslog forward to the input tcp with omfwd",
        "journald": "`journalctl -f -o json | ingestd run -f ...` with the input stdin and the codec json",
        "exec": "let cron or a loop run it, and pipe its output into the input stdin",
        "pipe": "pipe its output into the input stdin",
        "heartbeat": "use the input generator, or ask /health",
        "dead_letter_queue": "`ingestd deadletters replay` sends dead letters again",
        "elasticsearch": "`ingestd export` and `ingestd import` move events",
        "tail": _FILE,
        **dict.fromkeys(
            ("rabbitmq", "redis", "sqs", "stomp", "jms", "azure_event_hubs", "google_pubsub", "kinesis"),
            _QUEUE,
        ),
        **dict.fromkeys(("zeromq", "xmpp", "irc", "twitter", "rackspace", "heroku", "puppet_facter"), _QUEUE),
        **dict.fromkeys(("jdbc", "http_poller", "s3", "imap", "rss", "couchdb_changes", "github", "salesforce"), _POLL),
        **dict.fromkeys(
            ("cloudwatch", "dynamodb", "drupal_dblog", "sqlite", "mongodb", "neo4j", "jmx", "ganglia"), _POLL
        ),
        **dict.fromkeys(
            ("snmp", "snmptrap", "graphite", "collectd", "varnishlog", "wmi", "eventlog", "perfmon"), _POLL
        ),
        **dict.fromkeys(
            ("google_cloud_storage", "elastic_serverless_forwarder", "meetup", "example", "java_input_example"), _POLL
        ),
        "logstash": _TCP,
    },
    "codec": {
        **dict.fromkeys(
            ("avro", "protobuf", "edn", "edn_lines", "collectd", "netflow", "graphite", "nmap", "cloudtrail"), _CODEC
        ),
        **dict.fromkeys(("cloudfront", "compress_spooler", "spool", "s3plain", "sflow", "oldlogstashjson"), _CODEC),
        **dict.fromkeys(("example", "java_codec_example", "ipfix", "pretty", "xml", "rfc5424"), _CODEC),
        "json_spooler": "use the codec json",
    },
    "filter": {
        "ruby": "",  # see ``ruby_advice``
        "multiline": "use the codec multiline of the input, which joins the lines of each connection",
        "anonymize": "use the filter fingerprint",
        "checksum": "use the filter fingerprint",
        "punct": "use the filter fingerprint with method => PUNCTUATION",
        "advisor": "let a dashboard or Prometheus count",
        "elasticsearch": _LOOKUP,
        "memcached": _LOOKUP,
        "jdbc_static": _LOOKUP,
        "jdbc_streaming": _LOOKUP,
        "environment": f'{_NEW_FIELD} with "${{NAME}}"',
        "http": _LOOKUP,
        "i18n": "use mutate { gsub => [ ... ] }",
        "alter": "use conditions and mutate",
        "range": "use conditions such as if [bytes] > 1000 { }",
        "extractnumbers": "use grok with %{NUMBER:name:float}",
        "grep": "use a condition with drop { }",
        "gelfify": _NEW_FIELD,
        "metaevent": _NEW_FIELD,
        "unique": "remove duplicates in a query",
        "wms": "use kv and urldecode",
        "tld": "use grok",
        "oui": _LOOKUP,
        "cipher": "use the filter fingerprint with a key, or redact",
        "collate": "sort in a query: events have their times",
        "sleep": "leave it out: inputs are read no faster than outputs accept; the filter throttle tags what is too"
        " much",
        "metrics": "`/metrics` counts events for Prometheus; `ingestd aggregate` computes rates of stored events",
        "aggregate": "aggregate in a query: `ingestd aggregate` or `ingestd sql`; the filter elapsed has the time"
        " between two events, the codec multiline joins the lines of one",
        "yaml": "let the sender write JSON",
        "language": _LOOKUP,
        "age": "compute it in a query",
        "elastic_integration": "ingest pipelines run in Elasticsearch: set pipeline of the output",
        "example": "",
        "java_filter_example": "",
        "math": "compute in a query, or let the sender",
        "java_uuid": "use the filter uuid",
    },
    "output": {
        "redis": _SEND,
        "csv": "use the output file with the codec csv",
        "loki": "use the output http with format => loki",
        "logstash": _SEARCH,
        "pipe": "use stdout, and pipe it into the program",
        "exec": "use stdout, and pipe it into the program",
        "email": "let Kibana, Grafana or Prometheus alert",
        "pagerduty": "let Kibana, Grafana or Prometheus alert",
        "nagios": "let Nagios ask /health, or query the store",
        "statsd": "let Prometheus read /metrics",
        "graphite": "let Prometheus read /metrics",
        **dict.fromkeys(("rabbitmq", "lumberjack", "gelf", "websocket", "stomp", "zeromq", "sns", "sqs"), _SEND),
        **dict.fromkeys(("webhdfs", "google_cloud_storage", "google_bigquery", "mongodb", "influxdb"), _SEARCH),
        **dict.fromkeys(("cloudwatch", "datadog", "datadog_metrics", "librato", "newrelic"), _SEARCH),
        **dict.fromkeys(("slack", "hipchat", "irc", "xmpp", "jira", "juggernaut", "solr_http", "riemann"), _SEARCH),
        **dict.fromkeys(
            ("metriccatcher", "ganglia", "opentsdb", "circonus", "boundary", "logentries", "loggly"), _SEARCH
        ),
        **dict.fromkeys(("rackspace", "neo4j", "timber", "zabbix", "nagios_nsca", "redmine", "sentry"), _SEARCH),
        **dict.fromkeys(("elastic_app_search", "elastic_workplace_search", "appsearch", "dynatrace", "jdbc"), _SEARCH),
        **dict.fromkeys(
            ("azure_loganalytics", "kinesis", "java_output_example", "example", "monasca_log_api"), _SEARCH
        ),
        "elasticsearch_http": "use the output elasticsearch",
        "elasticsearch_river": "use the output elasticsearch",
        "amazon_es": "use the output opensearch, and put a proxy that signs requests before the server",
    },
}


def is_known(kind: Kind, name: str) -> bool:
    """Return whether Logstash has a plugin of this name."""
    return name in _ADVICE[kind]


def advice(kind: Kind, name: str) -> str:
    """Return what to do instead of a known plugin; empty: nothing is known."""
    return _ADVICE[kind].get(name, "")
