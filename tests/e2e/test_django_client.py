"""ingestd-django in a real site under gunicorn: each request once, through restarts of the daemon and of the site."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_plus

from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.site import MANAGE, Site
from tests.waiting import WAIT_SECONDS, wait_until

CLIENT = Path(__file__).parents[2] / "clients" / "django"

SETTINGS = """
from shop.settings import *

INSTALLED_APPS = ["ingestd_django"]
MIDDLEWARE = ["ingestd_django.AccessLog"]
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{
        "ingestd": {{
            "class": "ingestd_django.IngestdHandler", "port": {port}, "message_type": "django", "spool_dir": {spool!r},
        }},
    }},
    "root": {{"handlers": ["ingestd"], "level": "INFO"}},
}}
"""


class GunicornSite:
    """A site with four workers that were forked from one that had logged already."""

    def __init__(self, folder: Path, daemon_port: int) -> None:
        self._folder = folder
        (folder / "client_settings.py").write_text(SETTINGS.format(port=daemon_port, spool=str(folder / "spool")))
        (folder / "client_wsgi.py").write_text(
            "import logging\nimport django.core.wsgi as wsgi\napplication = wsgi.get_wsgi_application()\n"
            "logging.getLogger('shop').info('loaded')\n"
        )
        self.environ = os.environ | {
            "DJANGO_SETTINGS_MODULE": "client_settings",
            "PYTHONPATH": f"{folder}:{MANAGE.parent}:{CLIENT}",
        }

    @contextmanager
    def running(self) -> Iterator[Site]:
        port = free_port()
        gunicorn = str(Path(sys.executable).parent / "gunicorn")
        command = [gunicorn, "--preload", "--workers", "4", "--bind", f"127.0.0.1:{port}", "client_wsgi"]
        with (self._folder / "site.log").open("ab") as output:
            process = subprocess.Popen(command, env=self.environ, stdout=output, stderr=output, cwd=self._folder)
        site = Site(port)
        try:
            wait_until(lambda: process.poll() is not None or site.is_listening(), "gunicorn to start")
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "django", "ingestd_check", "--no-color", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )


def get(site: Site, first: int, last: int) -> None:
    for number in range(first, last):
        assert site.get(f"/search?q={quote_plus(f'서울 {number}')}") == 200


def words(daemon: Daemon) -> Counter[str]:
    """Return how often each word was searched for, as the pipeline stored it."""
    found = ingestd(daemon.data_dir, "search", "--json", "--limit", "10000", "logger_name:ingestd_django.access")
    events = [json.loads(line) for line in found.splitlines()]
    for event in events:
        assert (event["method"], event["status_code"], event["visit"]) == ("GET", 200, True)
        assert event["client_ip"] == "127.0.0.1"
        assert event["tags"] == []
    return Counter(event["search_word"] for event in events)


def test_each_request_once(tmp_path: Path) -> None:
    port = free_port()
    gunicorn = GunicornSite(tmp_path, port)
    away = gunicorn.check()
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    with Daemon(tmp_path, beats_port=str(port)) as daemon:
        with gunicorn.running() as site:
            get(site, 0, 40)
            daemon.stop()
            get(site, 40, 80)  # the daemon is away
            daemon.start()
            daemon.wait_for("serving metrics and health")
            get(site, 80, 120)
            daemon.wait_for_metric("ingestd_delivered_events_total", 80)
            wait_until(lambda: len(words(daemon)) >= 120, "what was logged while the daemon was away")
            daemon.stop()
            get(site, 120, 160)
        # The site has ended without a daemon: the next process of the site sends what it has left.
        daemon.start()
        daemon.wait_for("serving metrics and health")
        checked = gunicorn.check("--url", daemon.url)
        assert checked.returncode == 0, checked.stderr
        assert "Records arrive. Loggers that send: root." in checked.stdout
        with gunicorn.running() as site:
            get(site, 160, 161)
            daemon.wait_for_metric("ingestd_delivered_events_total", 42)
            wait_until(lambda: len(words(daemon)) >= 161, "what the site had left")
        assert words(daemon) == Counter([f"서울 {number}" for number in range(161)])
