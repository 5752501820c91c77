"""Watches whether the indices that an output writes have room for new fields."""

from __future__ import annotations

from ingestd.logs import get_logger
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.field_limit import FullIndex, full_indices

log = get_logger(__name__)

_MAX_INDICES = 50
"""Most indices that are looked at in one check: their names are part of a URL, and their mappings may be long."""


class FullIndices:
    """The indices of an output without room for new fields.

    Attributes:
        written: The names of indices that events were sent to since the last check.
    """

    def __init__(self, client: ElasticClient, name: str) -> None:
        self._client, self._name = client, name
        self._full: dict[str, FullIndex] = {}
        self.written: set[str] = set()

    def problems(self) -> list[str]:
        """Return a sentence for each of these indices."""
        return [str(full) for full in self._full.values()]

    async def check(self) -> None:
        """Look at the indices that were written; log those that have become full."""
        if not self.written:
            return
        written, self.written = sorted(self.written)[-_MAX_INDICES:], set()
        try:
            found = await full_indices(self._client, ",".join(written))
        except (ElasticUnavailable, ElasticResponseError):
            return  # the delivery says what is wrong, or the account lacks a privilege that it does not need
        for full in found:
            if full.index not in self._full:
                log.error("an index has no room for new fields", output=self._name, reason=full)
        self._full = {full.index: full for full in found}
