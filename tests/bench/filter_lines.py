"""Lines and configs of three common pipelines: user agents, a firewall's pairs over syslog, conditions with mutate."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

from tests.bench.access_lines import COMBINED_FILTERS, access_line, expected_combined

AGENT_FILTERS = COMBINED_FILTERS + ' useragent { source => "agent" target => "user_agent" }\n'

_WINDOWS, _MAC = "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7"
_BROWSERS = [  # name, user agent with the major version, the rest of the version
    ("Firefox", "Mozilla/5.0 ({system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0", ".0"),
    ("Chrome", "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36", ""),
]
_SYSTEMS = [  # as in the user agent, and the fields: the device and those of the operating system
    (_WINDOWS, {"device": "Other", "os": "Windows", "os_major": "10"}),
    (_MAC, {"device": "Mac", "os": "Mac OS X", "os_major": "10", "os_minor": "15", "os_patch": "7"}),
    ("X11; Linux x86_64", {"device": "Other", "os": "Linux"}),
]


def _agents() -> dict[str, dict[str, str]]:
    """Return 300 user agents, each with its fields."""
    found = {}
    for name, text, minor in _BROWSERS:
        for system, fields in _SYSTEMS:
            for major in range(90, 140):
                agent = text.format(system=system, major=major)
                numbers = ["0"] if minor else ["0", "0", "0"]
                found[agent] = _browser(name, major, numbers) | _system(fields)
    return found


def _browser(name: str, major: int, numbers: list[str]) -> dict[str, str]:
    version = ".".join([str(major), *numbers])
    parts = dict(zip(("minor", "patch"), numbers, strict=False))
    return {"name": name, "major": str(major), "version": version, **parts}


def _system(fields: dict[str, str]) -> dict[str, str]:
    version = ".".join(fields[part] for part in ("os_major", "os_minor", "os_patch") if part in fields)
    full = {"os_version": version, "os_full": f"{fields['os']} {version}"} if version else {"os_full": fields["os"]}
    return {**fields, "os_name": fields["os"], **full}


_AGENTS = _agents()


def agent_lines(count: int) -> list[bytes]:
    """Return access lines with 300 user agents, by Zipf's law."""
    chance, agents = random.Random(4), [*_AGENTS]
    random.Random(5).shuffle(agents)
    lines = []
    for number in range(count):
        agent = agents[int(len(agents) ** chance.random()) - 1]
        lines.append(access_line(number, chance, f' "-" "{agent}"').encode() + b"\n")
    return lines


def expected_agent(line: bytes) -> dict[str, object]:
    """Return what `AGENT_FILTERS` must make of a line."""
    fields = expected_combined(line)
    return fields | {"user_agent": _AGENTS[str(fields["agent"]).strip('"')]}


_SYSLOG = (
    "<%{NONNEGINT:syslog_pri}>%{TIMESTAMP_ISO8601:timestamp} %{SYSLOGHOST:logsource} %{SYSLOGPROG}: "
    "%{GREEDYDATA:message}"
)
SYSLOG_FILTERS = f"""
  grok {{ match => {{ "message" => "{_SYSLOG}" }} overwrite => ["message"] }}
  syslog_pri {{ }}
  date {{ match => ["timestamp", "ISO8601"] remove_field => ["timestamp", "port"] }}
  kv {{ }}
"""


def syslog_lines(count: int) -> list[bytes]:
    """Return messages of a firewall, each with 14 pairs."""
    chance = random.Random(6)
    return [_syslog_line(number, chance) for number in range(count)]


def pairs_lines(count: int) -> list[bytes]:
    """Return records with the pairs as their messages."""
    records = [expected_syslog(line) for line in syslog_lines(count)]
    kept = ("@timestamp", "@version", "message")
    return [json.dumps({name: record[name] for name in kept}).encode() + b"\n" for record in records]


def _syslog_line(number: int, chance: random.Random) -> bytes:
    time = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(milliseconds=3 * number)
    source = f"203.0.113.{number % 255}"
    return (
        f"<{chance.choice((4, 6, 134))}>{time:%Y-%m-%dT%H:%M:%SZ} fw{number % 7} kernel[{1000 + number % 9}]: "
        f"[UFW BLOCK] IN=eth0 OUT=eth1 MAC=52:54:00:12:34:56 SRC={source} DST=198.51.100.7 LEN={40 + number % 1400} "
        f"TOS=0x00 PREC=0x00 TTL={chance.randrange(30, 255)} ID={number % 65536} PROTO=TCP "
        f"SPT={chance.randrange(1024, 65536)} DPT={chance.choice((22, 23, 443, 3389))} WINDOW=1024 SYN URGP=0\n"
    ).encode()


_SYSLOG_LABELS = {
    "4": (0, "kernel", 4, "warning"),
    "6": (0, "kernel", 6, "informational"),
    "134": (16, "local0", 6, "informational"),
}


def expected_syslog(line: bytes) -> dict[str, object]:
    """Return what `SYSLOG_FILTERS` must make of a line."""
    head, _, message = line.decode().removesuffix("\n").partition("]: ")
    priority, _, rest = head.removeprefix("<").partition(">")
    time, source, program = rest.split(" ")
    facility_code, facility, severity_code, severity = _SYSLOG_LABELS[priority]
    name, _, pid = program.partition("[")
    pairs = dict(word.split("=") for word in message.split(" ") if "=" in word)
    return {
        "@timestamp": f"{time[:-1]}.000Z",
        "@version": "1",
        "host": "127.0.0.1",
        "message": message,
        "logsource": source,
        "program": name,
        "pid": pid,
        "syslog_pri": priority,
        "syslog_facility_code": facility_code,
        "syslog_facility": facility,
        "syslog_severity_code": severity_code,
        "syslog_severity": severity,
        **{key: value for key, value in pairs.items() if value},
    }


CONDITION_FILTERS = r"""
  if [logger_name] == "django.server" {
    mutate { add_field => { "source" => "web" } }
  } else if [logger_name] == "django.request" {
    mutate { replace => { "type" => "request" } }
  }
  if [level] == "ERROR" or [level] == "CRITICAL" { mutate { add_tag => ["alert"] } }
  if [status_code] >= 400 { mutate { add_tag => ["failed"] } }
  if [message] =~ /^"GET / { mutate { add_field => { "method" => "GET" } } }
  if [level] in ["INFO", "DEBUG"] { mutate { lowercase => ["level"] } }
  if [stack_trace] { mutate { rename => { "stack_trace" => "[error][stack_trace]" } } }
  if [host] in ["web-1", "web-2"] { mutate { add_field => { "rack" => "a" } } }
  if [path] =~ "django" { mutate { remove_field => ["path"] } }
  if "alert" in [tags] { mutate { add_field => { "note" => "%{level} of %{logger_name}" } } }
"""


def expected_conditions(line: bytes) -> dict[str, object]:
    """Return what `CONDITION_FILTERS` must make of a record."""
    record = json.loads(line)
    logger, level = record["logger_name"], record["level"]
    record |= {"django.server": {"source": "web"}, "django.request": {"type": "request"}}.get(logger, {})
    record["tags"] = ["alert"] * (level == "ERROR") + ["failed"] * (record["status_code"] >= 400)
    if level == "ERROR":
        record["note"] = f"{level} of {logger}"
    if record["message"].startswith('"GET '):
        record["method"] = "GET"
    if level == "INFO":
        record["level"] = "info"
    if "stack_trace" in record:
        record["error"] = {"stack_trace": record.pop("stack_trace")}
    if record["host"] in ("web-1", "web-2"):
        record["rack"] = "a"
    if "django" in record["path"]:
        del record["path"]
    return dict(record)
