"""Watches whether the indices that an output writes have room for new fields."""

from __future__ import annotations

from ingestd.logs import get_logger
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.field_limit import FullIndex, full_indices

log = get_logger(__name__)

_MAX_INDICES = 50
"""Maximum number of indices in one check: their names are part of a URL, and their mappings may be long."""


_MAX_QUIET_CHECKS = 120
"""After this many checks without an event, an hour, an index no longer counts as being written."""


class FullIndices:
    """The indices of an output without room for new fields.

    Attributes:
        written: The names of indices that events were sent to since the last check.
    """

    def __init__(self, client: ElasticClient, name: str) -> None:
        self._client, self._name = client, name
        self._full: dict[str, FullIndex] = {}
        self._quiet: dict[str, int] = {}  # how many checks ago a full index was written
        self.written: set[str] = set()

    def problems(self) -> list[str]:
        """Return a sentence for each of these indices."""
        return [str(full) for full in self._full.values()]

    async def check(self) -> None:
        """Look at the indices that were written; log those that have become full."""
        self._forget_quiet()
        names, self.written = sorted(self.written | self._full.keys())[-_MAX_INDICES:], set()
        if not names:
            return
        try:
            found = await full_indices(self._client, ",".join(names))
        except (ElasticUnavailable, ElasticResponseError):
            return  # the delivery says what is wrong, or the account lacks a privilege that it does not need
        for full in found:
            if full.index not in self._full:
                log.error("an index has no room for new fields", output=self._name, reason=full)
        self._full = {full.index: full for full in found}

    def _forget_quiet(self) -> None:
        """Forget full indices that have not been written for long, such as those of past days."""
        quiet = {index: 0 if index in self.written else self._quiet.get(index, 0) + 1 for index in self._full}
        self._quiet = {index: checks for index, checks in quiet.items() if checks <= _MAX_QUIET_CHECKS}
        self._full = {index: full for index, full in self._full.items() if index in self._quiet}
