"""Options of the outputs elasticsearch and opensearch, named as in Logstash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingestd.event.sprintf import Template
from ingestd.plugins.outputs._index_check import index_warnings
from ingestd.plugins.registry import OptionWarning, Touch, option
from ingestd.stores.elastic.connection.options import ElasticOptions

ACTIONS = ("create", "index", "update", "delete")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``elasticsearch``."""

    hosts: list[str] = option(["127.0.0.1"], "URLs of the nodes; port 9200 unless named.")
    index: Template = option(Template("logstash-%{+YYYY.MM.dd}"), "The index of an event; may hold %{field}.")
    index_timezone: str = option("", "Time zone of the days in `index`; default: the setting index_timezone.")
    action: Template = option(
        Template(""),
        "`create`, `index`, `update` or `delete`; may hold %{field}. Default: create, but index where document_id is "
        "given. Requests with updates and deletes are sent one at a time, which keeps their order.",
    )
    document_id: Template = option(
        Template(""),
        "Id of the document; may hold %{field}. Default: the id of the event. An event that lacks such a field becomes "
        "a dead letter.",
    )
    routing: Template = option(Template(""), "Routing of the document; may hold %{field}.")
    pipeline: Template = option(Template(""), "Ingest pipeline of the server; may hold %{field}.")
    version: Template = option(Template(""), "Version of the document, a number; may hold %{field}.")
    version_type: str = option(
        "", "What `version` is compared with.", choices=("internal", "external", "external_gt", "external_gte", "force")
    )
    parent: Template = option(Template(""), "Id of the parent document, which is also the routing; needs `join_field`.")
    join_field: str = option("", "The join field, in which the event has the name of its relation.")
    doc_as_upsert: bool = option(False, "update: create the document from the event if there is none.")
    upsert: Template = option(Template(""), "update: the document to create if there is none, as JSON.")
    script: Template = option(
        Template(""),
        "update: a script, instead of the event's fields. An event may be sent again after a crash, so the script "
        "should give the same result if it runs twice.",
    )
    script_type: str = option(
        "inline", "`indexed`: `script` is the id of a stored script.", choices=("inline", "indexed")
    )
    script_lang: str = option("painless", "Language of an inline script.")
    script_var_name: str = option("event", "Name of the event in the parameters of the script.")
    scripted_upsert: bool = option(False, "update: the script also creates the document.")
    retry_on_conflict: int = option(1, "update: how often the server tries again after a conflict.")
    user: str = option("", "User name.")
    password: str = option("", "Password.")
    cloud_auth: str = option("", "user:password, instead of the two options.")
    api_key: str = option("", "id:key, or the same in base64.")
    cloud_id: str = option("", "Id of an Elastic Cloud deployment, instead of hosts.")
    path: str = option("", "Prefix for the path of every request.")
    bulk_path: str = option("", "Path of the bulk requests, if it is not /_bulk.")
    parameters: dict[str, str] = option({}, "Query parameters of every request.")
    custom_headers: dict[str, str] = option({}, "Headers of every request.")
    proxy: str = option("", "URL of an HTTP proxy.")
    timeout: float = option(60, "Seconds for one request.")
    compression_level: int = option(
        -1, "gzip level of bulk bodies, 0 to 9; -1: 1, but 0 if every host is this machine."
    )
    ssl_enabled: bool | None = option(None, "Use https for hosts without a scheme.")
    ssl_verification_mode: str = option("full", "`none` skips the check of the certificate.", choices=("full", "none"))
    ssl_certificate_authorities: list[str] = option(
        [], "PEM files of trusted certificate authorities; default: the system's."
    )
    ssl_certificate: str = option("", "PEM file with the client certificate.")
    ssl_key: str = option("", "PEM file with the key of the client certificate.")
    ssl_supported_protocols: list[str] = option(
        [], "TLS versions to use; default: those of the system.", choices=("TLSv1.1", "TLSv1.2", "TLSv1.3")
    )
    sniffing: bool = option(False, "Also use the other nodes of the cluster, at the addresses that it names.")
    sniffing_delay: float = option(5, "Seconds between two requests for these nodes.")
    sniffing_path: str = option("", "Path of these requests; default: /_nodes/http.")
    pool_max_per_route: int = option(100, "Connections to one node.")
    pool_max: int = option(1000, "Connections in use at a time, to all nodes together.")
    healthcheck_path: str = option(
        "",
        "Path of a HEAD request: a node that failed is used again once it answers this successfully. By default it is "
        "used again after a while, up to 30 seconds.",
    )
    absolute_healthcheck_path: bool = option(
        False, "Use `healthcheck_path` as it is, without the path of `hosts` or `path` as a prefix."
    )
    resurrect_delay: float = option(5, "Seconds between two of these requests.")
    manage_template: bool = option(True, "Install an index template on the first connection; never for data streams.")
    template: str = option("", "JSON file with your own template.")
    template_name: str = option("", "Name of the template; default: ingestd, with ILM the alias.")
    document_type: str = option("", "Mapping type with Elasticsearch 6, ignored by newer servers; default: doc.")
    template_overwrite: bool = option(False, "Replace an existing template of that name, whoever created it.")
    retry_initial_interval: float = option(2, "Seconds before the first retry; doubled each time.")
    retry_max_interval: float = option(64, "Maximum seconds between two retries.")
    ilm_enabled: str = option(
        "auto",
        "`true`: write to `ilm_rollover_alias`, whose indices Elasticsearch rolls over by a policy; `auto`: if that "
        "alias is given.",
        choices=("true", "false", "auto"),
    )
    ilm_rollover_alias: str = option("", "The alias; `index` is then ignored. Default with ILM: logstash.")
    ilm_pattern: str = option("{now/d}-000001", "What follows the alias and `-` in the name of its first index.")
    ilm_policy: str = option("logstash-policy", "The policy; Logstash's default policy is created if it is missing.")
    data_stream: str = option(
        "false",
        "`true`: write to data streams; `auto` is false: days are indices here.",
        choices=("true", "false", "auto"),
    )
    data_stream_type: str = option(
        "logs", "First part of the name.", choices=("logs", "metrics", "synthetics", "traces")
    )
    data_stream_dataset: str = option("generic", "Second part of the name.")
    data_stream_namespace: str = option("default", "Third part of the name.")
    data_stream_auto_routing: bool = option(
        True, "Fields `[data_stream][type]` ... of an event take precedence over these options."
    )
    data_stream_sync_fields: bool = option(True, "Set those fields in the documents to the parts of the name.")

    @property
    def uses_data_stream(self) -> bool:
        """Whether events go to data streams."""
        return self.data_stream == "true"

    @property
    def rollover_alias(self) -> str:
        """The alias that ILM rolls over; empty: none."""
        if self.ilm_enabled == "false" or self.uses_data_stream:
            return ""
        return self.ilm_rollover_alias or ("logstash" if self.ilm_enabled == "true" else "")

    @property
    def static_action(self) -> str:
        """The action of every event; empty: it depends on the event."""
        default = "index" if self.document_id.text and not self.uses_data_stream else "create"
        return default if not self.action.text else self.action.static or ""

    def touch(self) -> Touch:
        """Return the fields that options name."""
        templates = (self.index, self.action, self.document_id, self.routing, self.pipeline, self.version, self.parent)
        reads = frozenset().union(*(template.reads for template in (*templates, self.upsert, self.script)))
        if self.uses_data_stream:
            reads |= {"data_stream"}
        return Touch(reads=reads | ({self.join_field} if self.join_field else set()))

    def check(self) -> None:
        """Raise ValueError, with a sentence, if options contradict each other."""
        action = self.static_action
        if action and action not in ACTIONS:
            raise ValueError(f"action {action!r} is not one of {', '.join(ACTIONS)}")
        if action in {"update", "delete"} and not self.document_id.text:
            raise ValueError(f"action {action} needs document_id: which document is it?")
        if self.parent.text and not self.join_field:
            raise ValueError("parent needs join_field: servers have no parents of other kinds")
        if self.scripted_upsert and not self.script.text:
            raise ValueError("scripted_upsert needs script")
        if "%{" in self.ilm_rollover_alias:
            raise ValueError("ilm_rollover_alias is the name of one alias: it cannot depend on the event")
        if self.uses_data_stream:
            self._check_data_stream()

    def _check_data_stream(self) -> None:
        if self.index != Template("logstash-%{+YYYY.MM.dd}"):
            raise ValueError("index and data_stream exclude each other: the name is made of data_stream_type ...")
        if self.static_action != "create":
            raise ValueError("data streams take only the action create")
        if self.ilm_enabled == "true" or self.ilm_rollover_alias:
            raise ValueError("ilm_enabled and data_stream exclude each other: a data stream has its own policy")

    def connection(self) -> ElasticOptions:
        """Return how to reach the server; reads the files of certificates, so that a wrong one is reported at start.

        Raises:
            ValueError: An option is wrong.
        """
        level = None if self.compression_level < 0 else self.compression_level
        connection = ElasticOptions(
            hosts=tuple(self.hosts),
            user=self.user or None,
            password=(self.password or None) if self.user else None,
            cloud_auth=self.cloud_auth or None,
            api_key=self.api_key or None,
            cloud_id=self.cloud_id or None,
            path=self.path or None,
            bulk_path=self.bulk_path or None,
            parameters=self.parameters,
            ssl_enabled=self.ssl_enabled,
            ssl_certificate_authorities=tuple(self.ssl_certificate_authorities),
            ssl_verification_mode=self.ssl_verification_mode,
            ssl_certificate=self.ssl_certificate or None,
            ssl_key=self.ssl_key or None,
            ssl_supported_protocols=tuple(self.ssl_supported_protocols),
            custom_headers=self.custom_headers,
            proxy=self.proxy or None,
            timeout=self.timeout,
            compression_level=level,
            pool_max_per_route=self.pool_max_per_route,
            pool_max=self.pool_max,
            healthcheck_path=self.healthcheck_path,
            absolute_healthcheck_path=self.absolute_healthcheck_path,
        )
        connection.tls_context()
        return connection


def option_warnings(opts: Options) -> Iterator[OptionWarning]:
    """Yield what may be a mistake."""
    yield from index_warnings(opts.index)
    if opts.document_type:
        text = "the option 'document_type' has an effect with Elasticsearch 6 only: later servers have no types"
        yield OptionWarning("document_type", text, "leave it out; a field [type] of the events can take its place")
