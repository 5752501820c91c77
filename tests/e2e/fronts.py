"""nginx and Apache in front of a site, with the settings of the Production page."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestd.recipes import recipe
from tests.e2e.daemon import free_port
from tests.e2e.site import Site
from tests.waiting import wait_until

PROGRAMS = {"nginx": "nginx", "apache": "apache2"}
_LOGS = {"nginx": "/var/log/nginx/access.log", "apache": "/var/log/apache2/access.log"}

_NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
{site}
}}
"""

_APACHE = """\
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
Mutex file:{folder}
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
{site}
"""


def program_of(front: str) -> str | None:
    """Return the path of a server, None if it is not installed."""
    return shutil.which(PROGRAMS[front], path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def in_front(folder: Path, front: str, site: Site, access_log: Path) -> Iterator[Site]:
    """Run ``nginx`` or ``apache`` in front of a site; ``access_log`` takes its access lines."""
    program = program_of(front)
    assert program is not None
    port = free_port()
    text = recipe(front).snippets[1].text
    for written, here in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("*:80", f"127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{site.port}"),
        (_LOGS[front], str(access_log)),
    ):
        text = text.replace(written, here)
    settings = folder / f"{front}.conf"
    frame = _NGINX if front == "nginx" else _APACHE
    settings.write_text(frame.format(folder=folder, port=port, site=text))
    arguments = ["-p", str(folder), "-c", str(settings)]
    if front == "apache":
        arguments = ["-d", str(folder), "-f", str(settings), "-D", "FOREGROUND"]
    with (folder / f"{front}.out").open("wb") as output:
        process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    outside = Site(port)
    try:
        wait_until(lambda: process.poll() is not None or outside.is_listening(), f"{front} to start")
        assert process.poll() is None, (folder / f"{front}.out").read_text()
        yield outside
    finally:
        process.terminate()
        process.wait()
