"""Run as a program by ``test_sealer_faults``: seal a store repeatedly, killed at a later step each time.

A step is a call to the system that changes something, or one of DuckDB that writes a file. After each death the store
is read, written and sealed on by a new process, which does so for several stores, and must hold what was appended, each
event once. Arguments: the store, a folder to work in, how many small files are left alone, the first step to be killed
at, how many steps further the next is. Prints the step that was not reached.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 -- here once: otherwise each child would take 90 ms for it

from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing.parquet import ParquetWriter
from ingestd.stores.local.sealing.parquet_reader import ParquetReader
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Query
from tests.dying import die_at, fork, is_killed
from tests.stores.shared_duckdb import SharedDuckDB

_AT_ONCE = 8
_END = "end of a store\n"


def main(template: Path, work: Path, small_files: int, first: int, stride: int) -> None:
    """Kill until there are no more steps."""
    policy = Policy(idle_s=0, small_files=small_files)
    expected = in_child(lambda: print_keys(template))
    step, was_killed = first, True
    while was_killed:
        roots: dict[int, Path] = {}
        while was_killed and len(roots) < _AT_ONCE:
            roots[step] = shutil.copytree(template, work / str(step))
            was_killed = is_killed(step, partial(die, step, roots[step], policy))
            step += stride
        printed = in_child(partial(resume, roots.values(), policy)).split(_END)[:-1]
        wrong = [step for step, text in zip(roots, printed, strict=True) if text != expected + expected + "+x\n"]
        assert not wrong, f"killed at steps {wrong}"
        for root in roots.values():
            shutil.rmtree(root)
    sys.stdout.write(f"{step - stride}\n")


def die(step: int, root: Path, policy: Policy) -> None:
    """Seal, and die at a step."""
    counted = die_at(step, "rename", "unlink", "fsync", "ftruncate", "rmdir", "mkdir")
    usual = ParquetWriter._run
    writing = counted(usual)

    def run(writer: ParquetReader, sql: str, parameters: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = (writing if sql.startswith("COPY") else usual)(writer, sql, parameters)
        return rows

    ParquetWriter._run = run  # type: ignore[method-assign]
    seal_all(root, policy)


def seal_all(root: Path, policy: Policy) -> None:
    """Seal until nothing is due: a pass rewrites at most one file of an older version."""
    while seal_once(root, policy):
        pass


def resume(roots: Iterable[Path], policy: Policy) -> None:
    """Do what a restart does, with each store: read, look up the last ids, append; then seal, and read."""
    with SharedDuckDB(bounded=False).used():
        for root in roots:
            _resume(root, policy)
            sys.stdout.write(_END)


def _resume(root: Path, policy: Policy) -> None:
    print_keys(root)
    writer = LocalWriter(root, "w1")
    known = writer.last_ids("logstash-2026.11.22", 1 << 20)
    assert known == {f"b{n}" for n in range(9)}, sorted(known)
    writer.append("logstash-2026.11.22", [b'{"+":"x"}'], ["+x"])
    writer.close()
    seal_all(root, policy)
    for folder in root.glob("log*"):
        append_logs, sealed = manifest.contents(folder)
        assert append_logs == []
        assert all(isinstance(file.columns, dict) for file in sealed.files)
        ids = {f"ids-{writer}-{number:05d}.txt" for writer, number in sealed.sealed.items()}
        others = {path.name for path in folder.iterdir() if ".torn-" not in path.name}
        assert others == {"sealed.json", *ids, *(file.name for file in sealed.files)}
    assert not (root / ".sealing").exists()
    print_keys(root)


def print_keys(root: Path) -> None:
    """Print the ids of all events, after checking that the counts agree."""
    store = LocalStore(root, threads=1)
    keys = [hit.id for hit in store.search(Query(), 0)]
    assert store.count(Query()) == len(keys)
    sys.stdout.write("".join(f"{key}\n" for key in keys))


def in_child(function: Callable[[], None]) -> str:
    """Run a function in a separate process and return what it printed."""
    read, write = os.pipe()

    def call() -> None:
        os.dup2(write, 1)
        function()

    pid = fork(call)
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    assert os.waitpid(pid, 0)[1] == 0, text
    return text


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
