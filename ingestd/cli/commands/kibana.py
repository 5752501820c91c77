"""``ingestd kibana``: the dashboard for Kibana."""

from __future__ import annotations

import sys

import click

from ingestd.cli.common.errors import os_errors
from ingestd.kibana.objects import KIBANA, OPENSEARCH, ndjson, saved_objects


@click.group("kibana")
def kibana() -> None:
    """Export the dashboard to Kibana or OpenSearch Dashboards."""


@kibana.command("export")
@click.option("--index", default="logstash-*", show_default=True, metavar="PATTERN", help="Index pattern.")
@click.option("--opensearch", is_flag=True, help="For OpenSearch Dashboards, version 1 or later.")
def export(index: str, opensearch: bool) -> None:
    """Print saved objects as NDJSON for Kibana 8 and 9: data view, searches, charts and a dashboard.

    Import the file under Stack Management > Saved Objects. Importing it again replaces the objects.
    """
    with os_errors("stdout"):
        sys.stdout.buffer.write(ndjson(saved_objects(index, OPENSEARCH if opensearch else KIBANA)))
        sys.stdout.buffer.flush()
