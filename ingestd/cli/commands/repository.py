"""``ingestd repository``: where backups go."""

from __future__ import annotations

import click

from ingestd.cli.common.backups import opened_with_backups
from ingestd.cli.common.options import json_option, store_options
from ingestd.cli.common.owner import recorded
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.settings import Settings
from ingestd.stores.backups import Repository


@click.group()
def repository() -> None:
    """Set up where backups go: an S3 bucket or a folder.

    Credentials are never given here. The built-in store reads them from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
    from the files of the AWS tools, or from the instance; Elasticsearch and OpenSearch have them in their keystore.
    """


@repository.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(["s3", "fs"]), required=True, help="An S3 bucket, or a folder.")
@click.option("--bucket", help="s3: the bucket; it must exist.")
@click.option("--region", help="s3: the region, such as ap-northeast-2.")
@click.option("--base-path", help="s3: the path in the bucket, such as django_logs.")
@click.option("--endpoint", metavar="URL", help="s3: the URL of a server other than Amazon's.")
@click.option("--location", metavar="DIR", help="fs: the folder. Elasticsearch needs it in its path.repo.")
@store_options
def add(name: str, kind: str, settings: Settings, **given: str | None) -> None:
    """Add a repository after checking that it can be written and read."""
    required = {"s3": "bucket", "fs": "location"}[kind]
    if not given[required]:
        raise click.UsageError(f"a repository of type {kind} needs --{required}")
    values = {option: value for option, value in given.items() if value}
    allowed = {"location"} if kind == "fs" else {"bucket", "region", "base_path", "endpoint"}
    if wrong := next((option for option in values if option not in allowed), None):
        raise click.UsageError(f"a repository of type {kind} has no --{wrong.replace('_', '-')}")
    with opened_with_backups(settings) as opened, recorded(settings, "repository.add", name):
        opened.backups.add_repository(Repository(name, "s3" if kind == "s3" else "fs", values))
    click.echo(f"added {name}; it can be written and read")


@repository.command("list")
@json_option
@store_options
def list_repositories(settings: Settings, as_json: bool) -> None:
    """List the repositories."""
    with opened_with_backups(settings) as opened:
        found = opened.backups.repositories()
    if as_json:
        write_json([{"name": entry.name, "type": entry.kind, **entry.settings} for entry in found])
    elif not found:
        click.echo("no repository yet; see ingestd repository add --help", err=True)
    else:
        rows = [(entry.name, entry.kind, " ".join(map("=".join, entry.settings.items()))) for entry in found]
        write_table(("NAME", "TYPE", "WHERE"), rows)


@repository.command()
@click.argument("name")
@store_options
def remove(name: str, settings: Settings) -> None:
    """Forget a repository; the backups in it stay."""
    with opened_with_backups(settings) as opened, recorded(settings, "repository.remove", name):
        opened.backups.remove_repository(name)
    click.echo(f"removed {name}; its backups stay")
