"""The address of a store, as on the command line (``--store``) and in the settings.

==========================================  =====================================================================
(empty) or ``local``                        the built-in store in the data folder
``/var/lib/ingestd``, ``./copy``            the built-in store in this data folder
``http://host:9200``                        Elasticsearch or OpenSearch; ``https`` with TLS; a path is a prefix
``http://user:password@host``               with a user and password, percent-encoded where needed
``https://host/?index=app-*,web-*``         other indices than ``logstash-*``
==========================================  =====================================================================

Other options of the connection (`ElasticOptions`) follow the ``?`` by name: ``api_key``, ``timeout``,
``ssl_certificate_authorities``, ``ssl_verification_mode``, ``proxy``. No message repeats such a URL as a whole: it may
contain a password.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ingestd.suggest import did_you_mean

if TYPE_CHECKING:
    from ingestd.stores.backups import Backups
    from ingestd.stores.base import LogStore
    from ingestd.stores.elastic.connection.options import ElasticOptions

LOCAL = "local"
INDICES = "logstash-*"
SERVER_OUTPUTS = ("elasticsearch", "opensearch")
"""The outputs that write to a server."""

STORE_OUTPUTS = ("store", *SERVER_OUTPUTS)
"""The outputs that write to a store."""

_NAMES = ("index", "api_key", "timeout", "ssl_certificate_authorities", "ssl_verification_mode", "proxy")


def open_store(url: str, data_dir: Path, timeout_s: float | None = None) -> LogStore:
    """Return the store that ``url`` names. Nothing is connected or read yet, except certificates.

    Args:
        url: See the top of the module.
        data_dir: Data folder of the built-in store, if ``url`` names none.
        timeout_s: Time limit of each query, in seconds.

    Raises:
        ValueError: ``url`` is invalid, or one of its options is; no secret is quoted.
    """
    if is_builtin(url):
        from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415  # DuckDB only where it is needed

        return LocalStore(store_root(data_dir if url in {"", LOCAL} else Path(url)), timeout_s=timeout_s)
    from ingestd.stores.elastic.query.store import ElasticStore  # noqa: PLC0415

    options, indices = server_options(url)
    return ElasticStore(options if timeout_s is None else replace(options, timeout=timeout_s), indices)


def is_builtin(url: str) -> bool:
    """Return whether ``url`` names a built-in store rather than a server.

    Raises:
        ValueError: It is a URL of something else.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return True
    if scheme.lower() not in {"http", "https"}:
        raise ValueError(f"a store is a folder or an http or https URL, not {scheme}://")
    return False


def server_options(url: str) -> tuple[ElasticOptions, str]:
    """Return the options of the connection in a URL, and the pattern of the indices.

    Raises:
        ValueError: An option is unknown or invalid; no secret is quoted.
    """
    from ingestd.stores.elastic.connection.options import ElasticOptions  # noqa: PLC0415

    try:
        parts = urlsplit(url)
    except ValueError:  # its text may quote the password
        raise ValueError(f"not a URL: {url.rpartition('@')[2].partition('?')[0]!r}") from None
    if "@" in parts.path + parts.query + parts.fragment:
        # The URL was split inside the password, so no part of it may be shown.
        raise ValueError("a password in a store's URL has %2F for /, %3F for ?, %23 for # and %40 for @")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in given:
        if name not in _NAMES:
            suggestion = did_you_mean(name, _NAMES)
            question = f": did you mean {suggestion!r}?" if suggestion else ""
            raise ValueError(f"a store's URL has no option {name!r}{question}")
    authorities = given.get("ssl_certificate_authorities")
    options = ElasticOptions(
        hosts=(urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),),
        api_key=given.get("api_key"),
        proxy=given.get("proxy"),
        ssl_verification_mode=given.get("ssl_verification_mode", "full"),
        ssl_certificate_authorities=tuple(authorities.split(",")) if authorities else (),
        timeout=_seconds(given.get("timeout", "60")),
    )
    options.resolve()
    return options, given.get("index") or INDICES


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"timeout is in seconds, not {text!r}") from None


def open_backups(url: str, data_dir: Path) -> Backups:
    """Return the backups of the store that ``url`` names; the arguments are those of `open_store`.

    Raises:
        ValueError: See `open_store`.
    """
    if is_builtin(url):
        from ingestd.stores.local.backup.backups import LocalBackups  # noqa: PLC0415

        return LocalBackups(data_dir if url in {"", LOCAL} else Path(url))
    from ingestd.stores.elastic.backup.backups import ElasticBackups  # noqa: PLC0415

    return ElasticBackups(server_options(url)[0])
