"""Days that are imported although retention keeps none as old: announced before they are stored, then spared a while.

Without that, the next night would delete what was imported. The indices count as restored, so they stay for
``restore.keep``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ingestd.event.batch import Batch
from ingestd.event.tally import Tally
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Output, Prepared
from ingestd.stores.base import StoreError

log = get_logger(__name__)


@dataclass(slots=True)
class OldDays:
    """The indices of an import that are older than retention keeps.

    Attributes:
        is_old: Whether retention would delete an index of this name because of its age.
        announce: Called with the first of them, before anything is stored in it.
        indices: All that were stored so far.
    """

    is_old: Callable[[str], bool]
    announce: Callable[[str], None]
    indices: set[str] = field(default_factory=set)
    _young: set[str] = field(default_factory=set)

    def new_among(self, names: Sequence[str]) -> list[str]:
        """Return the old indices that had no event yet, and announce the first of all."""
        names = sorted(set(names) - self._young - self.indices)
        old = [name for name in names if self.is_old(name)]
        self._young.update(set(names) - set(old))
        if old and not self.indices:
            self.announce(old[0])
        self.indices.update(old)
        return old


class _WithIndices(Protocol):
    @property
    def indices(self) -> Sequence[str]: ...


P = TypeVar("P", bound=_WithIndices)


class KeepOldDays(Generic[P]):
    """The output ``inner``, which stores indices; those that are too old count as restored.

    Args:
        old_days: Shared by the outputs of an import.
        mark: Makes an index that exists count as restored. Raises StoreError.
    """

    def __init__(self, inner: Output[P], old_days: OldDays, mark: Callable[[str], None]) -> None:
        self._inner, self._old_days, self._mark = inner, old_days, mark
        self.concurrency, self.batch_bytes = inner.concurrency, inner.batch_bytes

    async def open(self) -> None:
        """Open it; see ``Output``."""
        await self._inner.open()

    def prepare(self, batch: Batch) -> Prepared[P]:
        """Return the documents; see ``Output``."""
        return self._inner.prepare(batch)

    async def deliver(self, payloads: Sequence[P]) -> Sequence[Tally] | None:
        """Deliver, and mark the old indices that are new."""
        old = self._old_days.new_among([index for payload in payloads for index in set(payload.indices)])
        tallies = await self._inner.deliver(payloads)
        for index in old:
            try:
                await asyncio.to_thread(self._mark, index)
            except StoreError as error:
                text = "an imported index could not be marked to stay: retention deletes it as if it were no import"
                log.warning(text, index=index, error=error)
        return tallies

    async def close(self) -> None:
        """Close it; see ``Output``."""
        await self._inner.close()
