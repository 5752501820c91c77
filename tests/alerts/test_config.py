"""What may be wrong with the settings of alerts, and what they mean."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from ingestd.alerts.config import alerts_config
from ingestd.alerts.quiet_hours import QuietHours
from ingestd.settings import SettingsError, load_settings, parse_rule, reloaded, rule_document
from tests.alerts.site import CHANNEL, START, config_of

MAIL = '[alerts.channels.a]\ntype = "email"\nhost = "x"\nrecipients = {to}\nsender = "a@x"\n'
COMMAND = '[alerts.channels.a]\ntype = "command"\ncommand = [{}]'

MISTAKES = [  # id, settings, what the error says after the name of the file
    ("no_bound", "[alerts.rules.a]", ":1: error: alerts.rules.a.above: the bound is above or below; set one of them"),
    ("two_bounds", "[alerts.rules.a]\nbelow = 1\nabove = 2", ":3: error: alerts.rules.a.above: the bound is abo"),
    ("silence_has_none", '[alerts.rules.a]\ntype = "silence"\nabove = 2', ":3: error: alerts.rules.a.above: an "),
    ("resolve", "[alerts.rules.a]\nabove = 2\nresolve = 3", ":3: error: alerts.rules.a.resolve: 3 is greater t"),
    ("resolve_below", "[alerts.rules.a]\nbelow = 2\nresolve = 1", ":3: error: alerts.rules.a.resolve: 1 is less than"),
    ("metric", '[alerts.rules.a]\ntype = "metric"\nabove = 2', ":1: error: alerts.rules.a.metric: set what to compute"),
    (
        "no_metric",
        '[alerts.rules.a]\nmetric = "p95:x"\nabove = 2',
        ":2: error: alerts.rules.a.metric: a metric needs t",
    ),
    ("channel", f'{CHANNEL}[alerts.rules.a]\nabove = 2\nchannels = ["op"]', ":5: error: alerts.rules.a.channel"),
    ("window", '[alerts.rules.a]\nabove = 2\nwindow = "1ms"', ":3: error: alerts.rules.a.window: a window has "),
    ("long", '[alerts.rules.a]\nabove = 2\nwindow = "999999d"', ":3: error: alerts.rules.a.window: a window has "),
    ("lag", '[alerts]\nlag = "2d"', ":2: error: alerts.lag: events may take one day"),
    ("query", '[alerts.rules.a]\nabove = 2\nquery = "a:(b"', ":3: error: alerts.rules.a.query: this bracket is "),
    ("unknown", "[alerts.rules.a]\nabov = 2", ":2: error: unknown setting 'alerts.rules.a.abov'\n  help: did yo"),
    (
        "synonym",
        "[alerts.rules.a]\nthreshold = 2",
        ":2: error: unknown setting 'alerts.rules.a.threshold'\n"
        "  help: did you mean alerts.rules.a.above or alerts.rules.a.below?",
    ),
    (
        "interval",
        "[alerts.rules.a]\ninterval = 2",
        ":2: error: unknown setting 'alerts.rules.a.interval'\n"
        "  help: did you mean alerts.rules.a.window or alerts.interval?",
    ),
    (
        "every",
        "[alerts]\nevery = 2",
        ":2: error: unknown setting 'alerts.every'\n  help: did you mean alerts.interval?",
    ),
    (
        "webhook",
        "[alerts.channels.a]\nurl = 'http://a'\nwebhook = 'x'",
        ":3: error: unknown setting 'alerts.channels.a.webhook'\n  help: did you mean alerts.channels.a.url?",
    ),
    (
        "recipients",
        "[alerts.channels.a]\nurl = 'http://a'\nmail_too = 'x'",
        ":3: error: unknown setting 'alerts.channels.a.mail_too'\n  help: did you mean alerts.channels.a.recipients?",
    ),
    (
        "nothing_like_it",
        "[alerts]\nxyzzy = 1",
        ":2: error: unknown setting 'alerts.xyzzy'\n  help: known in [alerts] are interval, lag, quiet_h",
    ),
    (
        "device",
        "[alerts.channels.a]\nurl_file = '/dev/zero'",
        ":2: error: alerts.channels.a.url_file: /dev/zero cannot be read: it is not a regular file",
    ),
    ("no_ca", "[alerts.channels.a]\nurl = 'https://a'\nca_file = 'gone'", ":3: error: alerts.channels.a.ca_file: "),
    (
        "bad_ca",
        "[alerts.channels.a]\nurl = 'https://a'\nca_file = 'ingestd.toml'",
        ":3: error: alerts.channels.a.ca_file: ",
    ),
    ("name", '[alerts.rules."a b"]\nabove = 2', ":1: error: 'a b' is not a name: use letters, digits, _ and -,"),
    ("array", "[[alerts.rules]]\nabove = 2", ":1: error: expected a table [alerts.rules.NAME]"),
    (
        "table",
        "[alerts.rule.a]\nabove = 2",
        ":1: error: unknown setting 'alerts.rule'\n  help: did you mean [alerts.rules",
    ),
    ("top", "[alert.rules.a]\nabove = 2", ":1: error: unknown setting 'alert'\n  help: did you mean [alerts]?"),
    ("no_table", "[alerts.rules]\na = 2", ":2: error: expected a table [alerts.rules.NAME]"),
    ("kind", '[alerts.rules.a]\nabove = "x"', ":2: error: alerts.rules.a.above: expected a number, found 'x'"),
    ("quiet", '[alerts]\nquiet_hours = "22-7"', ":2: error: alerts.quiet_hours: expected hours such as 22:00-07"),
    ("interval", '[alerts]\ninterval = "0s"', ":2: error: alerts.interval: rules are evaluated at most every 100ms"),
    ("url", '[alerts.channels.a]\nurl = "ops.test"', ":2: error: alerts.channels.a.url: a webhook needs its UR"),
    ("host", '[alerts.channels.a]\nurl = "https://:80/x"', ":2: error: alerts.channels.a.url: the URL has no valid"),
    ("port", '[alerts.channels.a]\nurl = "https://a:b/x"', ":2: error: alerts.channels.a.url: the URL has no valid"),
    ("bracket", '[alerts.channels.a]\nurl = "https://[::1/x"', ":2: error: alerts.channels.a.url: the URL has no"),
    ("user", '[alerts.channels.a]\nurl = "https://a:b@c/x"', ":2: error: alerts.channels.a.url: a URL with a user"),
    ("space", '[alerts.channels.a]\nurl = "https://a/x y"', ":2: error: alerts.channels.a.url: the URL has a space"),
    ("hangul", '[alerts.channels.a]\nurl = "https://a/한"', ":2: error: alerts.channels.a.url: the URL has a space"),
    ("file", '[alerts.channels.a]\nurl_file = "gone"', ":2: error: alerts.channels.a.url_file: "),
    ("email", '[alerts.channels.a]\ntype = "email"', ":1: error: alerts.channels.a.host: an e-mail needs the SM"),
    (
        "sender",
        '[alerts.channels.a]\ntype = "email"\nhost = "x"\nsender = "a@x\\nBcc: b@x"\nrecipients = "b@x"',
        ":4: error: alerts.channels.a.sender: 'a@x\\nBcc: b@x' is not an e-mail address",
    ),
    ("two", MAIL.format(to='["a@x, b@y"]'), ":4: error: alerts.channels.a.recipients: 'a@x, b@y' has more than one a"),
    (
        "text",
        MAIL.format(to='"a@x b@y"'),
        ":4: error: alerts.channels.a.recipients: 'a@x b@y' is not an e-mail address",
    ),
    (
        "comma",
        MAIL.format(to='["Ops, Web <a@x>"]'),
        ":4: error: alerts.channels.a.recipients: 'Ops, Web <a@x>' is not an e-mail address: a name with a comma or ",
    ),
    (
        "senders",
        MAIL.format(to='"b@x"').replace('"a@x"', '"a@x, b@y"'),
        ":5: error: alerts.channels.a.sender: 'a@x, b@y' has more than one address",
    ),
    ("smtp_url", MAIL.format(to='"b@x"').replace('"x"', '"smtp://x:25"'), ":3: error: alerts.channels.a.host: 'smtp:"),
    ("smtp_port", MAIL.format(to='"b@x"').replace('"x"', '"x:25"'), ":3: error: alerts.channels.a.host: 'x:25' is not"),
    (
        "no_channel",
        f"{CHANNEL}[alerts.rules.a]\nabove = 2\nchannels = []",
        ":5: error: alerts.rules.a.channels: the list is empty: name at least one, or leave it out for all of them",
    ),
    ("per", '[alerts]\nper = "0s"', ":2: error: alerts.per: set at least 1s; max_notifications = 0 is no limit"),
    (
        "no_time",
        '[alerts.channels.a]\nurl = "http://a"\ntimeout = "0s"',
        ":3: error: alerts.channels.a.timeout: a notification may take from 100ms to 1h",
    ),
    (
        "nul",
        COMMAND.format('"a\\u0000"'),
        ":3: error: alerts.channels.a.command: no program can be given an argument w",
    ),
    ("no_program", COMMAND.format('"", "a"'), ":3: error: alerts.channels.a.command: expected a program and its argum"),
    (
        "nul_in_a_path",
        '[alerts.channels.a]\nurl = "https://a"\nca_file = "a\\u0000"',
        ":3: error: alerts.channels.a.ca_file: expected a path, found 'a\\x00', which has a NUL",
    ),
    (
        "plain",
        '[alerts.channels.a]\ntype = "email"\nhost = "x"\nsender = "a@x"\nrecipients = "b@x"\nuser = "u"\ntls = "none"',
        ":7: error: alerts.channels.a.tls: a password is sent with TLS only",
    ),
    ("command", '[alerts.channels.a]\ntype = "command"\ncommand = "a b"', ":3: error: alerts.channels.a.command"),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_mistakes(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        config_of(tmp_path, text)
    (problem,) = error.value.problems
    assert problem.removeprefix(str(tmp_path / "ingestd.toml")).startswith(expected)


@pytest.mark.parametrize("headers", ['{ "A b" = "hunter2" }', '{ A = "hunter2\\n" }', '{ A = "hunter2한" }'])
def test_headers_that_http_does_not_allow(headers: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r":3: error: alerts\.channels\.a\.headers: a header has a name") as error:
        config_of(tmp_path, f'[alerts.channels.a]\nurl = "https://a"\nheaders = {headers}')
    assert "hunter2" not in str(error.value)


def test_no_error_shows_a_secret(tmp_path: Path) -> None:
    text = '[alerts.channels.a]\nurl = "hunter2"\nheaders = "hunter2"\nsecret = ["hunter2"]\n'
    with pytest.raises(SettingsError) as error:
        config_of(tmp_path, text)
    assert "hunter2" not in str(error.value)


def test_secrets_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://ops.test/hook\n")
    file = tmp_path / "ingestd.toml"
    file.write_text('[alerts.channels.my-ops]\nurl_file = "url"\n')
    settings = load_settings(file, {"INGESTD_ALERTS_CHANNELS_MY_OPS_SECRET": "hunter2", "HOME": str(tmp_path)})
    channel = alerts_config(settings).channels["my-ops"]
    assert (channel.url, channel.secret) == ("https://ops.test/hook", "hunter2")
    assert "hunter2" not in repr(settings) + repr(channel)


def test_a_reload_takes_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "ingestd.toml"
    environ = {"HOME": str(tmp_path)}
    file.write_text("")
    before = load_settings(file, environ)
    file.write_text(f'[alerts]\ninterval = "5s"\n{CHANNEL}[alerts.rules.a]\nabove = 2\n')
    after, needs_restart = reloaded(before, load_settings(file, environ))
    assert needs_restart == []
    config = alerts_config(after)
    assert (config.interval_s, [*config.rules], [*config.channels]) == (5, ["a"], ["ops"])
    assert after.origins["alerts.rules.a"] == f"{file}:5"


def test_the_config_reaches_another_process(tmp_path: Path) -> None:
    config = config_of(
        tmp_path, f'index_timezone = "Asia/Seoul"\n{CHANNEL}[alerts.rules.a]\nquery = "a:b*"\nabove = 2\n'
    )
    assert pickle.loads(pickle.dumps(config)) == config
    assert dataclasses.replace(config) == config


def test_names_before_addresses_may_have_commas(tmp_path: Path) -> None:
    text = """'"Ops, Web" <ops@shop.test>, 김철수 <kim@shop.test>,root'"""
    found = config_of(tmp_path, MAIL.format(to=text)).channels["a"].recipients
    assert found == ('"Ops, Web" <ops@shop.test>', "김철수 <kim@shop.test>", "root")


RULES = [
    {"above": 3.0},
    {"type": "metric", "metric": "p95:duration_ms", "below": 1.5, "window": "90s", "urgent": "yes"},
    {"type": "silence", "channels": ["ops", "mail"], "remind": "4h", "query": 'a:"b c"'},
]


@pytest.mark.parametrize("raw", RULES)
def test_a_rule_of_the_page_is_what_was_written(raw: dict[str, object]) -> None:
    assert {
        key: [*value] if type(value) is tuple else value for key, value in rule_document(parse_rule(raw)).items()
    } == raw


@pytest.mark.parametrize(
    ("hours", "hour", "expected"),
    [
        ("22:00-07:00", 21.9, False),
        ("22:00-07:00", 22, True),
        ("22:00-07:00", 6.9, True),
        ("22:00-07:00", 7, False),
        ("9:30-12:00", 9.5, True),
        ("9:30-12:00", 12, False),
    ],
)
def test_quiet_hours(hours: str, hour: float, expected: bool, tmp_path: Path) -> None:
    found = QuietHours.parse(hours)
    assert found is not None
    zone = config_of(tmp_path, 'index_timezone = "Asia/Seoul"').zone
    assert found.include(START - 19 * 3600 + hour * 3600, zone) is expected, "START is 19:00 in Seoul"
