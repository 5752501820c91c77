import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from ingestd.logs import Logger, goes_to_journal
from ingestd.supervisor.logs import JsonFormatter, RateLimitedHandler, TextFormatter, get_logger, set_up_logging

NOON = 1795348800.123  # 2026-11-22T12:00:00.123Z


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("ingestd")
    before = root.handlers[:], root.level, ours.level
    root.handlers = []
    yield
    logging.captureWarnings(False)
    root.handlers, level, ours_level = before
    root.setLevel(level)
    ours.setLevel(ours_level)


def record(sentence: str, created: float = NOON, name: str = "ingestd.test", **fields: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": name, "levelno": 20, "levelname": "INFO", "msg": sentence, "created": created, "fields": fields}
    )


CASES = [  # id, fields, what follows the sentence
    ("none", {}, ""),
    ("bare", {"input": "tcp", "port": 5959}, " input=tcp port=5959"),
    ("address", {"url": "http://[::1]:9200/_bulk"}, " url=http://[::1]:9200/_bulk"),
    ("blank", {"reason": "not found"}, ' reason="not found"'),
    ("empty", {"reason": ""}, ' reason=""'),
    ("forged", {"reason": 'x\n2026 ERROR "y"=1'}, r' reason="x\n2026 ERROR \"y\"=1"'),
    ("equals", {"reason": "a=b"}, ' reason="a=b"'),
    ("korean", {"word": "서울"}, " word=서울"),
    ("escape", {"word": "\x1b[31m"}, r' word="\u001b[31m"'),
]


@pytest.mark.parametrize(("fields", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_text(fields: dict[str, Any], expected: str) -> None:
    line = TextFormatter().format(record("listening 100%", **fields))
    assert line == "2026-11-22T12:00:00.123Z INFO listening 100%" + expected


def test_text_of_a_library_names_it_and_stays_one_line() -> None:
    line = TextFormatter().format(record("a\nb", name="asyncio"))
    assert line == "2026-11-22T12:00:00.123Z INFO a\\nb logger=asyncio"


def test_json_keeps_types_and_its_own_keys() -> None:
    line = JsonFormatter().format(record("listening", port=5959, level="high", at=NOON, what={1}))
    assert json.loads(line) == {
        "time": "2026-11-22T12:00:00.123Z",
        "level": "INFO",
        "message": "listening",
        "logger": "ingestd.test",
        "port": 5959,
        "level_": "high",
        "at": NOON,
        "what": "{1}",
    }


def lines(handler: RateLimitedHandler) -> list[str]:
    assert isinstance(handler.stream, io.StringIO)
    return handler.stream.getvalue().splitlines()


@pytest.fixture
def handler() -> RateLimitedHandler:
    handler = RateLimitedHandler(io.StringIO(), burst=2, interval=60)
    handler.setFormatter(logging.Formatter("%(message)s %(fields)s"))
    return handler


def test_a_sentence_that_repeats_is_counted(handler: RateLimitedHandler) -> None:
    for number in range(5):
        handler.emit(record("cannot connect", NOON + number, n=number))
    handler.emit(record("something else", NOON + 5))
    handler.emit(record("cannot connect", NOON + 61, n=9))
    assert lines(handler) == [
        "cannot connect {'n': 0}",
        "cannot connect {'n': 1}",
        "something else {}",
        "cannot connect {'n': 4, 'suppressed': 3}",
        "cannot connect {'n': 9}",
    ]


def test_notes_of_a_start_are_all_written(handler: RateLimitedHandler) -> None:
    logger = logging.getLogger("tests.notes")
    logger.propagate, logger.handlers = False, [handler]
    for number in range(5):
        Logger(logger).note("a setting has no effect", setting=number)
        Logger(logger).warning("a setting has no effect", setting=number)
    written = handler.stream.getvalue()  # type: ignore[attr-defined]
    assert written.count("a setting has no effect") == 5 + 2


def test_closing_reports_what_was_suppressed(handler: RateLimitedHandler) -> None:
    for _ in range(3):
        handler.emit(record("cannot connect"))
    handler.close()
    assert lines(handler)[-1] == "cannot connect {'suppressed': 1}"


def test_sentences_with_data_in_them_do_not_fill_the_memory(handler: RateLimitedHandler) -> None:
    for number in range(3000):
        handler.emit(record(f"connection {number}"))
    assert len(lines(handler)) == 1000 + 2


def test_messages_are_counted_by_level(handler: RateLimitedHandler) -> None:
    before = metrics.LOG_MESSAGES.value("info")
    for _ in range(3):
        handler.emit(record("cannot connect"))
    assert metrics.LOG_MESSAGES.value("info") == before + 3


def test_set_up_text() -> None:
    stream = io.StringIO()
    set_up_logging("text", "warning", stream)
    log = get_logger("ingestd.test")
    log.info("not shown")
    log.warning("shown", percent="5%")
    logging.getLogger("other").info("not shown")
    try:
        raise OSError("boom")
    except OSError:
        log.exception("it failed")
    first, second, *rest = stream.getvalue().splitlines()
    assert first.endswith("Z WARNING shown percent=5%")
    assert second.endswith("Z ERROR it failed")
    assert (rest[0], rest[-1]) == ("Traceback (most recent call last):", "OSError: boom")


def test_set_up_json() -> None:
    stream = io.StringIO()
    set_up_logging("json", "debug", stream)
    get_logger("ingestd.test").debug("deep down", n=1)
    assert json.loads(stream.getvalue())["n"] == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_journal_of_systemd_gets_priorities(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has one, as the journal makes an entry of each."""
    file = tmp_path / "journal"
    with file.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        set_up_logging(form, "debug", stream)
        log = get_logger("ingestd.test")
        log.debug("a")
        log.info("b")
        log.warning("c")
        try:
            raise OSError("boom")
        except OSError:
            log.exception("d")
    debug, info, warning, *error = file.read_text().splitlines()
    assert [line[:3] for line in (debug, info, warning)] == ["<7>", "<6>", "<4>"]
    assert {line[:3] for line in error} == {"<3>"}
    assert len(error) == (1 if form == "json" else 5)


def test_other_stream_than_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is inherited by processes whose stderr goes to a file."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "log").open("w") as stream:
        assert not goes_to_journal(stream)
    assert not goes_to_journal(io.StringIO())
