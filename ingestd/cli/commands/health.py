"""``ingestd health``: whether the daemon is ready, for health checks of containers."""

from __future__ import annotations

import urllib.error
import urllib.request

import click

from ingestd.cli.common.options import settings_options
from ingestd.settings import Settings
from ingestd.supervisor.pidfile import find, find_url

_SECONDS = 5.0


@click.command()
@settings_options("data_dir")
def health(settings: Settings) -> None:
    """Ask the running daemon whether it is ready, at the address where it serves its pages.

    Without pages (`http` is `off`), a running daemon counts as ready.

    Exit codes: 0 it is ready; 1 it is not, or no daemon is running.
    """
    if find(settings.data_dir) is None:
        raise click.ClickException(f"no ingestd is running on {settings.data_dir}")
    url = find_url(settings.data_dir)
    click.echo(_ask(f"{url}/health/ready") if url else "ingestd is running, and serves no pages")


def _ask(url: str) -> str:
    # Not through a proxy that the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as response:
            return str(response.read().decode()).strip()
    except urllib.error.HTTPError as error:
        with error:
            raise click.ClickException(f"{url}: {error.read().decode().strip()}") from None
    except OSError as error:
        raise click.ClickException(f"{url}: {error}") from None
