"""Asks the daemons of a fleet for their accounts, over HTTP."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

import click
import msgspec

from ingestd.cli.daemons.daemon_metrics import bearer
from ingestd.decoders import decoder
from ingestd.pipeline.fleet import Fleet, KafkaOffsets, Node, NodeAccounts, add_up, topics_of

_PORT = 9600
_TIMEOUT_S = 10.0
_KAFKA_TIMEOUT_S = 60.0
"""The daemon asks its brokers first, each of which may take long; that it answers at all is known before."""
_AT_ONCE = 16
_TOPICS_AT_ONCE = 200
"""As many as ``api/kafka`` takes."""

_Document = TypeVar("_Document")


class _Kafka(msgspec.Struct):
    kafka: list[KafkaOffsets]


def ask_fleet(hosts: Sequence[str], token: str) -> Fleet:
    """Return the accounts of all daemons.

    All are asked for their accounts, then for what is in Kafka, then once more: so events that are on their way
    meanwhile do not look as if they were missing.

    Args:
        hosts: ``HOST``, ``HOST:PORT`` or a URL, of which a user and a password are for a proxy in front.
        token: The setting ``http_token`` of the daemons; empty: none.

    Raises:
        click.ClickException: A daemon does not answer, or cannot say.
    """
    daemons = [Daemon(host, token) for host in hosts]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        before = list(pool.map(Daemon.accounts, daemons))
        topics = sorted({topic for accounts in before for topic in topics_of(accounts)})
        kafka = list(pool.map(lambda daemon: daemon.kafka(topics), daemons))
        after = list(pool.map(Daemon.accounts, daemons))
    return add_up(
        [Node(*parts) for parts in zip([daemon.name for daemon in daemons], before, kafka, after, strict=True)]
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes an error of a redirect: urllib would send the token to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Daemon:
    """A daemon at an address.

    Raises:
        click.ClickException: The address is none.
    """

    def __init__(self, host: str, token: str) -> None:
        try:
            url = urlsplit(_url(host))
            port = url.port or (443 if url.scheme == "https" else _PORT)
            (url.hostname or "").encode("idna")
        except ValueError:
            url, port = SplitResult("", "", "", "", ""), 0
        if url.scheme not in ("http", "https") or not url.hostname:
            raise click.BadParameter(f"{host!r} is not a host: write HOST, HOST:PORT or http://HOST:PORT/PREFIX")
        where = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        self.name = f"{where}:{port}{url.path.rstrip('/')}"
        self._base = f"{url.scheme}://{self.name}"
        self._headers = {"Authorization": _authorization(url, token)} if url.username or token else {}

    def accounts(self) -> NodeAccounts:
        """Return its accounts."""
        return self._get("accounts", NodeAccounts, _TIMEOUT_S)

    def kafka(self, topics: Sequence[str]) -> tuple[KafkaOffsets, ...]:
        """Return the offsets of its inputs and outputs ``kafka``, also of these topics."""
        found = self._kafka(topics[:_TOPICS_AT_ONCE])
        for start in range(_TOPICS_AT_ONCE, len(topics), _TOPICS_AT_ONCE):
            found += [client for client in self._kafka(topics[start : start + _TOPICS_AT_ONCE]) if not client.group]
        for client in found:
            if client.problem:
                raise self._failure(f"cannot ask Kafka at {client.servers}: {client.problem}")
        return tuple(found)

    def _kafka(self, topics: Sequence[str]) -> list[KafkaOffsets]:
        return self._get("kafka?" + _topic_query(topics), _Kafka, _KAFKA_TIMEOUT_S).kafka

    def _get(self, path: str, document: type[_Document], timeout_s: float) -> _Document:
        request = urllib.request.Request(f"{self._base}/api/{path}", headers=self._headers)  # noqa: S310 -- checked
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                return decoder(document).decode(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise self._failure(f"does not answer: {getattr(reason, 'strerror', None) or reason}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._failure("does not answer like an ingestd of this version") from None

    def _refusal(self, error: urllib.error.HTTPError) -> click.ClickException:
        if error.code == 401:
            return self._failure(
                "requires its token: set INGESTD_HTTP_TOKEN or http_token_file to the daemons' http_token"
            )
        if 300 <= error.code < 400:
            return self._failure(f"redirects to {error.headers['Location']}: name the daemon's own address")
        if error.code == 404:
            return self._failure("has no accounts to show: its ingestd is older, or the path prefix is wrong")
        return self._failure(f"answers with status {error.code}: {_message(error.read())}")

    def _failure(self, what: str) -> click.ClickException:
        return click.ClickException(f"{self.name} {what}")


def _url(host: str) -> str:
    """Return the URL of a host; an IPv6 address needs no brackets if no port follows."""
    if "://" in host:
        return host
    try:
        return f"http://[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return f"http://{host}"


def _topic_query(topics: Sequence[str]) -> str:
    return urlencode([("topic", topic) for topic in topics])


def _authorization(url: SplitResult, token: str) -> str:
    if not url.username:
        return bearer(token)
    login = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return "Basic " + base64.b64encode(login.encode()).decode()


def _message(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
        return str(document["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace").strip() or "no reason"
