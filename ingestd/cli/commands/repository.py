"""``ingestd repository``: the places that backups go to."""

from __future__ import annotations

import click

from ingestd.cli.common import tables
from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.lifecycle import opened
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.stores.backups import Repository

_settings = settings_options("data_dir", "store", "elasticsearch")


@click.group()
def repository() -> None:
    """Set up where backups go: an S3 bucket or a folder.

    Credentials are never given here. For the built-in store they come from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, from the files that AWS's own tools read, or from the instance; Elasticsearch and OpenSearch
    have them in their keystore.
    """


@repository.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(["s3", "fs"]), required=True, help="An S3 bucket, or a folder.")
@click.option("--bucket", help="s3: the bucket; it must be there.")
@click.option("--region", help="s3: the region, such as ap-northeast-2.")
@click.option("--base-path", help="s3: where in the bucket, such as django_logs.")
@click.option("--endpoint", metavar="URL", help="s3: a server other than Amazon's.")
@click.option("--location", metavar="DIR", help="fs: the folder. Elasticsearch wants it listed in its path.repo.")
@_settings
def add(name: str, kind: str, settings: Settings, **given: str | None) -> None:
    """Add a repository, after making sure that it can be written and read."""
    needed = {"s3": "bucket", "fs": "location"}[kind]
    if not given[needed]:
        raise click.UsageError(f"a repository of type {kind} needs --{needed}")
    allowed = {"location"} if kind == "fs" else {"bucket", "region", "base_path", "endpoint"}
    if wrong := next((one for one, value in given.items() if value and one not in allowed), None):
        raise click.UsageError(f"--{wrong.replace('_', '-')} is nothing for a repository of type {kind}")
    values = {key: value for key, value in given.items() if value}
    with opened(settings) as where:
        where.backups.add_repository(Repository(name, "s3" if kind == "s3" else "fs", values))
    click.echo(f"{name} is there, and can be written and read")


@repository.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings
def list_repositories(settings: Settings, as_json: bool) -> None:
    """List the repositories."""
    with opened(settings) as where:
        found = where.backups.repositories()
    if as_json:
        click.echo(dumps([{"name": one.name, "type": one.kind, **one.settings} for one in found]))
    elif not found:
        click.echo("no repository yet; see ingestd repository add --help", err=True)
    else:
        rows = [(one.name, one.kind, " ".join(map("=".join, one.settings.items()))) for one in found]
        for line in tables.table(("NAME", "TYPE", "WHERE"), rows, None, numbers=0):
            click.echo(line.rstrip())


@repository.command()
@click.argument("name")
@_settings
def remove(name: str, settings: Settings) -> None:
    """Forget a repository; the backups in it stay."""
    with opened(settings) as where:
        where.backups.remove_repository(name)
    click.echo(f"{name} is forgotten; what is in it stays")
