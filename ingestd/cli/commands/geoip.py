"""``ingestd geoip``: install, refresh, show and remove the databases that say where addresses are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.disk import told
from ingestd.cli.common.flags import settings_options
from ingestd.event.jsontext import dumps
from ingestd.geoip.database import DatabaseError
from ingestd.geoip.fetch import FetchError, Progress
from ingestd.geoip.install import Installer, remove, uses_installed
from ingestd.geoip.shelf import USES, Origin, database_file, installed
from ingestd.geoip.sources import SourceError, is_remote
from ingestd.settings import Settings
from ingestd.units import round_size

_NOTHING = """\
no geoip database is installed. For example:
  ingestd geoip install dbip:country-lite      free (CC BY 4.0), https://db-ip.com
  ingestd geoip install maxmind:GeoLite2-City  with your own key in MAXMIND_ACCOUNT_ID, MAXMIND_LICENSE_KEY
  ingestd geoip install FILE                   .mmdb, .mmdb.gz or .tar.gz"""

_settings = settings_options("data_dir")


@click.group("geoip")
def geoip() -> None:
    """Manage the databases that say where IP addresses are."""


@geoip.command("install")
@click.argument("source", required=False)
@click.option("--member", default="", metavar="NAME", help="The file to take out of an archive that holds several.")
@click.option("--refresh", is_flag=True, help="Fetch what is installed again if it changed; for a schedule.")
@_settings
def install(source: str | None, member: str, refresh: bool, settings: Settings) -> None:
    """Put the database SOURCE in place: a file, a URL, maxmind:NAME or dbip:NAME.

    It is tried before it takes the place of an older one; a running daemon opens it within seconds. One for places
    and one for the owners of networks (ASN) can be installed.
    """
    if (source is None) is not refresh:
        raise click.UsageError("give either SOURCE or --refresh")
    installer = Installer(settings.data_dir, os.environ, datetime.now(UTC))
    with told(str(settings.data_dir)), _explained(), _progress() as progress:
        if source is not None:
            use, origin = installer.install(source, member=member, progress=progress)
            _tell(use, origin)
            return
        remote = [use for use in USES if (known := installed(settings.data_dir, use)) and is_remote(known.source)]
        if not remote:
            raise click.ClickException("nothing is installed that could be fetched again")
        for use in remote:
            new = installer.refresh(use, progress=progress)
            if new is None:
                click.echo(f"{use}: unchanged")
            else:
                _tell(use, new)


@geoip.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object for each database.")
@_settings
def status(as_json: bool, settings: Settings) -> None:
    """Show what is installed: type, age, source, and the attribution that its licence asks for."""
    with told(str(settings.data_dir)):
        uses = uses_installed(settings.data_dir)
        pages = [_page(settings, use) for use in uses]
    if as_json:
        click.echo(dumps(pages))
    elif not pages:
        click.echo(_NOTHING, err=True)
    else:
        rows = [
            (page["use"], page["type"], page["built"][:10], page["installed"][:10], round_size(page["bytes"]))
            for page in pages
        ]
        for line in tables.table(("USE", "TYPE", "BUILT", "INSTALLED", "SIZE"), rows, None, numbers=1):
            click.echo(line)
        for page in pages:
            click.echo(f"\n{page['use']}: {tables.printable(page['source'] or page['path'])}")
            if page["attribution"]:
                click.echo(page["attribution"])


@geoip.command("remove")
@click.argument("uses", nargs=-1, type=click.Choice(USES))
@_settings
def remove_databases(uses: tuple[str, ...], settings: Settings) -> None:
    """Remove installed databases, all or those for the USES named; running daemons close them."""
    with told(str(settings.data_dir)):
        gone = [use for use in uses or USES if remove(settings.data_dir, use)]
    click.echo(f"removed: {', '.join(gone)}" if gone else "no geoip database is installed", err=not gone)


def _page(settings: Settings, use: str) -> dict[str, Any]:
    """Return what is known of an installed database; one that somebody copied there himself has no page."""
    path = database_file(settings.data_dir, use)
    known = installed(settings.data_dir, use) or Origin("", "unknown", "", "", "", "")
    return {"use": use, "path": str(path), "bytes": path.stat().st_size, **asdict(known)}


def _tell(use: str, origin: Origin) -> None:
    click.echo(f"{use}: {origin.type} of {origin.built[:10]} is installed")
    if origin.attribution:
        click.echo(f"show this where you show its data: {origin.attribution}")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, FetchError, SourceError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """Give what draws a bar on a terminal, once there is something to draw."""
    bars: list[Any] = []
    stderr = sys.stderr

    def step(count: int, total: int | None) -> None:
        if total and not bars:
            bars.append(click.progressbar(length=total, label="fetching", file=stderr))
        for bar in bars:
            bar.update(count)

    def no_bar(count: int, total: int | None) -> None:
        """Draw nothing: in a log a bar is of no use."""

    try:
        yield step if stderr.isatty() else no_bar
    finally:
        for bar in bars:
            bar.render_finish()
