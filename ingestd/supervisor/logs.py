"""Formats the daemon's log as text or JSON lines on stderr, and limits the rate of each message."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from ingestd import metrics
from ingestd.event.timestamp import from_datetime
from ingestd.logs import Logger, get_logger, goes_to_journal, with_priority

__all__ = ["JsonFormatter", "Logger", "RateLimitedHandler", "TextFormatter", "get_logger", "set_up_logging"]

_BARE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@+,*%[]()<>{}#~")

_MAX_MESSAGES = 1000
"""Different messages counted in one interval: a library that formats data into its messages must not fill memory."""


def set_up_logging(form: str = "text", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all log messages to ``stream`` (stderr), replacing any earlier setup.

    Args:
        form: ``text`` or ``json``.
        level: The minimum level of ingestd's own messages. For libraries it is WARNING.
    """
    stream = stream or sys.stderr
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    handler = RateLimitedHandler(stream)
    handler.setFormatter(PriorityFormatter(formatter) if goes_to_journal(stream) else formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("ingestd").setLevel(level.upper())
    logging.captureWarnings(True)


class PriorityFormatter(logging.Formatter):
    """What another formatter returns, with priorities for systemd's journal."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """Return the message with its priority."""
        return with_priority(record.levelno, self._formatter.format(record))


class TextFormatter(logging.Formatter):
    """``2026-11-22T10:00:00.123Z INFO listening for events input=tcp port=5959``; then the traceback, if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message as one line."""
        words = [_time(record), record.levelname, _one_line(record.getMessage())]
        words += (f"{key}={_quoted(value)}" for key, value in _fields(record).items())
        if not record.name.startswith("ingestd"):
            words.append(f"logger={record.name}")
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``message``, ``logger``, then the fields of the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message as one line."""
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        for key, value in _fields(record).items():
            document[f"{key}_" if key in document else key] = value
        return json.dumps(document, default=str)


class RateLimitedHandler(logging.StreamHandler[TextIO]):
    """Writes the first ``burst`` records of each message in ``interval`` seconds, then counts the rest.

    With the next record after the interval, or when the log is closed, one more line with ``suppressed=`` says how
    many were left out. So an error that occurs a thousand times a second cannot fill the disk. Notes of a start
    (``Logger.note``) are not counted.
    """

    def __init__(self, stream: TextIO, burst: int = 10, interval: float = 60.0) -> None:
        super().__init__(stream)
        self._burst, self._interval = burst, interval
        self._windows: dict[tuple[str, int, str], _Window] = {}
        self._next_sweep = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        metrics.LOG_MESSAGES.add(1, record.levelname.lower())
        if not getattr(record, "limited", True):
            super().emit(record)
            return
        if record.created >= self._next_sweep:
            self._sweep(record.created)
        message = str(record.msg) if len(self._windows) < _MAX_MESSAGES else ""
        key = (record.name, record.levelno, message)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(record.created + self._interval)
        window.seen += 1
        window.last = record
        if window.seen <= self._burst:
            super().emit(record)

    def close(self) -> None:
        """Report what was suppressed."""
        self._sweep(float("inf"))
        super().close()

    def _sweep(self, now: float) -> None:
        """End the intervals that are over, and report what was suppressed in them."""
        for key, window in list(self._windows.items()):
            if window.end <= now:
                del self._windows[key]
                if window.seen > self._burst and window.last is not None:
                    super().emit(_summary(window.last, window.seen - self._burst))
        self._next_sweep = min((window.end for window in self._windows.values()), default=now + self._interval)


class _Window:
    """The records of one message in the current interval. ``last``: the latest one."""

    __slots__ = ("end", "last", "seen")

    def __init__(self, end: float) -> None:
        self.end, self.seen = end, 0
        self.last: logging.LogRecord | None = None


def _summary(last: logging.LogRecord, suppressed: int) -> logging.LogRecord:
    record = logging.makeLogRecord({**last.__dict__, "exc_info": None, "exc_text": None})
    record.fields = {**_fields(last), "suppressed": suppressed}
    return record


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _time(record: logging.LogRecord) -> str:
    return from_datetime(datetime.fromtimestamp(record.created, UTC))


def _one_line(text: str) -> str:
    """Return ``text`` without line ends and terminal controls, since libraries may put data into it."""
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1]


def _quoted(value: Any) -> str:
    """Return ``value`` quoted if it has spaces, quotes or line ends, so that the next key is unambiguous."""
    text = value if isinstance(value, str) else str(value)
    plain = text and all(char in _BARE or (char > "\x7f" and char.isprintable()) for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
