"""The Production page: a Django site under real servers, with the recipes as they are written there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestd.recipes import recipe
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.serving import served
from tests.processes import family, open_files
from tests.waiting import wait_until

TARGET = "/search?q=%EC%84%9C%EC%9A%B8+%EB%A7%9B%EC%A7%91"


def messages(daemon: Daemon) -> list[str]:
    """Return the messages of all stored events."""
    return [json.loads(line)["message"] for line in ingestd(daemon.data_dir, "search", "--json").splitlines()]


def search_words(daemon: Daemon) -> dict[str, int]:
    """Return how often each word was searched for."""
    return {top["value"]: top["count"] for top in json.loads(ingestd(daemon.data_dir, "top", "search_word", "--json"))}


@pytest.mark.parametrize("server", ["runserver", "gunicorn", "uvicorn"])
def test_access_lines_arrive_once(tmp_path: Path, server: str) -> None:
    with Daemon(tmp_path) as daemon, served(tmp_path, server, daemon.port) as site:
        for _ in range(3):
            assert site.get(TARGET) == 200
        daemon.wait_for_delivery(3)
        assert site.get("/order") == 200  # and what its view logs, through the root logger
        daemon.wait_for_delivery(5)
    logged = messages(daemon)
    assert sum("/search?q=" in message for message in logged) == 3
    assert sum("주문 완료" in message for message in logged) == 1
    assert search_words(daemon) == {"서울 맛집": 3}


def _watches(pid: int) -> bool:
    """Return whether a process watches files: tail does so once it has found their ends."""
    return any("inotify" in file for file in open_files(pid))


@contextmanager
def following(access_log: Path, port: int) -> Iterator[None]:
    """Run the command of the systemd unit for a file of access lines."""
    unit = recipe("nginx", "127.0.0.1", port).snippets[-1].text
    command = unit.partition("ExecStart=/bin/bash -c '")[2].partition("'\n")[0]
    command = command.replace("/var/log/nginx/access.log", str(access_log))
    process = subprocess.Popen(["/bin/bash", "-c", command])
    try:
        wait_until(lambda: any(map(_watches, family(process.pid))), "tail to watch the file from its end")
        yield
    finally:
        process.terminate()
        process.wait()


def test_a_file_of_access_lines(tmp_path: Path) -> None:
    access_log = tmp_path / "access.log"
    access_log.write_text("")
    line = f'1.2.3.4 - - [22/Nov/2026:10:11:12 +0000] "GET {TARGET} HTTP/1.1" 200 5 "-" "curl"\n'
    with Daemon(tmp_path) as daemon, following(access_log, daemon.port):
        for number in range(2):
            with access_log.open("a") as file:
                file.write(line)
            daemon.wait_for_delivery(number + 1)
        access_log.rename(tmp_path / "access.log.1")  # as logrotate does
        access_log.write_text(line)
        daemon.wait_for_delivery(3)
    assert len(messages(daemon)) == 3
    assert search_words(daemon) == {"서울 맛집": 3}


def test_daphne_writes_a_file(tmp_path: Path) -> None:
    access_log = tmp_path / "access.log"
    access_log.write_text("")
    with (
        Daemon(tmp_path) as daemon,
        following(access_log, daemon.port),
        served(tmp_path, "daphne", daemon.port, access_log=access_log) as site,
    ):
        assert site.get(TARGET) == 200
        daemon.wait_for_delivery(1)
    assert any("/search?q=" in message for message in messages(daemon))
    assert search_words(daemon) == {"서울 맛집": 1}
