"""The cursor of a hit: its place in the order of the search, so that the next page begins behind it.

Pages neither skip nor repeat what was there for the first of them, whatever is appended or sealed in between:
a place is the time and the id, not a position in a file. Documents without ids may share a place; then it counts
how many of them were seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from dataclasses import dataclass

import orjson

from ingestd.stores.local.query.sql import Place, bound
from ingestd.stores.query import Query


@dataclass(frozen=True, slots=True)
class Cursor:
    """``seen`` documents at ``place`` and all before it were returned."""

    place: Place
    seen: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor of a text.

        Raises:
            ValueError: It is none.
        """
        with contextlib.suppress(orjson.JSONDecodeError):
            match orjson.loads(text):
                case [int() | None as time, str(key), int(seen)] if seen > 0:
                    return cls(Place(time, key), seen)
        raise ValueError(f"{text!r} is no cursor of this store")

    def text(self) -> str:
        """Return the form that `parse` takes."""
        return orjson.dumps([self.place.time, self.place.id, self.seen]).decode()

    def narrow(self, query: Query) -> Query:
        """Return the query without the time before the cursor, if it has one: fewer files need to be read."""
        if self.place.time is None:
            return query
        after = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=self.place.time + 1)
        until = after.isoformat(timespec="microseconds") + "Z"
        if query.until is not None and bound(query.until) <= bound(until):
            return query
        return dataclasses.replace(query, until=until)
