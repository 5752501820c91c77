"""Which indices a query is about: those of the store, and those restored under another name if it names them.

Such an index has the alias ``ingestd-copy-of-`` and the name of the index that its backup is of, which it gets in the
request that creates it. So one request finds all of them on every server, whatever their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestd.stores.elastic.connection.errors import ElasticResponseError
from ingestd.stores.query import Condition, names_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingestd.stores.elastic.connection.client import ElasticClient

COPY_ALIAS = "ingestd-copy-of-"
COPIES = f"{COPY_ALIAS}*"


@dataclass(frozen=True, slots=True)
class Scope:
    """``indices``: names and patterns to search in; ``left_out``: indices in them that the query does not ask for.

    ``names``: all indices in them, only known for a query that looks at the name of the index.
    """

    indices: str
    left_out: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def scope_of(indices: str, condition: Condition | None, copies: Iterable[str]) -> Scope:
    """Return the scope of a query on ``indices``; ``copies`` are those that were restored under another name."""
    left_out = tuple(sorted(index for index in copies if not names_index(condition, index)))
    everything = len(left_out) < len(set(copies))
    return Scope(f"{indices},{COPIES}" if everything else indices, left_out)


async def read_copies(client: ElasticClient) -> Mapping[str, str]:
    """Return the indices that were restored under another name, and the indices whose backups they are.

    An account that may not read aliases knows of none.

    Raises:
        ElasticUnavailable: No answer.
        ElasticResponseError: The server answered with another error.
    """
    try:
        found: Mapping[str, Mapping[str, Mapping[str, object]]] = await client.request("GET", f"/_alias/{COPIES}")
    except ElasticResponseError as error:
        if error.status in {403, 404}:
            return {}
        raise
    return {
        index: alias.removeprefix(COPY_ALIAS)
        for index, body in found.items()
        for alias in body["aliases"]
        if alias.startswith(COPY_ALIAS)
    }
