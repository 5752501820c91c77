"""Alerts of a real daemon to real receivers: each fires once and resolves once, through a kill between the two."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestd.alerts.channels import ChannelError, RecipientsError, send
from ingestd.alerts.config import AlertChannel
from ingestd.alerts.state import AlertChange, Notification
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.query import Query
from tests.e2e.daemon import Daemon, command, environment
from tests.e2e.gate import Gate
from tests.e2e.receivers import PASSWORD, USER, Receivers
from tests.e2e.servers import SearchServer
from tests.plugins.inputs.authority import Authority
from tests.waiting import wait_until

# The window is long, so that it does not matter how busy the machine is: the value rises above the bound and falls.
_RULE = """
[alerts.rules.slow]
type = "metric"
metric = "p95:duration_ms"
window = "{window}"
above = 500
"""
_GENERAL = '[alerts]\ninterval = "200ms"\nlag = "0s"\n'
_CHANNELS = ("hook", "chat", "mail", "program")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Receivers]:
    with Receivers(tmp_path_factory.mktemp("receivers"), authority) as found:
        yield found


def events(number: int, duration_ms: int) -> list[dict[str, object]]:
    time = datetime.datetime.now(datetime.UTC).isoformat()
    return [{"@timestamp": time, "message": "GET /", "duration_ms": duration_ms} for _ in range(number)]


def state(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((daemon.data_dir / "alerts.json").read_text())
    return found


def evaluated(daemon: Daemon) -> float:
    """Return when the alerts were evaluated last."""
    found: float = state(daemon)["evaluated"]
    return found


def all_say(receivers: Receivers, *states: str) -> None:
    wait_until(lambda: receivers.states() == {name: [*states] for name in _CHANNELS}, f"all channels to say {states}")


def test_each_channel_fires_once_and_resolves_once(authority: Authority, tmp_path: Path) -> None:
    with Receivers(tmp_path, authority) as receivers:
        _fire_and_resolve(receivers, tmp_path)


def _fire_and_resolve(receivers: Receivers, tmp_path: Path) -> None:
    file = tmp_path / "ingestd.toml"
    file.write_text(_GENERAL + _RULE.format(window="1h") + receivers.settings())
    settings = {"alerts_channels_mail_password": PASSWORD, "workers": "1"}
    with Daemon(tmp_path, "--settings", str(file), **settings) as daemon:
        daemon.send(events(1, 1000))
        all_say(receivers, "firing")
        wait_until(lambda: daemon.metric("ingestd_alert_firing", alert="slow") == 1, "the metric")
        wait_until(lambda: not state(daemon)["outbox"], "it to be saved")
        daemon.kill_with_children()
        daemon.start()
        daemon.wait_until_ready()
        daemon.send(events(99, 1))
        all_say(receivers, "firing", "resolved")
        wait_until(lambda: daemon.metric("ingestd_alert_firing", alert="slow") == 0, "the metric")
        _check_content(receivers)
        wait_until(lambda: state(daemon)["rules"]["slow"]["value"] == 1, "all events to be evaluated")
        _check_commands(daemon, file)
        _check_reload_and_health(daemon, receivers, file)
        seen = evaluated(daemon)
        wait_until(lambda: evaluated(daemon) > seen + 1, "some more evaluations")
        assert receivers.states() == {name: ["firing", "resolved"] for name in _CHANNELS} | {
            "hook": ["firing", "resolved", "test", "firing"]
        }


def _check_content(receivers: Receivers) -> None:
    firing, resolved = receivers.posted("/hook")
    assert (firing["alert"], firing["value"]) == ("slow", 1000)
    assert firing["title"] == "[FIRING] slow: p95:duration_ms is 1000 in 1h, more than 500"
    assert firing["id"] != resolved["id"]
    _, headers, body = next(request for request in receivers.requests if request[0] == "/hook")
    assert headers["Authorization"] == "Bearer token"
    assert headers["Idempotency-Key"] == firing["id"]
    signature = hmac.new(b"secret-of-hook", body, hashlib.sha256).hexdigest()
    assert headers["X-Ingestd-Signature-256"] == f"sha256={signature}"
    assert receivers.posted("/chat")[0]["text"].startswith(
        "[FIRING] slow: p95:duration_ms is 1000 in 1h, more than 500"
    )
    mail = receivers.mails[0]
    assert (mail["From"], mail["X-Recipients"]) == ("ingestd@example.org", "ops@example.org, web@example.org")
    assert mail["Subject"] == firing["title"]
    assert receivers.logins == [(USER, PASSWORD)] * 2
    assert [body["id"] for body in receivers.ran()] != [firing["id"], resolved["id"]], "each channel has its own"


def _check_commands(daemon: Daemon, file: Path) -> None:
    environ = environment(daemon.data_dir)
    listed = command(environ, "alerts", "--settings", str(file), "--json")
    (alert,) = json.loads(listed.stdout)["alerts"]
    assert (alert["alert"], alert["state"], alert["value"]) == ("slow", "ok", 1)
    history = command(environ, "alerts", "--settings", str(file), "history", "--json")
    assert [change["state"] for change in json.loads(history.stdout)] == ["resolved", "firing"]
    test = command(environ, "alerts", "--settings", str(file), "test", "hook")
    assert (test.exit_code, test.stdout) == (0, "the test was accepted by hook\n")
    for password, reason in (("", "there is a user and no password"), ("wrong", "127.0.0.1 refused the login: 535")):
        with_password = environ | {"INGESTD_ALERTS_CHANNELS_MAIL_PASSWORD": password}
        failed = command(with_password, "alerts", "--settings", str(file), "test", "mail")
        assert failed.exit_code == 1
        assert f"the test was not accepted by 1 of 1 channels: mail: {reason}" in failed.stderr


def _check_reload_and_health(daemon: Daemon, receivers: Receivers, file: Path) -> None:
    """A reload takes another rule; while its channel fails, /health says so."""
    receivers.status = 500
    rule = '[alerts.rules.any]\nwindow = "1h"\nabove = 0\nchannels = ["hook"]\n'
    file.write_text(f"{file.read_text()}{rule}")
    daemon.process.send_signal(signal.SIGHUP)
    text = "alerts: the channel hook has failed"
    wait_until(lambda: text in daemon.get("/health"), "/health to name the channel that fails")
    assert json.loads(daemon.get("/health"))["degraded"]
    receivers.status = 200
    wait_until(lambda: receivers.states()["hook"][-1] == "firing", "the notification to be sent again")
    wait_until(lambda: text not in daemon.get("/health"), "/health to be good again")


CHANGE = AlertChange("slow", "firing", 1_795_082_400.0, 1_795_082_100.0, 12.0, "12 events in 5m, more than 10")
NOTIFICATION = Notification("id1", "firing", 1_795_082_400.0, (CHANGE,))


def channel(receivers: Receivers, authority: Authority, **fields: Any) -> AlertChannel:
    kind = fields.pop("type", "email")
    if kind == "email":
        tls = fields.get("tls", "starttls")
        usual = {
            "host": "127.0.0.1",
            "port": receivers.smtps_port if tls == "tls" else receivers.smtp_port,
            "sender": "ingestd@example.org",
            "recipients": ("ops@example.org", "gone@example.org"),
            "ca_file": str(authority.folder / "ca.crt"),
        } | ({"user": USER, "password": PASSWORD} if tls != "tls" else {})
        fields = usual | fields
    return AlertChannel("ops", kind, **fields)


def test_mails_with_tls_from_the_start(receivers: Receivers, authority: Authority) -> None:
    before = len(receivers.mails)
    send(channel(receivers, authority, tls="tls"), NOTIFICATION, None)
    mail = receivers.mails[before]
    assert mail["Message-ID"] == "<id1@example.org>"
    assert mail["Subject"] == "[FIRING] slow: 12 events in 5m, more than 10"


@contextmanager
def refusing(receivers: Receivers, answer: str = "550 no such user") -> Iterator[None]:
    """Let the SMTP servers refuse one of the recipients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receivers, "refused", {"gone@example.org"})
        patch.setattr(receivers, "refusal", answer)
        yield


def sh(script: str) -> dict[str, Any]:
    return {"type": "command", "command": ("/bin/sh", "-c", script)}


FAILURES: dict[str, tuple[dict[str, Any], str]] = {  # channel, what the error says
    "wrong_certificate": ({"ca_file": ""}, "cannot be used: .*CERTIFICATE_VERIFY_FAILED"),
    "wrong_certificate_tls": ({"tls": "tls", "ca_file": ""}, "cannot be used: .*CERTIFICATE_VERIFY_FAILED"),
    "no_starttls": ({"tls": "none", "user": "", "password": ""}, "530"),
    "recipients": ({"recipients": ("gone@example.org",)}, r"127.0.0.1 refused gone@example.org \(550 no such user\)"),
    "no_server": ({"port": 1}, "127.0.0.1:1 cannot be used: Connection refused"),
    "webhook_refused": (
        {"type": "webhook", "url": "http://127.0.0.1:1/secret"},
        "^127.0.0.1 cannot be reached: Connec",
    ),
    "no_host": ({"type": "slack", "url": "http://host.invalid/secret"}, "^host.invalid cannot be reached: "),
    "no_program": ({"type": "command", "command": ("/nothing",)}, "^/nothing cannot be started: No such file"),
    "exit_code": (sh("cat >/dev/null; echo no pager >&2; exit 3"), "^/bin/sh failed with 3: no pager$"),
    "hangs": (sh("sleep 1000 & sleep 1000") | {"timeout_s": 0.2}, "^/bin/sh did not end within 0.2 s$"),
}


@pytest.mark.parametrize(("fields", "text"), FAILURES.values(), ids=FAILURES)
def test_channels_that_fail(fields: dict[str, Any], text: str, receivers: Receivers, authority: Authority) -> None:
    before = len(receivers.mails)
    with refusing(receivers), pytest.raises(ChannelError, match=text) as error:
        send(channel(receivers, authority, **fields), NOTIFICATION, None)
    assert "secret" not in str(error.value)
    assert len(receivers.mails) == before


REFUSALS = [  # answer to one of two recipients, who got the mail, whether the other may be tried again
    ("550 no such user", ("ops@example.org",), False),
    ("450 try later", ("ops@example.org",), True),
    ("421 closing", (), True),  # and hangs up: nobody got it
]


@pytest.mark.parametrize(("refusal", "taken", "again"), REFUSALS, ids=[row[0][:3] for row in REFUSALS])
def test_some_recipients_are_refused(
    refusal: str, taken: tuple[str, ...], again: bool, receivers: Receivers, authority: Authority
) -> None:
    to, before = channel(receivers, authority, tls="tls"), len(receivers.mails)
    with refusing(receivers, refusal), pytest.raises(RecipientsError, match=r"127\.0\.0\.1 refused ") as error:
        send(to, NOTIFICATION, None)
    missed = ("gone@example.org",) if taken else to.recipients
    assert (error.value.taken, error.value.refused) == (taken, dict.fromkeys(missed, refusal))
    assert error.value.again == missed * again
    send(to, NOTIFICATION, None, "", taken)
    got = [mail["X-Recipients"] for mail in receivers.mails[before:]]
    both = "ops@example.org, gone@example.org"
    assert got == (["ops@example.org", "gone@example.org"] if taken else [both]), "each has got it once"
    assert len({mail["Message-ID"] for mail in receivers.mails[before:]}) == 1


SERVERS = pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3", "opensearch-3.8.0"], indirect=True)


@SERVERS
def test_on_a_server(clean_search_server: SearchServer, receivers: Receivers, tmp_path: Path) -> None:
    """Once each, through a kill; while the server is away nothing fires or resolves, and /health says so."""
    server, path = clean_search_server, f"/{clean_search_server.flavour}"
    file = tmp_path / "ingestd.toml"
    hook = f'[alerts.channels.hook]\nurl = "{receivers.url}{path}"\n'
    any_event = '[alerts.rules.any]\nwindow = "1h"\nabove = 0\n'
    file.write_text(_GENERAL + hook)

    def told() -> list[tuple[str, str]]:
        server.call("POST", "/logstash-*/_refresh")
        return [(body["alert"], body["state"]) for body in receivers.posted(path)]

    with Gate(server.url) as gate:
        gate.open()
        with Daemon(tmp_path, "--settings", str(file), "--elasticsearch", gate.url, workers="1") as daemon:
            daemon.send(events(1, 1000))
            daemon.wait_for_delivery(1)
            # Only now: while the index is made, an evaluation may fail, and then nothing resolves for minutes.
            file.write_text(_GENERAL + _RULE.format(window="1h") + any_event + hook)
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: sorted(told()) == [("any", "firing"), ("slow", "firing")], "both to fire")
            wait_until(lambda: not state(daemon)["outbox"], "the state")
            daemon.kill_with_children()
            daemon.start()
            daemon.wait_until_ready()
            daemon.send(events(99, 1))
            wait_until(lambda: told()[2:] == [("slow", "resolved")], "one to resolve")
            gate.shut()
            unknown = "cannot be evaluated, their state is unknown"
            wait_until(lambda: unknown in daemon.get("/health"), "/health to say that the server is away")
            assert daemon.metric("ingestd_alert_firing", alert="any") == 1
            gate.open()
            wait_until(lambda: unknown not in daemon.get("/health"), "/health to be good again")
            seen = evaluated(daemon)
            wait_until(lambda: evaluated(daemon) > seen + 1, "some more evaluations")
            assert told()[2:] == [("slow", "resolved")]
    _check_a_count_without_a_shard(server)


def _check_a_count_without_a_shard(server: SearchServer) -> None:
    """A server counts without the shards that it lacks, and says so: no reason for an alert of silence."""
    nowhere = {"index.routing.allocation.require._name": "nowhere", "number_of_replicas": 0}
    server.call("PUT", "/logstash-2001.01.01?wait_for_active_shards=0", {"settings": nowhere})
    opened = ElasticStore(ElasticOptions(hosts=(server.url,)), "logstash-*")
    with closing(opened) as store, pytest.raises(StoreError, match=r"only \d+ of \d+ shards have answered"):
        store.count(Query(None, None))


@pytest.mark.parametrize("status", [302, 404, 500])
def test_answers_that_are_no_success(status: int, receivers: Receivers, authority: Authority) -> None:
    receivers.status = status
    try:
        with pytest.raises(ChannelError, match=f"^127.0.0.1 answered with status {status}: status {status} <of the"):
            send(channel(receivers, authority, type="webhook", url=f"{receivers.url}/secret"), NOTIFICATION, None)
    finally:
        receivers.status = 200
    assert receivers.posted("/elsewhere") == [], "redirects are not followed: the request may hold secrets"


def test_texts_cannot_form_markup_of_slack(receivers: Receivers, authority: Authority) -> None:
    change = msgspec.structs.replace(CHANGE, query="a:<!channel> & b", problems=(("id", "<b> & c"),))
    to = channel(receivers, authority, type="slack", url=f"{receivers.url}/markup")
    send(to, msgspec.structs.replace(NOTIFICATION, changes=(change,)), None, "https://logs.example.org")
    (body,) = receivers.posted("/markup")
    assert "Query: a:&lt;!channel&gt; &amp; b\n- &lt;b&gt; &amp; c\n" in body["text"]


def test_a_program_gets_no_settings_and_may_leave_its_input_unread(receivers: Receivers, authority: Authority) -> None:
    script = 'test -z "$INGESTD_HTTP_PASSWORD" && test -n "$PATH"'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INGESTD_HTTP_PASSWORD", "secret-of-page")
        send(channel(receivers, authority, **sh(script)), NOTIFICATION, None)
