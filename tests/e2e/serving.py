"""The Django site of the tests under gunicorn, uvicorn, Daphne or runserver, with the LOGGING of the pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestd.recipes import recipe
from tests.e2e.daemon import free_port
from tests.e2e.site import MANAGE, Site, django_site
from tests.waiting import wait_until

_ASGI = "import django.core.asgi as asgi\napplication = asgi.get_asgi_application()\n"
_WSGI = "import django.core.wsgi as wsgi\napplication = wsgi.get_wsgi_application()\n"
_WITHOUT_ACCESS_LINES = "del LOGGING['loggers']['gunicorn.access']\n"


def _command(server: str, port: int, folder: Path, access_log: Path | None) -> list[str]:
    if server == "uwsgi":
        return ["uwsgi", "--ini", str(_uwsgi_settings(folder, port, access_log)), "--home", sys.prefix, "--die-on-term"]
    log = [] if access_log is None else ["--access-log", str(access_log)]
    return {
        "gunicorn": ["gunicorn", "--bind", f"127.0.0.1:{port}", "--access-logfile", "-", "site_wsgi"],
        "gunicorn without access lines": ["gunicorn", "--bind", f"127.0.0.1:{port}", "site_wsgi"],
        "uvicorn": ["uvicorn", "--port", str(port), "--proxy-headers", "site_asgi:application"],
        "daphne": ["daphne", "--port", str(port), "--proxy-headers", *log, "site_asgi:application"],
    }[server]


def uwsgi() -> str | None:
    """Return the path of uWSGI for the Python of these tests, None if it is not installed: INGESTD_TEST_UWSGI."""
    return os.environ.get("INGESTD_TEST_UWSGI") or shutil.which("uwsgi", path=str(Path(sys.executable).parent))


def _uwsgi_settings(folder: Path, port: int, access_log: Path | None) -> Path:
    text = recipe("uwsgi").snippets[1].text
    for written, here in (
        ("mysite.wsgi", "site_wsgi"),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("/var/log/mysite/access.log", str(access_log)),
    ):
        assert written in text
        text = text.replace(written, here)
    path = folder / "uwsgi.ini"
    path.write_text(text)
    return path


@contextmanager
def served(
    folder: Path, server: str, logstash_port: int, access_log: Path | None = None, front: str = "gunicorn"
) -> Iterator[Site]:
    """Serve the site; ``folder`` takes its settings and console output.

    Args:
        folder: Takes the settings and the console output.
        server: The server that runs Django.
        logstash_port: Where its records go.
        access_log: The file that Daphne and uWSGI write.
        front: Whose recipe the setting LOGGING is from.
    """
    logging = recipe(front, "127.0.0.1", logstash_port).snippets[0].text
    without = _WITHOUT_ACCESS_LINES if "without" in server else ""
    (folder / "page_settings.py").write_text(f"from shop.settings import *\n\n{logging}{without}")
    (folder / "site_wsgi.py").write_text(_WSGI)
    (folder / "site_asgi.py").write_text(_ASGI)
    variables = {"DJANGO_SETTINGS_MODULE": "page_settings", "PYTHONPATH": f"{folder}:{MANAGE.parent}"}
    if server == "runserver":
        with django_site(folder, **variables) as site:
            yield site
        return
    port = free_port()
    program, *arguments = _command(server, port, folder, access_log)
    command = [uwsgi() or "" if server == "uwsgi" else str(Path(sys.executable).parent / program), *arguments]
    with (folder / "site.log").open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | variables, stdout=output, stderr=output, cwd=folder)
    site = Site(port)
    try:
        wait_until(lambda: process.poll() is not None or site.is_listening(), f"{server} to start")
        assert process.poll() is None, (folder / "site.log").read_text()
        yield site
    finally:
        process.terminate()
        process.wait()
