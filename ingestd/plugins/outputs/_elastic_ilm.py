"""Sets up an alias that Elasticsearch's index lifecycle management rolls over: policy, and first index.

As Logstash does: https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-elasticsearch#plugins-outputs-elasticsearch-ilm
Until the alias exists nothing is written: a document would make an index of its name.
"""

from __future__ import annotations

from typing import Any

from ingestd.plugins.outputs._elastic_options import Options
from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.errors import ElasticResponseError

_DEFAULT_POLICY = "logstash-policy"
_POLICY = {"policy": {"phases": {"hot": {"actions": {"rollover": {"max_size": "50gb", "max_age": "30d"}}}}}}
"""Logstash's."""


def lifecycle_settings(opts: Options) -> dict[str, Any]:
    """Return what an index template needs so that its indices roll over."""
    return {"lifecycle": {"name": opts.ilm_policy, "rollover_alias": opts.rollover_alias}}


async def set_up_rollover(client: ElasticClient, opts: Options) -> None:
    """Make the policy, if it is Logstash's, and the first index, if they are missing.

    Raises:
        ElasticUnavailable: No answer.
        ElasticResponseError: The server has no ILM, or refuses.
    """
    if (await client.server()).flavour != "elasticsearch":
        raise ElasticResponseError("OpenSearch has no ILM: set ilm_enabled => false, and use its ISM policies", 400)
    if opts.ilm_policy == _DEFAULT_POLICY and not await _exists(client, f"/_ilm/policy/{_DEFAULT_POLICY}"):
        await client.request("PUT", f"/_ilm/policy/{_DEFAULT_POLICY}", body=_POLICY)
    alias = opts.rollover_alias
    if await _exists(client, f"/_alias/{quote_part(alias)}"):
        return
    body = {"aliases": {alias: {"is_write_index": True}}}
    name = f"<{alias}-{opts.ilm_pattern}>"
    try:
        await client.request("PUT", f"/{quote_part(name)}", body=body)
    except ElasticResponseError as error:
        if "resource_already_exists_exception" not in str(error):  # another process was faster
            raise


async def _exists(client: ElasticClient, path: str) -> bool:
    try:
        await client.request("GET", path)
    except ElasticResponseError as error:
        if error.status == 404:
            return False
        raise
    return True
