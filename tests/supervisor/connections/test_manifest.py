"""The manifest of the connections: it outlives the supervisor, whenever that is killed, and its size is bounded."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingestd.supervisor.connections.manifest import Manifest, ShortNames, is_manifest
from ingestd.supervisor.notify import Notifier


class Store(Notifier):
    """Keeps duplicates of descriptors, as systemd does."""

    def __init__(self) -> None:
        super().__init__({})
        self.files: dict[str, int] = {}
        self.killed = False
        """Whether the supervisor is killed before it forgets a file."""

    def store(self, name: str, fd: int) -> None:
        assert is_manifest(name)
        self.files[name] = os.dup(fd)

    def forget(self, name: str) -> None:
        if not self.killed:
            os.close(self.files.pop(name))


def entry(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "id": f"{number}", "worker": number % 3, "pipeline": "main", "input": "서울"}


def adopted(store: Store) -> dict[str, dict[str, Any]]:
    return Manifest(store).adopt(list(store.files.items()))


def test_entries_outlive_the_process() -> None:
    store = Store()
    manifest = Manifest(store)
    manifest.append(entry("c0", 1))
    manifest.append(entry("c1", 2))
    manifest.append(entry("c0", 3))  # the name was released and taken again
    manifest.close()
    assert adopted(store) == {"c0": entry("c0", 3), "c1": entry("c1", 2)}


def test_supervisor_killed_while_it_replaces_the_file() -> None:
    store = Store()
    manifest = Manifest(store)
    manifest.append(entry("c0", 1))
    store.killed = True
    manifest.rewrite([entry("c0", 2)])
    manifest.close()
    assert sorted(store.files) == ["m1", "m2"]
    store.killed = False
    following = Manifest(store)
    assert following.adopt(list(store.files.items())) == {"c0": entry("c0", 2)}
    store.files = {name: os.open(os.devnull, os.O_RDONLY) for name in store.files}  # adopt closed its descriptors
    following.rewrite([entry("c0", 2)])
    following.close()
    assert list(store.files) == ["m3"]
    assert adopted(store) == {"c0": entry("c0", 2)}


def test_cut_line_costs_no_other() -> None:
    store = Store()
    manifest = Manifest(store)
    manifest.append(entry("c0", 1))
    os.write(manifest.fileno(), b'{"name":"c1",')
    manifest.append(entry("c2", 2))
    manifest.close()
    assert adopted(store) == {"c0": entry("c0", 1), "c2": entry("c2", 2)}


def test_file_is_replaced_before_it_grows() -> None:
    manifest = Manifest(Store())
    for number in range(1001):
        assert not manifest.needs_rewriting(0)
        manifest.append(entry("c0", number))
    assert manifest.needs_rewriting(0)
    assert not manifest.needs_rewriting(1)
    manifest.close()


@given(
    reserved=st.sets(st.integers(0, 20)),
    steps=st.lists(st.booleans(), max_size=60),
)
def test_names_are_the_lowest_free_ones(reserved: set[int], steps: list[bool]) -> None:
    names = ShortNames()
    names.reserve(f"c{number:x}" for number in reserved)
    taken = set(reserved)
    for take in steps:
        if take:
            lowest = next(number for number in range(100) if number not in taken)
            assert names.take() == f"c{lowest:x}"
            taken.add(lowest)
        elif taken:
            number = min(taken)
            taken.remove(number)
            names.release(f"c{number:x}")


def test_names_of_all_connections_that_systemd_stores_fit_into_its_variable() -> None:
    """16,384 are as many as packaging/ingestd.service allows."""
    names = ShortNames()
    variable = "LISTEN_FDNAMES=" + ":".join(names.take() for _ in range(16384))
    assert len(variable) < 128 * 1024
