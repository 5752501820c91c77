from collections.abc import Mapping

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.plugins.registry import BuildContext
from ingestd.settings import load_settings
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.web.auth.access import AccessError
from ingestd.web.dashboard_config import DashboardConfig, PipelineInfo, PluginInfo, make_dashboard_config


def dashboard_config(output: str, settings: Mapping[str, str] | None = None) -> DashboardConfig:
    loaded = load_settings(environ={f"INGESTD_{name.upper()}": value for name, value in (settings or {}).items()})
    config = parse(f"input {{ tcp {{ port => 5959 }} }} output {{ {output} }}", "-e", {})
    return make_dashboard_config(
        loaded, {"main": compile_pipeline(config, BuildContext(settings=loaded))}, {"main": config}
    )


ELASTIC = """elasticsearch { hosts => ["https://a:9200", "https://b:9200"] user => "u" password => "secret"
             ssl_verification_mode => "none" index => "%{service}-%{+YYYY.MM.dd}" }"""
CASES: list[tuple[str, str, dict[str, str], str, str]] = [  # id, output, settings, store that is shown, indices
    ("built_in", "store { }", {}, "local", "logstash-*"),
    ("output", ELASTIC, {}, "elasticsearch https://a:9200, https://b:9200", "*-*"),
    (
        "opensearch",
        ELASTIC.replace("elasticsearch", "opensearch"),
        {},
        "elasticsearch https://a:9200, https://b:9200",
        "*-*",
    ),
    ("both_outputs", ELASTIC + "store { }", {}, "local", "logstash-*"),
    ("setting_wins", "store { }", {"store": "http://u:secret@c:9200"}, "elasticsearch http://c:9200", "logstash-*"),
    ("indices", "store { }", {"store": "http://c:9200/?index=app-*"}, "elasticsearch http://c:9200", "app-*"),
    ("setting_local", ELASTIC, {"store": "local"}, "local", "logstash-*"),
    ("neither", "stdout { }", {"elasticsearch": "http://d:9201"}, "elasticsearch http://d:9201", "logstash-*"),
    ("nothing", "stdout { }", {}, "local", "logstash-*"),
]


def test_the_login_of_an_output_opensearch() -> None:
    found = dashboard_config('opensearch { auth_type => { type => "basic" user => "kim" password => "secret" } }')
    assert found.server is not None
    assert (found.server.user, found.server.password) == ("kim", "secret")


@pytest.mark.parametrize(("output", "settings", "store", "indices"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_store(output: str, settings: dict[str, str], store: str, indices: str) -> None:
    found = dashboard_config(output, settings)
    assert (found.shown_store, found.indices) == (store, indices)
    assert "secret" not in found.shown_store


def test_an_invalid_store_is_reported_without_its_secrets() -> None:
    with pytest.raises(AccessError, match=r"store: a store's URL has no option 'pasword'") as caught:
        dashboard_config("store { }", {"store": "http://c:9200/?pasword=secret"})
    assert "secret" not in str(caught.value)


def test_the_connection_is_that_of_the_output() -> None:
    hosts = ("https://a:9200", "https://b:9200")
    server = ElasticOptions(hosts=hosts, user="u", password="secret", ssl_verification_mode="none", timeout=60)
    assert dashboard_config(ELASTIC).server == server


RULES: list[tuple[str, str, dict[str, str], bool]] = [  # id, output, settings, whether the daemon deletes what is shown
    ("built_in", "store { }", {}, True),
    ("off", "store { }", {"schedule_cron": "off"}, False),
    ("setting", "stdout { }", {"elasticsearch": "http://d:9200"}, True),
    ("server_of_the_output", ELASTIC, {}, False),
]


@pytest.mark.parametrize(("output", "settings", "ours"), [c[1:] for c in RULES], ids=[c[0] for c in RULES])
def test_rules(output: str, settings: dict[str, str], ours: bool) -> None:
    assert (dashboard_config(output, settings).retention is not None) == ours


def test_flows() -> None:
    inputs = (PluginInfo("tcp_0", "tcp", "0.0.0.0", 5959),)
    assert dashboard_config("store { id => 'disk' }").pipelines == (
        PipelineInfo("main", inputs, (PluginInfo("disk", "store"),)),
    )


def test_the_site_has_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dashboard_config("store { }", {"index_timezone": "Asia/Seoul"}).site_zone == "Asia/Seoul"
    monkeypatch.setenv("TZ", "America/New_York")
    assert dashboard_config("store { }").site_zone == "America/New_York"
