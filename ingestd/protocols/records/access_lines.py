r"""Access lines: the line of text that a web server writes about each request.

Each server has a form of its own, which its first characters identify; every expression is anchored and linear::

    "GET /p HTTP/1.1" 200 5316                                           Django's runserver
    HTTP GET /p 200 [0.01, 127.0.0.1:52122]                              channels' and daphne's runserver
    192.0.2.5 - - [28/Nov/2026:10:00:00 +0900] "GET /p HTTP/1.1" 200 5316 "referrer" "agent"
                         gunicorn, hypercorn, waitress (TransLogger), nginx, Apache, Traefik (common), werkzeug
    127.0.0.1:52122 - - [28/Nov/2026:10:00:00] "GET /p" 200 5316         daphne
    127.0.0.1:53498 - "GET /p HTTP/1.1" 200                              uvicorn, on a console after "INFO:     "
    [2026-11-28 10:00:00 +0900] 192.0.2.5 - "GET /p HTTP/1.1" 200 1.234  granian
    [pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] GET /p => generated
        2566 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)   uWSGI

With a header of syslog or of a container runtime before it, a line is still one. So is ``"GET /p HTTP/1.1" 200`` after
what a formatter writes before a message. It is not within a sentence or in JSON, which quote it, nor after a URL:
urllib3 writes ``https://api.example.com:443 "GET /p HTTP/1.1" 200 537`` about requests that go out.

Sources: the default formats in the sources of the servers, nginx's ``log_format``, Apache's mod_log_config.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ingestd.display import readable_backslashes
from ingestd.protocols.records.log_prefixes import header_end, is_log_prefix
from ingestd.protocols.records.raw_requests import encode_raw_paths, percent_escapes, readable_quotes, writes_escapes


class AccessDetails(NamedTuple):
    """What only some servers write; empty or None: not in the line.

    ``client`` may have a port, ``forwarded`` is a list as in ``X-Forwarded-For``, ``time`` has the server's form.
    """

    client: str = ""
    time: str = ""
    referrer: str = ""
    user_agent: str = ""
    forwarded: str = ""
    duration_ms: float | None = None


AccessLine = tuple[str, str, str, str, AccessDetails | None]
"""``(method, path, status, size, details)``: path with its query; size is digits, ``-`` or empty."""

_NO_LINE: AccessLine = ("", "", "", "", None)

_METHOD = "([A-Z][A-Z-]{1,30})"
_HTTP = "HTTP/[0-9.]+"
_PATH = "([!-~]+)"  # the slow way of paths with other characters: `_raw`
_STATUS = "([0-9]{3})"
_SIZE = "([0-9]++|-)"
_ESCAPED = r"""((?:[^"\\]|\\.)*+)"""
_TIME = r"\[([^\]\n]{10,40})\]"
_WORD = r"[^\W\d_]"
_END = (  # no sentence follows; reasons such as "Not Found" have capitals
    rf"(?![^\s\x1b]| (?![A-Z]){_WORD}{{1,40}}[,.;:]? {_WORD}"
    r"""| (?:[0-9]{1,20}|-)(?:[,;:!?'")\]}가-힣]|\.(?![0-9])))"""
)

_QUOTED_LINE = rf'"{_METHOD} {_PATH} {_HTTP}" {_STATUS} {_SIZE}{_END}(.*)'
_QUOTED = re.compile(_QUOTED_LINE).match
_QUOTED_LINES = re.compile(rf"^(?:{_QUOTED_LINE}|.*)", re.MULTILINE).findall
_COMMON = re.compile(
    rf"(?:\S+:[0-9]+ (?=\S+ \S+ \S+ \[))?"  # the virtual host
    rf'((?:[^\s,"]+, )*[^\s"]*) \S+ \S+ {_TIME} "(?:{_METHOD} {_PATH}(?: [^"\s]*)?" {_STATUS} {_SIZE}{_END}(.*))?'
).match
_AFTER_TIME = '] "'
"""Every line in the common log format has this; to look for it takes a fraction of the time of a match that fails."""
_UVICORN = re.compile(rf'(?:[A-Z]+: +)?(?=\S*[.:]| )(\S*) - "{_METHOD} {_PATH} {_HTTP}" {_STATUS}{_END}').match
_GRANIAN = re.compile(rf'{_TIME} (\S+) - "{_METHOD} {_PATH} [^"\s]*" {_STATUS}(?: ([0-9]{{1,12}}\.[0-9]+))?').match
_UWSGI = re.compile(
    rf"\[pid: [^\]]*\] (\S*) \([^)]*\) \{{[^}}]*\}} {_TIME} {_METHOD} {_PATH} => generated ([0-9]+) bytes "
    rf"in ([0-9]{{1,12}}) (msecs|micros) [^(]*\({_HTTP} {_STATUS}\)"
).match
_MEMORY_REPORT = re.compile(r"\{[^{}\"]{0,80}\} ")
_CHANNELS = re.compile(rf"HTTP {_METHOD} {_PATH} {_STATUS} \[([0-9]{{1,12}}\.[0-9]+), (\S*)\]{_END}").match
_BRACKETED_TIME = re.compile(rf'{_TIME} (?="|HTTP )').match
_ANYWHERE = re.compile(rf'"{_METHOD} {_PATH} {_HTTP}" {_STATUS}(?: {_SIZE}(?![^\s\x1b]))?+{_END}').search

_TAIL = re.compile(rf' "{_ESCAPED}" "{_ESCAPED}"(?: "{_ESCAPED}")?(.*)').match
_WITH_UNIT = re.compile(r"""(?:^|[ =:"])([0-9]{1,12}(?:\.[0-9]+)?) ?(ms|us|µs|s)"?(?!\S)""").search
_BARE = re.compile(r""" (?:[a-z_]{1,30}[=:])?"?([0-9]{1,12})(\.[0-9]+)?"?(?!\S)""").match
_MS = {"ms": 1.0, "us": 0.001, "µs": 0.001, "s": 1000.0, "msecs": 1.0, "micros": 0.001}

_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_LEADING_TIME = re.compile(
    r"\[?([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?)"
    r"(?: ?(Z|[+-][0-9]{2}:?[0-9]{2})(?![0-9:]))?"
).match
_NO_TEXT = ("-", "")


def parse_access_lines(texts: Sequence[Any]) -> list[AccessLine]:
    """Return the parts of the access line in each text, without a method (and all else) where it is none.

    Those of Django's runserver are found at once, which takes half the time.
    """
    if not texts:
        return []
    try:
        lines = _QUOTED_LINES("\n".join(texts))
    except TypeError:  # not all of them are texts
        lines = []
    if len(lines) != len(texts):  # some have several lines, of which the first counts
        firsts = [text.partition("\n")[0] if type(text) is str else "" for text in texts]
        lines = _QUOTED_LINES("\n".join(firsts))
    for number, line in enumerate(lines):
        if line[4] or not line[0]:
            text = texts[number]
            lines[number] = (type(text) is str and parse_access_line(text)) or _NO_LINE
    return lines


def parse_access_line(text: str) -> AccessLine | None:
    """Return the parts of an access line, None if ``text`` is not one. Takes time linear in its length."""
    first = text[:1]
    if first == '"':
        if match := _QUOTED(text):
            method, path, status, size, tail = match.groups()
            return method, path, status, size, _details(tail) if tail else None
    elif first == "H":
        if line := _channels(text, 0, "") or (None if text.isascii() else _raw(text)):
            return line
    elif first in _BRACKETS:
        return _bracketed(text)
    elif '"' not in text:
        return _bracketed(text) if "[pid: " in text else None
    elif _AFTER_TIME in text and (match := _COMMON(text)):
        return _common(match)
    elif match := _UVICORN(text):
        client, method, path, status = match.groups()
        return method, path, status, "", AccessDetails(_without_port(client))
    return _anywhere(text)


_BRACKETS = frozenset("[{\x1b")


def leading_time(text: str) -> str:
    """Return the time that a line of text starts with, in the form of ISO 8601, empty if there is none.

    That is the start of the lines of Python's logging (``%(asctime)s``) and of many servers.
    """
    match = _LEADING_TIME(text)
    return "" if match is None else match[1] + (match[2] or "")


def access_time(text: str) -> str:
    """Return the time of a line that is in the common log format but not about a valid request, else empty."""
    match = _COMMON(text) if _AFTER_TIME in text else None
    return "" if match is None else match[2]


def _bracketed(text: str) -> AccessLine | None:
    """Parse a line that starts with a bracket, a brace or a colour, or one of uWSGI."""
    if text[0] == "\x1b":
        plain = _COLOURS.sub("", text)
        return parse_access_line(plain) if plain[:1] != "\x1b" else None
    start = text.find("[pid: ", 0, 1000)
    if start > 0 and not is_log_prefix(_MEMORY_REPORT.sub("", text[header_end(text) : start])):
        return None
    if start >= 0 and (match := _UWSGI(text, start)):
        client, time, method, path, size, number, unit, status = match.groups()
        return method, path, status, size, AccessDetails(client, time, duration_ms=_milliseconds(number, unit))
    if start >= 0 and (line := _raw(text)):
        return line
    if match := _GRANIAN(text):
        time, client, method, path, status, number = match.groups()
        duration = None if number is None else float(number)
        return method, path, status, "", AccessDetails(client, time, duration_ms=duration)
    if match := _BRACKETED_TIME(text):
        if line := _channels(text, match.end(), match[1]):
            return line
        if quoted := _QUOTED(text, match.end()):
            method, path, status, size, tail = quoted.groups()
            return method, path, status, size, _details(tail, time=match[1])
    return _anywhere(text)


def _channels(text: str, start: int, time: str) -> AccessLine | None:
    match = _CHANNELS(text, start)
    if match is None:
        return None
    method, path, status, seconds, client = match.groups()
    return method, path, status, "", AccessDetails(_without_port(client), time, duration_ms=_milliseconds(seconds, "s"))


def _without_port(client: str) -> str:
    """Return the address of ``address:port``; IPv6 addresses have no brackets there."""
    return client.rpartition(":")[0] or client


def _common(match: re.Match[str]) -> AccessLine | None:
    client, time, method, path, status, size, tail = match.groups()
    if method is None:  # no valid request: TLS to a plain port, an attack
        return _raw(match.string)
    line = method, path, status, size, _details(tail, client, time)
    return line if "," not in client else (*line[:4], line[4]._replace(client="", forwarded=client))


def find_access_line(text: str) -> AccessLine | None:
    """Return the first access line in the text of an access log, whatever the user's format puts before it."""
    match = _ANYWHERE(text) if " HTTP/" in text else None
    return None if match is None else _found(match)


def _anywhere(text: str) -> AccessLine | None:
    """Parse an access line after a header, or after the prefix of a formatter."""
    if (start := header_end(text)) and not header_end(text[start:]):
        return parse_access_line(text[start:])
    if " HTTP/" not in text:
        return None
    if (match := _ANYWHERE(text)) is None:
        return _raw(text)
    return _found(match) if is_log_prefix(text[: match.start()]) else None


def _found(match: re.Match[str]) -> AccessLine:
    method, path, status, size = match.groups()
    return method, path, status, size or "", None


def _raw(text: str) -> AccessLine | None:
    """Parse a line whose path has bytes that the client should have percent-encoded: as if it had."""
    encoded = readable_quotes(text)
    encoded = encoded if encoded.isascii() else encode_raw_paths(encoded)
    return None if encoded == text else parse_access_line(encoded)


def unescaped(text: str, line: AccessLine) -> AccessLine:
    r"""Return a line that is not from Python's logging with nginx's and Apache's escapes as percent escapes.

    A backslash in the line of another server is one that the client sent.
    """
    method, path, status, size, details = line
    if not writes_escapes(text):
        return line
    if details is not None:
        agent, referrer = readable_backslashes(details.user_agent), percent_escapes(details.referrer)
        details = details._replace(user_agent=agent, referrer=referrer)
    return method, percent_escapes(path), status, size, details


def _details(tail: str, client: str = "", time: str = "") -> AccessDetails:
    """Parse what follows the size: referrer, user agent, ``X-Forwarded-For`` and the time taken, if they are there."""
    referrer = agent = forwarded = None
    if match := _TAIL(tail):
        referrer, agent, forwarded, tail = match.groups()
    return AccessDetails(client, time, _text(referrer), _text(agent), _text(forwarded), _duration(tail))


def _text(value: str | None) -> str:
    return "" if value is None or value in _NO_TEXT else value


def _duration(tail: str) -> float | None:
    """Return the milliseconds that a request took: ``12ms``, seconds with a fraction, or whole microseconds."""
    if not tail:
        return None
    if match := _WITH_UNIT(tail):
        return _milliseconds(match[1], match[2])
    if match := _BARE(tail):
        return _milliseconds(match[1] + match[2], "s") if match[2] else _milliseconds(match[1], "us")
    return None


def _milliseconds(number: str, unit: str) -> float:
    return round(float(number) * _MS[unit], 3)
