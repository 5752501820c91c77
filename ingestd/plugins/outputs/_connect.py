"""The start of a connection: which server it is, and its index template. Until both are known, events are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ingestd.logs import Outage, get_logger
from ingestd.plugins.outputs._retry import PAUSE_SECONDS, Retry
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.server import DEFAULT_TYPE, Server

log = get_logger(__name__)

_UNAUTHORIZED = 401

Step = Callable[[], Awaitable[object]]


class Connector:
    """Connects an output to its server.

    Args:
        client: Of the cluster.
        name: The plugin id of the output.
        retry: How long to wait between tries.
        document_type: Mapping type of the config, for a server that has types; empty: Logstash's.
        install_template: Installs the index template; None: it is the user's.
        set_up: What must succeed before the first event; None: nothing.

    Attributes:
        ready: Set once the server accepts events.
        document_type: Mapping type that the server needs with each document; empty: none.
    """

    def __init__(
        self,
        client: ElasticClient,
        name: str,
        retry: Retry,
        document_type: str,
        install_template: Step | None,
        set_up: Step | None = None,
    ) -> None:
        self._client, self._name, self._retry = client, name, retry
        self._type, self._install, self._set_up = document_type or DEFAULT_TYPE, install_template, set_up
        self.ready, self.document_type = asyncio.Event(), ""
        text = "no answer yet; events are kept until there is one"
        self._absent = Outage(log.warning, text, log.info, "the server answers")
        text = "the server accepts nothing yet; events are kept until it does"
        self._unwilling = Outage(log.error, text, log.info, "the server accepts events now")
        self._problem = ""

    def problems(self) -> list[str]:
        """Return why events are kept although the server answers, if they are."""
        return [f"{self._name} keeps its events: {self._problem}"] if self._problem else []

    def retry_reason(self) -> str:
        """Return why the server does not accept events yet, empty if it does."""
        return self._unwilling.reason or self._absent.reason

    async def run(self) -> None:
        """Connect, and install the template unless it is the user's."""
        await asyncio.sleep(0)  # importing the client is slow: let the inputs open first
        self._client.connect()
        await self._until_done(self._identify)
        if self._install is not None:
            await self._until_done(self._install_template)
        if self._set_up is not None:
            await self._until_done(self._set_up)
        self.ready.set()

    async def refresh(self) -> None:
        """Ask again which server it is: one that rejects requests may have been upgraded. Never raises."""
        try:
            self._note(await self._client.server(refresh=True))
        except (ElasticUnavailable, ElasticResponseError):
            return  # the next request says why

    async def _until_done(self, step: Step) -> None:
        for attempt in self._retry.attempts():
            pause = await self._pause(step)
            if pause is None:
                break
            await self._retry.wait(attempt, pause)
        self._absent.recovered(output=self._name)
        self._unwilling.recovered(output=self._name)
        self._problem = ""

    async def _pause(self, step: Step) -> float | None:
        """Do a step. If the server is absent or refuses, return the minimum seconds to the next try."""
        try:
            await step()
        except ElasticUnavailable as error:
            self._absent.failed(output=self._name, error=error)
            return 0
        except ElasticResponseError as error:
            self._absent.recovered(output=self._name)
            self._unwilling.failed(output=self._name, error=error)
            self._problem = str(error)
            return 0 if error.status == 429 or error.status >= 500 else PAUSE_SECONDS
        return None

    async def _identify(self) -> None:
        """Find out which server it is.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: It is none that we support, or the credentials are wrong.
        """
        try:
            server = await self._client.server(refresh=True)
        except ElasticResponseError as error:
            if error.status == _UNAUTHORIZED and self._install is None:
                return  # the delivery says so, and asks again for the server
            if _may_change(error) or 200 <= error.status < 300:
                raise
            # Something in between may let nothing but bulk requests pass.
            log.warning("the server's version is not known; it is treated as a new one", output=self._name, error=error)
            return
        if server.unsupported:
            raise ElasticResponseError(server.unsupported, 200)
        self._note(server)

    def _note(self, server: Server) -> None:
        self.document_type = self._type if server.has_types else ""

    async def _install_template(self) -> None:
        """Install the template: without it the first documents would give the day's index mappings that stay."""
        assert self._install is not None  # noqa: S101 -- see run
        try:
            await self._install()
        except ElasticResponseError as error:
            if _may_change(error):
                raise
            log.error("the index template could not be installed", output=self._name, error=error)
        except ValueError as error:
            log.error("the index template could not be installed", output=self._name, error=error)


def _may_change(error: ElasticResponseError) -> bool:
    return error.status in {_UNAUTHORIZED, 429} or error.status >= 500
