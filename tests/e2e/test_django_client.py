"""ingestd-django in a real site: each request once, through restarts of the daemon and of the site."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

import pytest

from tests.e2e.client_site import ClientSite
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.gate import Gate
from tests.e2e.serving import uwsgi
from tests.e2e.site import Site
from tests.waiting import wait_until


def get(site: Site, first: int, last: int, path: str = "/search", topic: str = "서울") -> None:
    for number in range(first, last):
        assert site.get(f"{path}?q={quote_plus(f'{topic} {number}')}") == 200


def words(data_dir: Path, topic: str = "서울") -> Counter[str]:
    """Return how often each word of a topic was searched for, as the pipeline stored it."""
    found = ingestd(data_dir, "search", "--json", "--limit", "10000", "logger_name:ingestd_django.access")
    events = [json.loads(line) for line in found.splitlines()]
    for event in events:
        assert (event["method"], event["status_code"], event["visit"]) == ("GET", 200, True)
        assert event["client_ip"] == "127.0.0.1"
        assert event["tags"] == []
    return Counter(event["search_word"] for event in events if event["search_word"].startswith(topic))


def expected(count: int, topic: str = "서울") -> Counter[str]:
    return Counter([f"{topic} {number}" for number in range(count)])


def test_each_request_once(tmp_path: Path) -> None:
    port = free_port()
    gunicorn = ClientSite(tmp_path, port)
    away = gunicorn.check()
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    with Daemon(tmp_path, beats_port=str(port)) as daemon:
        with gunicorn.running() as site:
            get(site, 0, 40)
            daemon.stop()
            get(site, 40, 80)  # the daemon is away
            daemon.start()
            daemon.wait_until_ready()
            get(site, 80, 120)
            daemon.wait_for_metric("ingestd_delivered_events_total", 80)
            wait_until(lambda: len(words(daemon.data_dir)) >= 120, "what was logged while the daemon was away")
            daemon.stop()
            get(site, 120, 160)
        # The site has ended without a daemon: the next process of the site sends what it has left.
        daemon.start()
        daemon.wait_until_ready()
        checked = gunicorn.check("--url", daemon.url)
        assert checked.returncode == 0, checked.stderr
        assert "Records arrive. Loggers that send: root." in checked.stdout
        with gunicorn.running() as site:
            get(site, 160, 161)
            daemon.wait_for_metric("ingestd_delivered_events_total", 42)
            wait_until(lambda: len(words(daemon.data_dir)) >= 161, "what the site had left")
        assert words(daemon.data_dir) == expected(161)


@dataclass(frozen=True)
class Receiver:
    """A daemon that the sites of this file reach through a gate."""

    data_dir: Path
    gate: Gate

    @property
    def port(self) -> int:
        return urlsplit(self.gate.url).port or 0


@pytest.fixture(scope="module")
def shared_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    port, folder = free_port(), tmp_path_factory.mktemp("daemon")
    with Gate(f"http://127.0.0.1:{port}") as gate, Daemon(folder, beats_port=str(port)) as daemon:
        yield Receiver(daemon.data_dir, gate)


@pytest.fixture
def receiver(shared_receiver: Receiver) -> Iterator[Receiver]:
    """The daemon of this file, behind an open gate."""
    with shared_receiver.gate as gate:
        gate.open()
        yield shared_receiver


SERVERS = [  # server, whether it is installed, page, whether it is killed
    ("gevent_preload", importlib.util.find_spec("gevent"), "/search", False),
    ("uvicorn", importlib.util.find_spec("uvicorn"), "/search/async", False),
    ("uwsgi", uwsgi(), "/search", True),
]


@pytest.mark.parametrize(("server", "installed", "path", "killed"), SERVERS, ids=[server for server, *_ in SERVERS])
def test_each_request_once_under_other_servers(
    server: str, installed: object, path: str, killed: bool, receiver: Receiver, tmp_path: Path
) -> None:
    """The network to the daemon is cut, comes back, is cut again, and the site ends.

    uWSGI ends a worker that is busy without Python's ``atexit``: nothing is lost even if it is killed.
    """
    if not installed:
        pytest.skip("it is not installed: see the extra dev in pyproject.toml, and INGESTD_TEST_UWSGI for uWSGI")
    django, gate = ClientSite(tmp_path, receiver.port), receiver.gate

    def wait_for(count: int, what: str) -> None:
        wait_until(lambda: len(words(receiver.data_dir, f"{server} ")) >= count, what)

    with django.running(server, workers=2, killed=killed) as site:
        get(site, 0, 20, path, server)
        gate.shut()
        get(site, 20, 40, path, server)
        gate.open()
        wait_for(40, "what was logged while it was cut off")
        gate.shut()
        get(site, 40, 60, path, server)
    gate.open()
    with django.running(server, workers=1) as site:
        get(site, 60, 61, path, server)
        wait_for(61, "what the site had left")
    assert words(receiver.data_dir, f"{server} ") == expected(61, server)
