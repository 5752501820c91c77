"""How pytest-xdist gives tests to its processes: whole files, at little cost for thousands of tests.

The scheduler that this is made from looks, with each result, through all tests that its process has had so far, and for
each test through the list of all. Here what is done is forgotten, and the place of a test is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # its types are not known
    """``scope`` says of a test, by its id, with which others it runs in one process."""

    def __init__(self, config: pytest.Config, log: Any, scope: Callable[[str], str]) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._scope = scope

    def _split_scope(self, nodeid: str) -> str:
        return self._scope(nodeid)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Note which tests a process has found."""
        super().add_node_collection(node, collection)
        if node in self.registered_collections:
            self.registered_collections[node] = _Numbered(self.registered_collections[node])

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Note that a test has ended; a file that has ended is forgotten."""
        super().mark_test_complete(node, item_index, duration)
        scope, files = self._scope(self.registered_collections[node][item_index]), self.assigned_work[node]
        if all(files[scope].values()):
            del files[scope]


class _Numbered(list[str]):
    """A list in which a test is found at once."""

    def __init__(self, tests: Sequence[str]) -> None:
        super().__init__(tests)
        self._places = {test: place for place, test in enumerate(tests)}

    def index(self, test: str, *limits: Any) -> int:
        """Return the place of a test."""
        return self._places[test]
