"""The settings of alerts: the table ``alerts``, and a table for each rule and each channel.

Each value is checked on its own here. `ingestd.alerts.config` checks what they mean together: it knows queries.
"""

# ruff: noqa: RUF009 -- setting() and named_tables() declare dataclass fields, as dataclasses.field() does

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd.settings.kinds import FILE, SECRET
from ingestd.settings.tables import named_tables, setting
from ingestd.suggest import settings_meant
from ingestd.units import COUNT, DURATION, PORT, TEXT, URL, YES_NO, Kind, choice

RULE_TYPES = ("count", "rate", "change", "metric", "new_problem", "silence")
CHANNEL_TYPES = ("webhook", "slack", "email", "command")

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The name of a rule or a channel: it is part of variables and labels."""


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # RFC 9110, section 5.5


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a number, found {value!r}")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"expected a number, found {value!r}") from None
    if number - number != 0:
        raise ValueError(f"expected a number, found {value!r}")
    return number


_PART = re.compile(r'(?:"[^"]*"|[^,])+')
"""What commas separate; a name before an e-mail address may have some in quotes."""


def _texts(value: Any) -> tuple[str, ...]:
    parts = [part.strip() for part in _PART.findall(value)] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"expected a list of texts, found {value!r}")
    return tuple(part for part in parts if part)


def _names(value: Any) -> tuple[str, ...]:
    if not (found := _texts(value)):
        raise ValueError("the list is empty: name at least one, or leave it out for all of them")
    return found


def _arguments(value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
    if not is_list or not value or not value[0].strip():
        raise ValueError('expected a program and its arguments, such as ["/usr/local/bin/page", "-q"]')
    if any("\0" in part for part in value):
        raise ValueError("no program can be given an argument with a NUL")
    return tuple(value)


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise ValueError('expected headers such as { Authorization = "Bearer ..." }')  # without them: may be secret
    if not all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text) for name, text in value.items()):
        raise ValueError("a header has a name without spaces, and a text in one line of Latin letters")
    return tuple(value.items())


NUMBER = Kind("number", _number, lambda value: "" if value is None else f"{value:g}")
TEXTS = Kind("list of texts", _texts, ", ".join)
NAMES = Kind("list of texts", _names, ", ".join)
ARGUMENTS = Kind("list of texts", _arguments, " ".join)
HEADERS = Kind("table of texts", _headers, lambda value: "***" if value else "")


@dataclass(frozen=True, slots=True)
class AlertRuleSettings:
    """A table ``alerts.rules.NAME``."""

    type: str = setting(
        "count",
        choice(*RULE_TYPES),
        "What is measured in each window: `count`: events; `rate`: events per second; `change`: the ratio of events to "
        "those in the window before; `metric`: a number such as a percentile; `new_problem`: problems that were never "
        "seen before; `silence`: fires when there is no event.",
        reload=True,
        also="kind measure",
    )
    query: str = setting(
        "",
        TEXT,
        "Which events; the language of the search box. Default: all.",
        reload=True,
        also="filter search where q expr expression condition",
    )
    window: float = setting(
        300.0,
        DURATION,
        "How much time each evaluation looks at.",
        reload=True,
        also="period interval for range timeframe within",
    )
    above: float | None = setting(
        None,
        NUMBER,
        "Fire when the value is greater than this.",
        reload=True,
        also="threshold limit bound max maximum over greater greater_than more_than gt",
    )
    below: float | None = setting(
        None,
        NUMBER,
        "Fire when the value is less than this.",
        reload=True,
        also="threshold limit bound min under less less_than fewer_than lt",
    )
    resolve: float | None = setting(
        None,
        NUMBER,
        "Resolve only once the value is at most this (`above`) or at least this (`below`). Default: the bound itself.",
        reload=True,
        also="recover recovery clear",
    )
    evaluations: int = setting(
        1,
        COUNT,
        "Evaluations in a row that must agree before the alert fires or resolves.",
        reload=True,
        also="consecutive times in_a_row",
    )
    metric: str = setting(
        "",
        TEXT,
        "For `metric`: what to compute, such as `p95:duration_ms` or `avg:duration_ms`.",
        reload=True,
        also="field aggregation value function",
    )
    minimum: int = setting(
        10,
        COUNT,
        "For `change`: fewest events, in the larger of both windows, that can fire.",
        reload=True,
        also="min_events at_least",
    )
    channels: tuple[str, ...] = setting(
        (),
        NAMES,
        "Names of the channels to notify. Default: all.",
        reload=True,
        also="notify receivers contacts actions to",
    )
    remind: float = setting(
        0.0,
        DURATION,
        "Notify again this often while the alert fires; 0: never.",
        reload=True,
        also="repeat repeat_interval renotify every reminder",
    )
    urgent: bool = setting(False, YES_NO, "Notify even in quiet hours.", reload=True, also="severity priority critical")


@dataclass(frozen=True, slots=True)
class AlertChannelSettings:
    """A table ``alerts.channels.NAME``."""

    type: str = setting(
        "webhook",
        choice(*CHANNEL_TYPES),
        "`webhook`: JSON over HTTP; `slack`: a webhook of Slack, Mattermost or another that is compatible; `email`: "
        "SMTP; `command`: a program that gets JSON on stdin.",
        reload=True,
        also="kind",
    )
    url: str = setting(
        "",
        SECRET,
        "URL of the webhook. It may contain a secret, so it is never shown.",
        reload=True,
        also="webhook webhook_url endpoint uri link address",
    )
    url_file: Path = setting(Path(), FILE, "File with the URL.", reload=True, also="webhook_file webhook_url_file")
    headers: tuple[tuple[str, str], ...] = setting(
        (), HEADERS, "Headers that a webhook is sent with.", reload=True, also="authorization auth http_headers"
    )
    secret: str = setting(
        "",
        SECRET,
        "Key of the signature of a webhook, HMAC-SHA256 in `X-Ingestd-Signature-256`.",
        reload=True,
        also="token key signature hmac signing_key",
    )
    secret_file: Path = setting(
        Path(), FILE, "File with the key of the signature.", reload=True, also="token_file key_file"
    )
    host: str = setting("", TEXT, "SMTP server.", reload=True, also="server smtp smtp_host smtp_server hostname")
    port: int = setting(
        0, PORT, "Port of the SMTP server. Default: 587, with `tls` 465, with `none` 25.", reload=True, also="smtp_port"
    )
    tls: str = setting(
        "starttls",
        choice("starttls", "tls", "none"),
        "Encryption of SMTP: `starttls`: required after connecting; `tls`: from the start.",
        reload=True,
        also="ssl starttls use_tls use_ssl encryption secure",
    )
    user: str = setting(
        "",
        TEXT,
        "User name at the SMTP server. Default: no login.",
        reload=True,
        also="username login smtp_user account",
    )
    password: str = setting(
        "", SECRET, "Password at the SMTP server.", reload=True, also="pass passwd pw smtp_password"
    )
    password_file: Path = setting(
        Path(), FILE, "File with the password.", reload=True, also="smtp_password_file passwd_file"
    )
    sender: str = setting(
        "", TEXT, "Address that e-mails come from.", reload=True, also="from from_email from_address mail_from"
    )
    recipients: tuple[str, ...] = setting(
        (),
        TEXTS,
        "Addresses that e-mails go to.",
        reload=True,
        also="to email emails addresses mail_to recipient receivers",
    )
    ca_file: Path = setting(
        Path(),
        FILE,
        "Certificates (PEM) to verify the server with. Default: the system's.",
        reload=True,
        also="ca cacert ca_cert cafile ca_bundle certificate",
    )
    command: tuple[str, ...] = setting(
        (),
        ARGUMENTS,
        "The program and its arguments; no shell is involved.",
        reload=True,
        also="program script exec run cmd argv",
    )
    timeout: float = setting(10.0, DURATION, "How long a notification may take.", reload=True)


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """The table ``alerts``."""

    interval: float = setting(
        60.0,
        DURATION,
        "How often the rules of alerts are evaluated.",
        reload=True,
        also="every frequency evaluate_every period",
    )
    lag: float = setting(
        10.0,
        DURATION,
        "How long events may take to arrive: each window ends this long before now.",
        reload=True,
        also="delay offset",
    )
    quiet_hours: str = setting(
        "",
        TEXT,
        "When nothing is sent, such as `22:00-07:00` in the time zone of the site; a summary is sent at its end.",
        reload=True,
        also="silence mute night quiet",
    )
    max_notifications: int = setting(
        10,
        COUNT,
        "Maximum number of notifications per channel within `alerts.per`; the others follow as a summary. 0: no limit.",
        reload=True,
        also="limit rate_limit max",
    )
    per: float = setting(600.0, DURATION, "The period that `alerts.max_notifications` applies to.", reload=True)
    page_url: str = setting(
        "",
        URL,
        "Address of the dashboard, for links in notifications.",
        reload=True,
        also="url base_url external_url dashboard link",
    )
    rules: Mapping[str, AlertRuleSettings] = named_tables(AlertRuleSettings)
    channels: Mapping[str, AlertChannelSettings] = named_tables(AlertChannelSettings)


class RuleValueError(ValueError):
    """A value of a rule is wrong: ``key`` is its setting, which the text names, too."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key


def parse_rule(raw: Mapping[str, Any]) -> AlertRuleSettings:
    """Return the rule that a table of texts and numbers describes, as the file would have it.

    Raises:
        ValueError: A key is unknown; the text is one sentence that names it.
        RuleValueError: A value is wrong.
    """
    known = {item.name: item for item in dataclasses.fields(AlertRuleSettings)}
    values = {}
    for key, value in raw.items():
        if key not in known:
            meant = settings_meant(key, {name: item.metadata["also"] for name, item in known.items()})
            hint = f"did you mean {' or '.join(meant)}?" if meant else f"known are {', '.join(known)}"
            raise ValueError(f"unknown key {key[:40]!r}: {hint}")
        try:
            values[key] = known[key].metadata["kind"].parse(value)
        except ValueError as error:
            raise RuleValueError(key, str(error)) from None
    return AlertRuleSettings(**values)


def rule_document(rule: AlertRuleSettings) -> dict[str, Any]:
    """Return what `parse_rule` takes: the values that differ from the defaults."""
    found = {}
    for item in dataclasses.fields(rule):
        value = getattr(rule, item.name)
        if value != item.default:
            kind = item.metadata["kind"]
            found[item.name] = kind.show(value) if kind in {DURATION, YES_NO} else value
    return found
