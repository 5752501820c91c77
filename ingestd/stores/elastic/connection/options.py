"""The options of a connection to Elasticsearch or OpenSearch, named as in Logstash's elasticsearch output."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    import ssl

DEFAULT_PORT = 9200
CLOUD_PORT = 443
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Host:
    """The address of a node, and the credentials from its URL or the options."""

    scheme: str
    name: str
    port: int
    path: str = ""
    authorization: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Return the URL without credentials, for messages."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{name}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticOptions:
    """Options of the connection, with Logstash's defaults. `resolve` checks them.

    Attributes:
        hosts: URLs, ``host`` or ``host:port``; the port is 9200 by default. A path is a prefix of every request's path.
        user, password: Basic authentication; they override those in a URL.
        cloud_auth: ``user:password``, both in one option.
        api_key: ``id:key``, or the base64 of it that the servers return.
        cloud_id: An Elastic Cloud deployment, instead of ``hosts``.
        path: Prefix of the path of every request, for hosts without a path.
        bulk_path: Path of the bulk requests, default ``/_bulk``.
        parameters: Query parameters added to every request.
        ssl_enabled: ``https`` for hosts without a scheme; by default off, but on for Elastic Cloud.
        ssl_certificate_authorities: PEM files; by default the authorities of the system.
        ssl_verification_mode: ``full`` or ``none`` (any certificate is accepted).
        ssl_supported_protocols: TLS versions, ``TLSv1.2`` ...; by default those of the system.
        ssl_certificate, ssl_key: PEM files of the client certificate and its key.
        custom_headers: Sent with every request.
        proxy: URL of an HTTP proxy.
        timeout: Seconds for one request, from sending to the last byte of the answer.
        compression_level: gzip level of bulk bodies, 0 (off) to 9. None: 1 as in Logstash, but 0 when all
            hosts are this machine, where compressing costs more than it saves.
        pool_max_per_route: Connections to one node.
        pool_max: Connections that are in use at a time, to all nodes together.
        healthcheck_path: What a node that failed must answer with success before it is used again, ``HEAD``. Empty: it
            is used again after a while.
        absolute_healthcheck_path: Whether ``path`` is not a prefix of it.
    """

    hosts: tuple[str, ...] = ("127.0.0.1",)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    cloud_auth: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    cloud_id: str | None = None
    path: str | None = None
    bulk_path: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    ssl_enabled: bool | None = None
    ssl_certificate_authorities: tuple[str, ...] = ()
    ssl_verification_mode: str = "full"
    ssl_certificate: str | None = None
    ssl_key: str | None = None
    ssl_supported_protocols: tuple[str, ...] = ()
    custom_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    compression_level: int | None = None
    pool_max_per_route: int = 100
    pool_max: int = 1000
    healthcheck_path: str = ""
    absolute_healthcheck_path: bool = False

    def __repr__(self) -> str:
        """Show the nodes only: every other option may hold a secret."""
        try:
            nodes = ", ".join(host.url for host in self.resolve())
        except ValueError:
            nodes = "not valid"
        return f"ElasticOptions({nodes})"

    def resolve(self) -> tuple[Host, ...]:
        """Return the nodes without duplicates; check what can be checked without I/O.

        Raises:
            ValueError: An option is invalid; one sentence that quotes no secret.
        """
        self._check()
        authorization = self._authorization()
        urls = (_cloud_url(self.cloud_id),) if self.cloud_id else self.hosts
        if not urls:
            raise ValueError("hosts is empty")
        hosts: dict[tuple[str, str, int, str], Host] = {}
        for url in urls:
            host = self._host(url, authorization)
            hosts.setdefault((host.scheme, host.name, host.port, host.path), host)
        return tuple(hosts.values())

    def gzip_level(self) -> int:
        """Return the level for bulk bodies, 0 to 9."""
        if self.compression_level is not None:
            return self.compression_level
        return 0 if all(host.name in LOOPBACK for host in self.resolve()) else 1

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the context for ``https`` nodes, None if there are none. Reads the named files.

        Raises:
            ValueError: A file is missing or not valid.
        """
        if not any(host.scheme == "https" for host in self.resolve()):
            return None
        import ssl  # noqa: PLC0415 -- most servers are reached without TLS

        context = ssl.create_default_context()
        if self.ssl_verification_mode == "none":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.ssl_supported_protocols:
            versions = sorted(ssl.TLSVersion[name.replace(".", "_")] for name in self.ssl_supported_protocols)
            context.minimum_version, context.maximum_version = versions[0], versions[-1]
        if self.ssl_certificate_authorities:
            context = _context_for(self.ssl_certificate_authorities, context)
        if self.ssl_certificate:
            try:
                # An empty password: a protected key is an error, not a question on the terminal.
                context.load_cert_chain(_file(self.ssl_certificate), self.ssl_key and _file(self.ssl_key), password="")
            except (ssl.SSLError, OSError) as error:
                raise ValueError(f"ssl_certificate {self.ssl_certificate} and ssl_key do not match: {error}") from None
        return context

    def _check(self) -> None:
        methods = [name for name in ("user", "cloud_auth", "api_key") if getattr(self, name)]
        if len(methods) > 1:
            raise ValueError(f"{' and '.join(methods)} exclude each other: give one")
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password must be given together")
        if self.ssl_verification_mode not in {"full", "none"}:
            raise ValueError(f"ssl_verification_mode is full or none, not {self.ssl_verification_mode!r}")
        if self.ssl_key and not self.ssl_certificate:
            raise ValueError("ssl_key needs ssl_certificate")
        if self.compression_level is not None and not 0 <= self.compression_level <= 9:
            raise ValueError(f"compression_level is 0 to 9, not {self.compression_level}")
        for name in ("pool_max", "pool_max_per_route"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is 1 or more, not {getattr(self, name)}")
        if self.timeout <= 0:
            raise ValueError(f"timeout is in seconds, above 0, not {self.timeout}")

    def _authorization(self) -> str:
        if self.api_key:
            key = self.api_key if ":" not in self.api_key else _base64(self.api_key)
            return f"ApiKey {key}"
        if self.user:
            return f"Basic {_base64(f'{self.user}:{self.password}')}"
        if self.cloud_auth:
            if ":" not in self.cloud_auth:
                raise ValueError("cloud_auth is user:password")
            return f"Basic {_base64(self.cloud_auth)}"
        return ""

    def _host(self, url: str, authorization: str) -> Host:
        default = "https" if self.ssl_enabled or (self.cloud_id and self.ssl_enabled is None) else "http"
        parts, port = _split(url if "//" in url else f"//{url}")
        shown = parts.hostname or ""
        scheme = parts.scheme or default
        if scheme not in {"http", "https"} or not parts.hostname:
            wrong = f"{scheme}://{shown}" if shown else "one without a host name"
            raise ValueError(f"a host is a URL like http://host:9200, not {wrong}")
        if self.ssl_enabled is not None and self.ssl_enabled != (scheme == "https"):
            raise ValueError(f"ssl_enabled is {str(self.ssl_enabled).lower()}, but the URL of {shown} says {scheme}")
        if parts.username is not None and not authorization:
            authorization = "Basic " + _base64(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
        path = (parts.path or self.path or "").strip("/")
        return Host(scheme, parts.hostname, port, f"/{path}" if path else "", authorization)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        return parts, parts.port or DEFAULT_PORT
    except ValueError:  # its text may quote the password
        raise ValueError(f"not a host: {url.rpartition('@')[2].rpartition('//')[2]!r}") from None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _file(name: str) -> str:
    if not Path(name).is_file():
        raise ValueError(f"there is no file {name}")
    return name


def _context_for(authorities: tuple[str, ...], default: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that trusts these authorities only, not the system's."""
    import ssl  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = default.check_hostname, default.verify_mode
    for name in authorities:
        try:
            context.load_verify_locations(cafile=_file(name))
        except ssl.SSLError:
            raise ValueError(f"ssl_certificate_authorities: {name} has no certificate in PEM format") from None
    return context


def _cloud_url(cloud_id: str) -> str:
    """Return the URL in a cloud id: ``label:base64(domain$elasticsearch$kibana)``."""
    try:
        domain, cluster = base64.b64decode(cloud_id.rpartition(":")[2]).decode().split("$")[:2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ValueError("cloud_id is invalid: copy it from the console of Elastic Cloud") from None
    cluster, _, own_port = cluster.partition(":")
    domain, _, common_port = domain.partition(":")
    return f"https://{cluster}.{domain}:{own_port or common_port or CLOUD_PORT}"
