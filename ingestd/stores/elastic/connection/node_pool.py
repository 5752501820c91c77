"""The nodes of a cluster, used in turn; one that fails is left out for a while."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

Node = TypeVar("Node")

_LONGEST_S = 30.0


class NodePool(Generic[Node]):
    """Chooses the node for each request. All methods belong to one event loop.

    A node that fails is tried again after a second, twice as long each time that it fails again, at most 30 s; earlier
    if no other is left.

    Args:
        nodes: At least one. They are shuffled, so that processes that start together do not all ask the same first.
        by_time: False: one that failed is only used again once it has ``succeeded``, or if no other is left.
        clock: Returns seconds.
    """

    def __init__(
        self, nodes: Iterable[Node], *, by_time: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._alive = [*nodes]
        random.shuffle(self._alive)
        self._by_time, self._clock = by_time, clock
        self._turns = itertools.count()
        self._failed: dict[Node, float] = {}  # when to try again
        self._failures: dict[Node, int] = {}  # in a row

    @property
    def nodes(self) -> Sequence[Node]:
        """All of them."""
        return [*self._alive, *self._failed]

    @property
    def left_out(self) -> Sequence[Node]:
        """Those that failed and are not used."""
        return [*self._failed]

    def add(self, node: Node) -> None:
        """Use another node as well."""
        self._alive.append(node)

    def get(self) -> Node:
        """Return the node for the next request."""
        if self._failed:
            earliest = min(self._failed, key=self._failed.__getitem__)
            if not self._alive or (self._by_time and self._failed[earliest] <= self._clock()):
                self._use(earliest)
        return self._alive[next(self._turns) % len(self._alive)]

    def failed(self, node: Node) -> None:
        """Leave out a node: it did not answer, or said that it is not well."""
        failures = self._failures[node] = self._failures.get(node, 0) + 1
        if node in self._alive:
            self._alive.remove(node)
        self._failed[node] = self._clock() + min(2.0 ** min(failures - 1, 10), _LONGEST_S)

    def succeeded(self, node: Node) -> None:
        """Use a node that is well: it has answered."""
        if self._failures.pop(node, 0):
            self._use(node)

    def _use(self, node: Node) -> None:
        if self._failed.pop(node, None) is not None:
            self._alive.append(node)
