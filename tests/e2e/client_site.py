"""The Django site of the tests with ingestd-django, under gunicorn, uvicorn and uWSGI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import free_port
from tests.e2e.serving import uwsgi
from tests.e2e.site import MANAGE, Site
from tests.waiting import WAIT_SECONDS, wait_until

_CLIENT = Path(__file__).parents[2] / "clients" / "django"
_WITHOUT = "from shop.settings import *\n\nLOGGING = {{}}\n"
_WITH = """
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

_APPLICATION = (
    "import logging\nimport django.core.{kind} as served\napplication = served.get_{kind}_application()\n"
    "logging.getLogger('shop').info('loaded')\n"
)

SERVERS = {
    "sync": ["gunicorn", "client_wsgi"],
    "preload": ["gunicorn", "--preload", "client_wsgi"],
    "gevent_preload": ["gunicorn", "-k", "gevent", "--preload", "client_wsgi"],
    "uvicorn": ["uvicorn", "client_asgi:application"],
}
"""Commands that serve the site, by what makes them different for a log handler."""


def _command(server: str, workers: int, port: int) -> list[str]:
    if server == "uwsgi":
        options = {"processes": str(workers), "http-socket": f"127.0.0.1:{port}", "home": sys.prefix}
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [uwsgi() or "", "--master", "--die-on-term", "--enable-threads", *given, "--module", "client_wsgi"]
    program, *arguments = SERVERS[server]
    address = ["--port", str(port)] if program == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    return [str(Path(sys.executable).parent / program), "--workers", str(workers), *address, *arguments]


class ClientSite:
    """A site with several workers; those of ``preload`` are forked from a process that has logged already.

    Args:
        folder: Takes settings, spool files and the console's output.
        daemon_port: Of the input ``beats``; None: the site logs nothing.
    """

    def __init__(self, folder: Path, daemon_port: int | None) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        settings = _WITHOUT if daemon_port is None else _WITH
        (folder / "client_settings.py").write_text(settings.format(port=daemon_port, spool=str(folder / "spool")))
        for kind in ("wsgi", "asgi"):
            (folder / f"client_{kind}.py").write_text(_APPLICATION.format(kind=kind))
        self.environ = os.environ | {
            "DJANGO_SETTINGS_MODULE": "client_settings",
            "PYTHONPATH": f"{folder}:{MANAGE.parent}:{_CLIENT}",
        }

    @contextmanager
    def running(self, server: str = "preload", workers: int = 4, *, killed: bool = False) -> Iterator[Site]:
        """Serve the site, under one of `SERVERS` or ``uwsgi``; ``killed``: all its processes are, at the end."""
        port = free_port()
        command = _command(server, workers, port)
        with (self._folder / "site.log").open("ab") as output:
            process = subprocess.Popen(
                command, env=self.environ, stdout=output, stderr=output, cwd=self._folder, process_group=0
            )
        site = Site(port)
        try:
            wait_until(lambda: process.poll() is not None or site.is_listening(), f"{server} to start")
            assert process.poll() is None, self.output()
            yield site
        finally:
            if killed:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(signal.SIGTERM)
            process.wait()

    def output(self) -> str:
        """Return what the site has written to its console."""
        return (self._folder / "site.log").read_text()

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py ingestd_check``."""
        return subprocess.run(
            [sys.executable, "-m", "django", "ingestd_check", "--no-color", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
