"""What all tests share: their settings, and how they are spread over processes (``pytest -n 2``, pytest-xdist)."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import random
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ingestd.supervisor.logs import RateLimitedHandler
from tests.e2e.machine import remove_left_machines
from tests.e2e.servers import LEGACY_SERVERS, SEARCH_SERVERS, SharedTestbed, Testbed
from tests.leftovers import mark_processes, remove_leftovers
from tests.random_cases import sampled, share, use_a_tenth
from tests.xdist_workers import ShortReports, compile_a_share

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling

# How long something takes says nothing on a machine that is busy with other work.
# Fixtures that all cases of a property share hold nothing of a case.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("patient")

_SHARED_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 8 << 30


def _temporary_files_in_memory() -> None:
    """Where there is much of it: then the many calls of fsync, which all tests make, cost no time."""
    try:
        found = os.statvfs(_SHARED_MEMORY)
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return
    if min(found.f_bavail * found.f_frsize, available) >= _ENOUGH_BYTES and os.access(_SHARED_MEMORY, os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_SHARED_MEMORY))


_temporary_files_in_memory()

# Thousands of tests are collected, of which nothing is garbage: looking for it takes longer than collecting them.
gc.disable()
atexit.register(gc.unfreeze)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script: commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

TESTBED = pytest.StashKey[Testbed | SharedTestbed]()

FAILED = pytest.StashKey[bool]()

FIRST = (
    "tests/e2e/test_lifecycle_faults.py",
    "tests/e2e/test_release.py",
    "tests/e2e/test_real_systemd.py",
    "tests/e2e/chaos/test_health.py",
    "tests/e2e/dashboard/",
    "tests/e2e/test_import_export.py",
)
"""What takes longest: no process is to be left alone with it at the end. Then come the tests of the search servers,
which have started by then, and the rest."""

END_TO_END = "tests/e2e/"
SECONDS = {
    "tests/e2e/chaos/test_disk_full.py": 90,
    "tests/e2e/chaos/test_hostile.py": 80,
    "tests/e2e/chaos/test_books.py": 50,
    "tests/e2e/chaos/test_kills.py": 45,
    "tests/e2e/chaos/test_server_faults.py": 25,
    "tests/e2e/chaos/": 15,
    "tests/e2e/test_kafka.py": 40,
    "tests/e2e/test_visits.py": 30,
    "tests/e2e/test_s3_output.py": 25,
    "tests/e2e/test_upgrade.py": 25,
    "tests/e2e/test_tcp.py": 25,
    "tests/e2e/test_stop.py": 20,
    "tests/e2e/test_long_lines.py": 20,
    "tests/e2e/test_delivery_faults.py": 20,
    "tests/e2e/": 8,
    "tests/stores/local/sealing/test_sealer.py": 15,
    "tests/stores/test_suite.py": 30,
    "tests/stores/": 5,
    "tests/web/processes/": 5,
    "tests/lifecycle/": 4,
    "tests/cli/test_damaged_folder.py": 4,
    "tests/bench/": 3,
    "tests/plugins/test_compliance.py": 4,
    "tests/grok/patterns/": 4,
}
"""About how long files take, the first that fits; any other test takes a hundredth of a second."""

_REST, _END_OF_WAITING = len(FIRST) + 1, 0.9


@pytest.fixture(scope="session", autouse=True)
def frozen() -> Iterator[None]:
    """Keep the garbage collector away from the collected tests, also after commands that ran in this process: each of
    its runs would take half a second.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "unfreeze", lambda: None)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Have the log as Python has it: commands that ran in this process before have set it up.

    As a fixture of each test it would cost ten times as much.
    """
    root = logging.getLogger()
    for handler in [*root.handlers]:
        if isinstance(handler, RateLimitedHandler):
            root.removeHandler(handler)
    for logger, level in ((root, logging.WARNING), (logging.getLogger("ingestd"), logging.NOTSET)):
        if logger.level != level:  # setting it makes all loggers forget what they know
            logger.setLevel(level)
    logging.captureWarnings(False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of ``make test-fast``."""
    kills = "Tests that kill a process at steps of its work do so at a tenth of the steps, from a random one."
    cases = "Properties are tried with a tenth of the random cases, stores with a tenth of the questions."
    tables = "Of large tables, and of those whose rows take long, a tenth is tried, other rows each time."
    parser.addoption("--fast", action="store_true", help=f"{kills} {cases} {tables}")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many random cases are tried, and remove what is left of test runs that were killed."""
    if config.getoption("fast"):
        use_a_tenth()
    mark_processes()
    if hasattr(config, "workerinput"):
        atexit.register(_leave, os.getpid())
        if not (config.option.durations or config.option.xmlpath):
            config.pluginmanager.register(ShortReports(config))
    elif not config.option.collectonly:
        remove_leftovers()
        remove_left_machines()


def _leave(pid: int) -> None:
    """End a process of pytest-xdist, which has reported everything: to free every object takes more than a second."""
    if os.getpid() == pid:
        os._exit(0)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """In a fresh clone, divide the work of compiling the tests among the processes of pytest-xdist."""
    if worker := getattr(session.config, "workerinput", None):
        compile_a_share(session.config, worker)
    return (yield)


@pytest.fixture
def kill_steps() -> list[str]:
    """The first step at which a process is killed, and how many further the next is, as arguments of a command."""
    further = share(usual=10)
    return [str(random.randint(1, further)), str(further)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the rows of tables that are tried, and put the tests into an order in which all processors have work, and
    all processes end at about the same time.
    """
    _leave_out_rows(config, items)
    places = _places([item.nodeid for item in items])
    items.sort(key=lambda item: places[_file(item.nodeid)])
    items.sort(key=lambda item: _turn(item.nodeid))


def _leave_out_rows(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of tests that are marked as ``sampled``, leave out the rows that are not tried this time."""
    tables: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker("sampled"):
            table = _file(item.nodeid) if mark.kwargs.get("of") == "file" else item.nodeid.partition("[")[0]
            tables.setdefault((table, mark.kwargs.get("usual", 1)), []).append(item)
    left_out = {item for (_, usual), rows in tables.items() for item in set(rows).difference(sampled(rows, usual))}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes ``-n auto`` is: tests that wait for something leave a part of their processors idle.

    Those of ``tests/e2e`` do so most.
    """
    has_end_to_end = not any("e2e" in Path(folder).parts for folder in config.option.ignore or ())
    return len(os.sched_getaffinity(0)) + (3 if has_end_to_end else 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Let each file, and all tests of one search server, run in one process: they share what is expensive."""
    from tests.xdist_scheduling import Scheduler  # noqa: PLC0415 - it needs pytest-xdist, which may not be there

    return Scheduler(config, log, lambda test: _server(test) or _file(test))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers that the chosen tests need, so that they are up when the first of these comes."""
    gc.freeze()
    gc.enable()
    if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        _start(session.config, [item.nodeid for item in session.items])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Say to a process of pytest-xdist where the servers will be."""
    node.workerinput["testbed"] = str(_own_testbed(node.config).folder)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready() -> None:
    """Have Hypothesis compute once, in a fresh clone, what it keeps in a file, rather than in each process."""
    st.characters(codec="utf-8").validate()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Iterable[str]) -> None:
    """The same as `pytest_collection_finish`, for all processes together, in the one that started them."""
    if not node.config.option.collectonly:
        _start(node.config, ids)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Free what a failed test has left open: no other test is to get a warning about it."""
    done = yield
    if item.stash.get(FAILED, False):
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            sys.__dict__.pop(name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which test has failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def testbed(config: pytest.Config) -> Testbed | SharedTestbed:
    """Return the search servers of this session."""
    if (folder := getattr(config, "workerinput", {}).get("testbed")) is None:
        return _own_testbed(config)
    if TESTBED not in config.stash:
        config.stash[TESTBED] = SharedTestbed(Path(folder))
    return config.stash[TESTBED]


def _own_testbed(config: pytest.Config) -> Testbed:
    if TESTBED not in config.stash:
        config.stash[TESTBED] = made = Testbed()
        config.add_cleanup(made.stop)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the cleanup is not left out
    found = config.stash[TESTBED]
    assert isinstance(found, Testbed)
    return found


def _start(config: pytest.Config, tests: Iterable[str]) -> None:
    for name in sorted({server for test in tests if (server := _server(test))}):
        _own_testbed(config).start(name)


def _server(test: str) -> str | None:
    """Return the search server that a test needs: one of its parameters."""
    return next((name for name in SEARCH_SERVERS + LEGACY_SERVERS if name in test), None)


def _turn(test: str) -> int:
    if _server(test):
        return len(FIRST)
    return next((turn for turn, start in enumerate(FIRST) if test.startswith(start)), _REST)


def _places(tests: Iterable[str]) -> dict[str, float]:
    """Return a place of each file, 0 to 1: between the end-to-end tests, which mostly wait for something, come the
    others, which keep a processor busy. The end-to-end tests are over a little before them, and of both the longest
    come first: no process is to be left alone with one of them.
    """
    counts = Counter(map(_file, tests))
    seconds = {file: _seconds(file, counts[file]) for file in counts}
    files = sorted(counts, key=lambda file: -seconds[file])
    waiting = [file for file in files if file.startswith(END_TO_END)]
    others = [file for file in files if file not in waiting]
    places: dict[str, float] = {}
    for some, end in ((waiting, _END_OF_WAITING), (others, 1.0)):
        total, before = sum(seconds[file] for file in some), 0.0
        for file in some:
            places[file] = end * before / total
            before += seconds[file]
    return places


def _seconds(file: str, tests: int) -> float:
    return next((float(known) for start, known in SECONDS.items() if file.startswith(start)), tests / 100)


def _file(test: str) -> str:
    return test.partition("::")[0]
