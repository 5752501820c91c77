"""``ingestd geoip``: install, update, show and remove the databases that locate IP addresses."""

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
from ingestd.cli.common.errors import os_errors
from ingestd.cli.common.options import json_option, settings_options
from ingestd.cli.common.owner import recorded
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.geoip.database import DatabaseError
from ingestd.geoip.database_folder import USES, InstalledDatabase, database_file, installed_database
from ingestd.geoip.fetch import FetchError, Progress
from ingestd.geoip.install import Installer, installed_uses, remove
from ingestd.geoip.setup import INSTALL_PACKAGE, has_package
from ingestd.geoip.sources import SourceError, is_remote, plain_source
from ingestd.settings import Settings
from ingestd.units import round_size

_NOTHING = """\
no geoip database is installed. For example:
  ingestd geoip install dbip:country-lite      free (CC BY 4.0), https://db-ip.com
  ingestd geoip install maxmind:GeoLite2-City  with your own key in MAXMIND_ACCOUNT_ID, MAXMIND_LICENSE_KEY
  ingestd geoip install FILE                   .mmdb, .mmdb.gz or .tar.gz"""

_settings = settings_options("data_dir")


def _nothing() -> str:
    return _NOTHING if has_package() else f"{_NOTHING}\nFirst install the package that reads them: {INSTALL_PACKAGE}"


@click.group("geoip")
def geoip() -> None:
    """Manage the databases that locate IP addresses."""


@geoip.command("install")
@click.argument("source", required=False)
@click.option("--member", default="", metavar="NAME", help="The file to use from an archive with several databases.")
@click.option(
    "--refresh", is_flag=True, help="Download installed databases again if there is a newer version; for a timer."
)
@_settings
def install(source: str | None, member: str, refresh: bool, settings: Settings) -> None:
    """Install the database SOURCE: a file, a URL, maxmind:NAME or dbip:NAME.

    It is tested before it replaces an older one, and a running daemon opens it within seconds. Two databases can be
    installed: one for locations and one for network owners (ASN).
    """
    if (source is None) is not refresh:
        raise click.UsageError("give either SOURCE or --refresh")
    installer = Installer(settings.data_dir, os.environ, datetime.now(UTC))
    action, target = ("geoip.install", plain_source(source)) if source is not None else ("geoip.refresh", "")
    with (
        os_errors(str(settings.data_dir)),
        _geoip_errors(),
        recorded(settings, action, target) as record,
        _progress() as progress,
    ):
        if source is not None:
            use, origin = installer.install(source, member=member, progress=progress)
            record.text = _report(use, origin)
            return
        remote = [
            use for use in USES if (known := installed_database(settings.data_dir, use)) and is_remote(known.source)
        ]
        if not remote:
            raise click.ClickException("no installed database can be downloaded again")
        for use in remote:
            new = installer.refresh(use, progress=progress)
            if new is None:
                click.echo(f"{use}: unchanged")
            else:
                record.text = "; ".join(filter(None, (record.text, _report(use, new))))
        record.text = record.text or "unchanged"


@geoip.command("status")
@json_option
@_settings
def status(as_json: bool, settings: Settings) -> None:
    """Show the installed databases: type, age, source, and the attribution that the licence requires."""
    with os_errors(str(settings.data_dir)):
        uses = installed_uses(settings.data_dir)
        documents = [_document(settings, use) for use in uses]
    if as_json:
        write_json(documents)
    elif not documents:
        click.echo(_nothing(), err=True)
    else:
        rows = [
            (
                document["use"],
                document["type"],
                document["built"][:10],
                document["installed"][:10],
                round_size(document["bytes"]),
            )
            for document in documents
        ]
        write_table(("USE", "TYPE", "BUILT", "INSTALLED", "SIZE"), rows, numbers=1)
        for document in documents:
            click.echo(f"\n{document['use']}: {tables.printable(document['source'] or document['path'])}")
            if document["attribution"]:
                click.echo(document["attribution"])


@geoip.command("remove")
@click.argument("uses", nargs=-1, type=click.Choice(USES))
@_settings
def remove_databases(uses: tuple[str, ...], settings: Settings) -> None:
    """Remove installed databases: those for the given USES, or all. Running daemons close them."""
    with os_errors(str(settings.data_dir)), recorded(settings, "geoip.remove", ", ".join(uses or USES)) as record:
        removed = [use for use in uses or USES if remove(settings.data_dir, use)]
        record.text = f"removed: {', '.join(removed)}" if removed else "nothing was there"
    click.echo(f"removed: {', '.join(removed)}" if removed else "no geoip database is installed", err=not removed)


def _document(settings: Settings, use: str) -> dict[str, Any]:
    """Return what is known about an installed database; one that was copied there by hand has no metadata."""
    path = database_file(settings.data_dir, use)
    known = installed_database(settings.data_dir, use) or InstalledDatabase("", "unknown", "", "", "", "")
    return {"use": use, "path": str(path), "bytes": path.stat().st_size, **asdict(known)}


def _report(use: str, origin: InstalledDatabase) -> str:
    """Say what is installed; returns it."""
    text = f"{use}: {origin.type} of {origin.built[:10]} is installed"
    click.echo(text)
    if origin.attribution:
        click.echo(f"attribution to show with its data: {origin.attribution}")
    return text


@contextmanager
def _geoip_errors() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, FetchError, SourceError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a progress bar on a terminal once the size is known; gives the function to call with (count, total)."""
    bars: list[Any] = []
    stderr = sys.stderr

    def step(count: int, total: int | None) -> None:
        if total and not bars:
            bars.append(click.progressbar(length=total, label="downloading", file=stderr))
        for bar in bars:
            bar.update(count)

    def no_bar(count: int, total: int | None) -> None:
        """Draw nothing: a log needs no bar."""

    try:
        yield step if stderr.isatty() else no_bar
    finally:
        for bar in bars:
            bar.render_finish()
