"""Access lines of web servers: a user's own config for those of gunicorn, and a log file in the combined format."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.events import ESCAPED_WORDS, SEARCH_SHARE, WORDS, make_lines

SEARCH = """
  if [%s] =~ /[?&]q=/ {
    grok { match => { "%s" => "[?&]q=(?<search_word>[^&]+)" } }
    urldecode { field => "search_word" plus_as_space => true }
  }
"""
"""Filters that decode the search word of a path; for the name of its field, twice."""


def search_word(path: str) -> dict[str, object]:
    """Return what `SEARCH` must find in a path."""
    return {"search_word": WORDS[path.split("?q=")[1].partition("&")[0]]} if "?q=" in path else {}


def access_line(number: int, chance: random.Random, tail: str = "") -> str:
    """Return a line in the common log format, with ``tail`` at its end."""
    time = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(milliseconds=3 * number)
    path = f"/items/{chance.randrange(10**6)}/"
    if chance.random() < SEARCH_SHARE:
        word = ESCAPED_WORDS[int(len(ESCAPED_WORDS) ** chance.random()) - 1]  # by Zipf's law
        path = f"/search?q={word}&page={chance.randrange(9)}"
    status = chance.choice([200] * 18 + [304, 500])
    request = f'"GET {path} HTTP/1.1" {status} {1 + chance.randrange(99999)}'
    return f"203.0.113.{number % 255} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] {request}{tail}"


def user_lines(count: int) -> list[bytes]:
    """Return records of which most have an access line of gunicorn."""
    chance = random.Random(2)
    records = [json.loads(line) for line in make_lines(count)]
    for number, record in enumerate(records):
        if record["logger_name"] == "django.server":
            record |= {"logger_name": "gunicorn.access", "message": access_line(number, chance)}
            del record["request"], record["status_code"], record["server_time"]
    return [json.dumps(record).encode() + b"\n" for record in records]


USER_FILTERS = """
  if [logger_name] == "gunicorn.access" {
    grok { match => { "message" => "%%{HTTPD_COMMONLOG}" } }
    date { match => ["timestamp", "dd/MMM/yyyy:HH:mm:ss Z"] }
    mutate {
      rename => { "verb" => "method" }
      convert => { "response" => "integer" "bytes" => "integer" }
      remove_field => ["timestamp", "ident", "auth", "httpversion"]
    }
    %s
    if [response] >= 500 { mutate { add_field => { "alert" => "%%{method} failed" } } }
  }
""" % (SEARCH % ("request", "request"))


def expected_user(line: bytes) -> dict[str, object]:
    """Return what `USER_FILTERS` must make of a line."""
    record = grokked(line)
    if record["logger_name"] != "gunicorn.access":
        return record
    for removed in ("timestamp", "ident", "auth", "httpversion"):
        del record[removed]
    record |= {"method": record.pop("verb"), "response": int(record["response"]), "bytes": int(record["bytes"])}
    if record["response"] >= 500:
        record["alert"] = "GET failed"
    return record | search_word(record["request"])


def grokked(line: bytes) -> dict[str, Any]:
    """Return a record after the filters grok and date."""
    record: dict[str, Any] = json.loads(line)
    return record | _parts(record["message"]) if record["logger_name"] == "gunicorn.access" else record


def _parts(text: str) -> dict[str, object]:
    """Return what HTTPD_COMMONLOG finds in a line, and the timestamp."""
    client, ident, auth, time, zone, verb, request, version, status, size = text.split(" ")[:10]
    stamp = datetime.strptime(f"{time} {zone}", "[%d/%b/%Y:%H:%M:%S %z]")
    return {
        "clientip": client,
        "ident": ident,
        "auth": auth,
        "timestamp": f"{time} {zone}"[1:-1],
        "@timestamp": f"{stamp:%Y-%m-%dT%H:%M:%S}.000Z",
        "verb": verb[1:],
        "request": request,
        "httpversion": version[5:-1],
        "response": status,
        "bytes": size,
    }


COMBINED_FILTERS = r"""
  grok { match => { "message" => "%{COMBINEDAPACHELOG}" } }
  date { match => ["timestamp", "dd/MMM/yyyy:HH:mm:ss Z"] remove_field => ["port"] }
"""
"""The port is the client's, and another one for each connection."""

_AGENT = ' "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"'


def combined_lines(count: int) -> list[bytes]:
    """Return access lines with referrer and user agent."""
    chance = random.Random(3)
    return [access_line(number, chance, _AGENT).encode() + b"\n" for number in range(count)]


def expected_combined(line: bytes) -> dict[str, object]:
    """Return what `COMBINED_FILTERS` must make of a line."""
    text = line.decode().removesuffix("\n")
    *_, referrer, _, agent, _ = text.split('"')
    added = {"@version": "1", "host": "127.0.0.1", "agent": f'"{agent}"'}
    return {"message": text, **added, "referrer": f'"{referrer}"', **_parts(text)}
