"""``opensearch``: the output elasticsearch under the name and with the options of Logstash's output opensearch.

Follows https://docs.opensearch.org/latest/tools/logstash/ship-to-opensearch/. The kind of server is detected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingestd.plugins.outputs._elastic_legacy import OPENSEARCH
from ingestd.plugins.outputs._elastic_options import Options as ElasticsearchOptions
from ingestd.plugins.outputs._elastic_options import option_warnings
from ingestd.plugins.outputs.elasticsearch import ElasticsearchOutput
from ingestd.plugins.registry import BuildContext, option, plugin


@dataclass(frozen=True, slots=True)
class Options(ElasticsearchOptions):
    """Options of the output ``opensearch``."""

    auth_type: dict[str, str] = option(
        {}, "`type => basic` with `user` and `password`, which may also be given as options of their own."
    )

    def with_login(self) -> Options:
        """Return the options with the user and password of ``auth_type`` in those of their own."""
        user, password = self.auth_type.get("user", ""), self.auth_type.get("password", "")
        return replace(self, user=self.user or user, password=self.password or password)


@plugin("output", "opensearch", Options, touches=Options.touch, option_warnings=option_warnings, legacy=OPENSEARCH)
def build(opts: Options, context: BuildContext) -> ElasticsearchOutput:
    """OpenSearch, in bulk; all other options are those of the output elasticsearch."""
    if opts.auth_type.get("type", "basic") != "basic":
        raise ValueError("auth_type: only basic is possible; put a proxy that signs requests before the server")
    return ElasticsearchOutput(opts.with_login(), context)
