"""``ingestd kibana``: the dashboard for those who have Kibana."""

from __future__ import annotations

import sys

import click

from ingestd.cli.common.disk import told
from ingestd.kibana.objects import KIBANA, OPENSEARCH, ndjson, saved_objects


@click.group("kibana")
def kibana() -> None:
    """Hand the dashboard over to Kibana or OpenSearch Dashboards."""


@kibana.command("export")
@click.option("--index", default="logstash-*", show_default=True, metavar="PATTERN", help="Pattern of the indices.")
@click.option("--opensearch", is_flag=True, help="For OpenSearch Dashboards, from version 1 on.")
def export(index: str, opensearch: bool) -> None:
    """Print saved objects as NDJSON, for Kibana 8 and 9: data view, searches, charts, one dashboard.

    Import the file under Stack Management > Saved Objects. Who imports it again replaces what is there.
    """
    with told("stdout"):
        sys.stdout.buffer.write(ndjson(saved_objects(index, OPENSEARCH if opensearch else KIBANA)))
        sys.stdout.buffer.flush()
