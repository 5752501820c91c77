"""What the daemon needs to know about alerts: from the settings, and the rules made in the dashboard."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingestd.alerts.quiet_hours import QuietHours
from ingestd.files import read_bounded, read_failure, read_secret
from ingestd.settings import AlertChannelSettings, Settings, SettingsError, parse_rule
from ingestd.stores.open import INDICES

if TYPE_CHECKING:
    from ingestd.alerts.rules import Rule
    from ingestd.alerts.state import PageRules
    from ingestd.stores.elastic.connection.options import ElasticOptions

_MAX_LAG_S = 86_400
_LEAST_TIMEOUT_S, _MAX_TIMEOUT_S = 0.1, 3600
_SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HOST = re.compile(r"[^\s/:@\x00-\x1f]+|[0-9A-Fa-f:.]+(%\w+)?")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")
_MAX_CA_BYTES = 10_000_000
_SECRETS = ("url", "secret", "password")


@dataclass(frozen=True, slots=True)
class AlertChannel:
    """Where notifications go; the fields are those of `AlertChannelSettings`, with secrets read from their files."""

    name: str
    type: str
    url: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secret: str = field(default="", repr=False)
    host: str = ""
    port: int = 0
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    recipients: tuple[str, ...] = ()
    ca_file: str = ""
    command: tuple[str, ...] = ()
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """Rules and channels, and the store that rules are evaluated on.

    Attributes:
        rules: Those of the settings, by name.
        channels: By name.
        interval_s: Seconds between evaluations.
        lag_s: Seconds that events may take to arrive.
        quiet_hours: When only urgent alerts are sent.
        zone: Of the quiet hours; None: the machine's.
        max_notifications: Maximum number of notifications of a channel in ``per_s`` seconds; 0: no limit.
        page_url: Address of the dashboard, empty if it is not known.
        data_dir: The data folder.
        server: The Elasticsearch or OpenSearch to query; None: the built-in store.
        indices: The indices to query there.
        query_timeout_s: Seconds that a query may take.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    channels: Mapping[str, AlertChannel] = field(default_factory=dict)
    interval_s: float = 60.0
    lag_s: float = 10.0
    quiet_hours: QuietHours | None = None
    zone: datetime.tzinfo | None = None
    max_notifications: int = 10
    per_s: float = 600.0
    page_url: str = ""
    data_dir: Path = Path()
    server: ElasticOptions | None = None
    indices: str = INDICES
    query_timeout_s: float = 30.0


def alerts_config(settings: Settings, server: ElasticOptions | None = None, indices: str = INDICES) -> AlertsConfig:
    """Return the alerts of the settings. Reads the files of secrets.

    Raises:
        SettingsError: A rule or a channel is wrong; it has every error with its place in the file.
    """
    found, problems = settings.alerts, list[str]()
    channels = {name: _channel(settings, name, problems) for name in found.channels}
    rules = _rules(settings, channels, problems) if found.rules else {}
    try:
        quiet_hours = QuietHours.parse(found.quiet_hours)
    except ValueError as error:
        quiet_hours = None
        problems.append(_problem(settings, "alerts", "quiet_hours", str(error)))
    if found.max_notifications and found.per < 1:
        problems.append(_problem(settings, "alerts", "per", "set at least 1s; max_notifications = 0 is no limit"))
    if found.interval < 0.1:
        problems.append(_problem(settings, "alerts", "interval", "rules are evaluated at most every 100ms"))
    if found.lag > _MAX_LAG_S:
        problems.append(_problem(settings, "alerts", "lag", "events may take one day to arrive at most"))
    if problems:
        raise SettingsError(problems)
    return AlertsConfig(
        rules=rules,
        channels=channels,
        interval_s=found.interval,
        lag_s=found.lag,
        quiet_hours=quiet_hours,
        zone=settings.site_zone,
        max_notifications=found.max_notifications,
        per_s=found.per,
        page_url=found.page_url,
        data_dir=settings.data_dir,
        server=server,
        indices=indices,
        query_timeout_s=settings.query_timeout,
    )


def page_rules(found: PageRules, config: AlertsConfig) -> Iterator[tuple[str, Rule | str]]:
    """Yield the rules that the page has made by name; a text instead of one says why it cannot be used."""
    from ingestd.alerts.rules import make_rule  # noqa: PLC0415 -- the supervisor does not need it

    for name, raw in found.rules.items():
        if name in config.rules:
            yield name, "the settings file has a rule of this name, which takes precedence"
            continue
        try:
            yield name, make_rule(name, parse_rule(raw), config.channels, "page")
        except ValueError as error:
            yield name, str(error)


def _rules(settings: Settings, channels: Mapping[str, AlertChannel], problems: list[str]) -> dict[str, Rule]:
    from ingestd.alerts.rules import RuleError, make_rule  # noqa: PLC0415 -- most daemons have no rule

    rules: dict[str, Rule] = {}
    for name, raw in settings.alerts.rules.items():
        try:
            rules[name] = make_rule(name, raw, channels)
        except RuleError as error:
            problems.append(_problem(settings, f"alerts.rules.{name}", error.key, str(error)))
    return rules


def _problem(settings: Settings, table: str, key: str, text: str) -> str:
    origin = settings.origins.get(f"{table}.{key}", "default")
    if origin == "default":
        origin = settings.origins.get(table, "alerts")
    return f"{origin}: error: {table}.{key}: {text}"


def _channel(settings: Settings, name: str, problems: list[str]) -> AlertChannel:
    raw, table = settings.alerts.channels[name], f"alerts.channels.{name}"
    secrets = {}
    for key in _SECRETS:
        try:
            secrets[key] = _secret(raw, key)
        except ValueError as error:
            problems.append(_problem(settings, table, f"{key}_file", str(error)))
            secrets[key] = "?"  # it is not missing, too
    if text := _ca_problem(raw.ca_file):
        problems.append(_problem(settings, table, "ca_file", text))
    if missing := _missing(raw, secrets):
        key, text = missing
        problems.append(_problem(settings, table, key, text))
    if not _LEAST_TIMEOUT_S <= raw.timeout <= _MAX_TIMEOUT_S:
        problems.append(_problem(settings, table, "timeout", "a notification may take from 100ms to 1h"))
    return AlertChannel(
        name=name,
        type=raw.type,
        headers=raw.headers,
        host=raw.host,
        port=raw.port or _SMTP_PORTS[raw.tls],
        tls=raw.tls,
        user=raw.user,
        sender=raw.sender,
        recipients=raw.recipients,
        ca_file="" if raw.ca_file == Path() else str(raw.ca_file),
        command=raw.command,
        timeout_s=raw.timeout,
        **secrets,
    )


def _secret(raw: AlertChannelSettings, key: str) -> str:
    """Return a secret, or the content of its file. Raises ValueError, which quotes neither."""
    text: str = getattr(raw, key)
    file: Path = getattr(raw, f"{key}_file")
    if file == Path():
        return text
    if text:
        raise ValueError(f"{key} and {key}_file are both set: choose one")
    return read_secret(file)


def _ca_problem(file: Path) -> str:
    """Return why a file of certificates cannot be used, empty if it can."""
    if file == Path():
        return ""
    try:
        content = read_bounded(file, _MAX_CA_BYTES)
    except OSError as error:
        return f"{file} cannot be read: {read_failure(error, file)}"
    return "" if b"-----BEGIN " in content else f"{file} has no certificate: it should be in PEM form"


def _missing(raw: AlertChannelSettings, secrets: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the setting that a channel lacks, and what to write."""
    if raw.type == "command":
        return None if raw.command else ("command", 'name the program: command = ["/usr/local/bin/page"]')
    if raw.type == "email":
        return _email_mistake(raw)
    url = secrets["url"]
    if url != "?" and (text := _url_mistake(url)):
        return "url", text
    return None


def _email_mistake(raw: AlertChannelSettings) -> tuple[str, str] | None:
    from ingestd.alerts.addresses import address_mistake  # noqa: PLC0415 -- most daemons send no e-mail

    needed = {"host": "the SMTP server", "sender": "the address that e-mails come from"}
    for key, what in needed.items():
        if not getattr(raw, key):
            return key, f"an e-mail needs {what}"
    if not _HOST.fullmatch(raw.host):
        return "host", f"{raw.host!r} is not a host: write its name alone, such as smtp.example.org, and port = 587"
    if not raw.recipients:
        return "recipients", "an e-mail needs the addresses that it goes to"
    for key, address in [("sender", raw.sender), *(("recipients", address) for address in raw.recipients)]:
        if text := address_mistake(address):
            return key, text
    if raw.user and raw.tls == "none":
        return "tls", "a password is sent with TLS only: use starttls or tls"
    return None


def _url_mistake(url: str) -> str:
    """Return what is wrong with the URL of a webhook, empty if nothing is; it is not quoted, as it may be secret."""
    if not url.startswith(("http://", "https://")):
        return "a webhook needs its URL, which starts with https:// or http://"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        return "the URL has no valid host and port, such as https://example.org:8443/hook"
    if parts.username is not None:
        return 'a URL with a user and password is not supported: set headers = { Authorization = "Basic ..." }'
    if _NOT_IN_URLS.search(url) or not f"{parts.path}{parts.query}".isascii():
        return "the URL has a space, a control character or a letter that is not ASCII: percent-encode it, as %20"
    return ""


class ChannelError(Exception):
    """A notification was not taken; the text is one sentence without secrets."""


class RecipientsError(ChannelError):
    """Some recipients of a notification were refused, or all of them.

    Attributes:
        taken: Those that got it.
        refused: Why each of the others was refused.
        again: Those of them that may be tried again: the refusal is for now.
    """

    def __init__(self, text: str, taken: tuple[str, ...], refused: Mapping[str, str], again: tuple[str, ...]) -> None:
        super().__init__(text)
        self.taken, self.refused, self.again = taken, dict(refused), again
