"""What answers: Elasticsearch 6 to 9 or OpenSearch, and what this version can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Version = tuple[int, int, int]

OLDEST: Version = (6, 0, 0)
"""Of Elasticsearch: older ones index strings and map types in other ways."""

DEFAULT_TYPE = "doc"
"""The mapping type that Logstash uses with Elasticsearch 6, so that a day's index can have events of both."""

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Server:
    """What answers: ``flavour`` is ``elasticsearch`` or ``opensearch``; ``version`` (0, 0, 0) if it hides it.

    A server that hides its version is treated as a new one, except for features that came with a minor version of 8.
    """

    flavour: str
    version: Version = (0, 0, 0)

    def __str__(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version)) if any(self.version) else 'of unknown version'}"

    @property
    def unsupported(self) -> str:
        """Why it gets no events, as a sentence; empty: it does."""
        if not self._older_than(*OLDEST):
            return ""
        return f"{self} is not supported: Elasticsearch 6 to 9 and OpenSearch are"

    @property
    def has_types(self) -> bool:
        """Whether each document and each mapping needs a mapping type."""
        return self._older_than(7, 0, 0)

    @property
    def fixed_interval(self) -> bool:
        """Whether a date histogram has ``fixed_interval``, otherwise ``interval``."""
        return not self._older_than(7, 2, 0)

    @property
    def snapshot_metadata(self) -> bool:
        """Whether a snapshot can have ``metadata``."""
        return not self._older_than(7, 3, 0)

    @property
    def can_clone(self) -> bool:
        """Whether an index can be cloned."""
        return not self._older_than(7, 4, 0)

    @property
    def composable_templates(self) -> bool:
        """Whether it has ``_index_template`` and its simulation, otherwise ``_template`` only."""
        return not self._older_than(7, 9, 0)

    @property
    def case_insensitive(self) -> bool:
        """Whether a wildcard query has ``case_insensitive``."""
        return not self._older_than(7, 10, 0)

    @property
    def subobjects(self) -> bool:
        """Whether ``subobjects: false`` works, and fields beyond the limit can be ignored."""
        return self.flavour == "elasticsearch" and self.version >= (8, 14, 0)

    def _older_than(self, *version: int) -> bool:
        return self.flavour == "elasticsearch" and any(self.version) and self.version < version


def flavour_of(answer: Any, headers: Mapping[str, str]) -> str:
    """Return ``elasticsearch`` or ``opensearch`` by the parsed answer to ``GET /`` and its headers; empty: neither."""
    if "x-opensearch-version" in headers:
        return "opensearch"
    if headers.get("x-elastic-product") == "Elasticsearch":
        return "elasticsearch"
    if isinstance(answer, dict) and isinstance(answer.get("version"), dict):
        # OpenSearch can be set up to pass for Elasticsearch 7.10; its tagline stays.
        own = (answer["version"].get("distribution"), str(answer.get("tagline")))
        return "opensearch" if own[0] == "opensearch" or "OpenSearch" in own[1] else "elasticsearch"
    return ""


def parse_version(text: str) -> Version:
    """Return the three numbers of a version, (0, 0, 0) if there is none in ``text``."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)
