"""The arrows between packages: each imports only from itself and from lower layers.

The lowest layer and the two languages, config and grok, are pure as well: what they do depends on nothing but
their arguments.
"""

import ast
import functools
import itertools
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import ingestd

ROOT = Path(ingestd.__file__).parent
LAYERS = [
    {"decoders", "display", "files", "logs", "names", "recipes", "suggest", "units"},
    {"action_log", "documents", "event", "metrics", "protocols", "settings", "tasks"},
    {"config", "geoip", "grok", "journal", "kibana", "stores"},
    {"analytics", "dead_letters"},
    {"plugins"},
    {"compiler"},
    {"lifecycle", "pipeline"},
    {"alerts", "diagnosis", "supervisor"},
    {"jobs", "web"},
    {"app"},
    {"cli"},
    {"__main__"},
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
SUBLAYERS = {
    "ingestd.protocols": [{"framing"}, {"http", "otlp", "records"}],
    "ingestd.grok": [{"errors"}, {"syntax"}, {"proof"}],
    "ingestd.stores": [
        {"known_fields"},
        {"words", "query"},
        {"lucene"},
        {"*"},
        {"elastic", "local"},
        {"export", "open"},
    ],
    "ingestd.stores.local": [{"index"}, {"duckdb"}, {"append_logs"}, {"sealing", "query"}, {"backup"}],
    "ingestd.supervisor": [{"notify", "state"}, {"connections"}, {"processes"}, {"control"}],
    "ingestd.web": [
        *({"health", "params", "protocol"}, {"responses"}, {"auth"}, {"dashboard_config"}, {"*"}),
        *({"processes"}, {"api"}, {"app"}),
    ],
    "ingestd.app": [{"*"}, {"jobs", "migration"}],
    "ingestd.cli": [{"common"}, {"daemons"}, {"commands"}],
}
"""The layers within packages, as `LAYERS`; modules that are not named are above all others, or where the ``*`` is."""
MAX_LINES, MAX_MODULES = 400, 15
"""Of a module; of a package, except those that have a module for each plugin or command."""

PURE = {
    "event",
    "metrics",
    "protocols",
    "settings",
    "units",
    "display",
    "names",
    "recipes",
    "suggest",
    "config",
    "grok",
    "kibana",
}
IMPURE_MODULES = {
    *("asyncio", "logging", "multiprocessing", "random", "secrets", "select", "selectors", "signal", "socket"),
    *("subprocess", "tempfile", "threading", "time", "urllib.request", "ingestd.logs"),
}
CLOCKS = {"now", "utcnow", "today"}

FILES = sorted(ROOT.rglob("*.py"))


def package_of(module: str) -> str:
    """``ingestd.event.fields`` -> ``event``; the package's own ``__init__`` -> an empty string."""
    return (module + ".").split(".")[1]


def part_of(module: str, package: str) -> str:
    """``ingestd.stores.local.index.layout`` in ``ingestd.stores.local`` -> ``index``."""
    return module.removeprefix(package + ".").partition(".")[0]


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the modules imported anywhere in a file, also inside of functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they go"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def package_with(path: Path) -> str:
    """Return the package that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


PACKAGES = {package: list(files) for package, files in itertools.groupby(FILES, package_with)}


class Module:
    """What a file imports, and the names of the methods that it calls."""

    def __init__(self, path: Path) -> None:
        nodes = [*ast.walk(ast.parse(path.read_text("utf-8")))]
        self.imports = {*imports(nodes)}
        functions = [node.func for node in nodes if isinstance(node, ast.Call)]
        self.methods = {function.attr for function in functions if isinstance(function, ast.Attribute)}


read = functools.cache(Module)
"""Each file is parsed once for all tests, which takes most of their time."""


@pytest.mark.parametrize("package", PACKAGES)
def test_layers(package: str) -> None:
    for path in PACKAGES[package]:
        used = {package_of(module) for module in read(path).imports if module.startswith("ingestd.")}
        if package == "__init__":
            assert not used, "the package itself stays empty: everything imports it"
            continue
        assert package in LEVEL, f"{package} has no layer: give it one in LAYERS"
        wrong = {other for other in used - {package, "__version__"} if LEVEL.get(other, 99) >= LEVEL[package]}
        assert not wrong, f"{path}: {package} may not import ingestd.{', ingestd.'.join(sorted(wrong))}"


@pytest.mark.parametrize("package", SUBLAYERS)
def test_sublayers(package: str) -> None:
    level = {part: number for number, parts in enumerate(SUBLAYERS[package]) for part in parts}
    others = level.pop("*", len(SUBLAYERS[package]))
    folder = ROOT.parent / package.replace(".", "/")
    assert {path.parent.name for path in folder.glob("*/__init__.py")} <= level.keys(), "give it a layer in SUBLAYERS"
    for path in sorted(folder.rglob("*.py")):
        part = path.relative_to(folder).parts[0].removesuffix(".py")
        used = {part_of(module, package) for module in read(path).imports if module.startswith(package + ".")} - {part}
        wrong = {other for other in used if level.get(other, others) >= level.get(part, others)}
        if part not in level:
            wrong -= used - level.keys()
        assert not wrong, f"{path} may not import {', '.join(sorted(wrong))} of {package}"


def test_sizes() -> None:
    """A reader finds a module in a package, and a function in a module."""
    longest = max(FILES, key=lambda path: path.read_text("utf-8").count("\n"))
    assert longest.read_text("utf-8").count("\n") <= MAX_LINES, f"{longest} is too long: split it"
    for folder in {path.parent for path in FILES} - {ROOT / "cli" / "commands", *(ROOT / "plugins").iterdir()}:
        modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(modules) <= MAX_MODULES, f"{folder} has too many modules: {len(modules)}"


@pytest.mark.parametrize("package", sorted(PURE))
def test_pure(package: str) -> None:
    for path in PACKAGES[package]:
        assert not IMPURE_MODULES & read(path).imports, path
        assert not CLOCKS & read(path).methods, f"{path}: time is a parameter"


def test_what_the_supervisor_and_the_workers_do_not_import() -> None:
    """All processes are forked from the supervisor: what it imports, each of them has, and each start waits for it."""
    program = (
        "import sys, ingestd.cli.main, ingestd.cli.commands.run, ingestd.app.helpers\n"
        "from ingestd.app.daemon import make_plan\n"
        "from ingestd.app.pipelines import default_config\n"
        "from ingestd.settings import Settings\n"
        "make_plan(Settings(), {'main': default_config(Settings())})\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert "uvloop" in tops, "the workers share it"
    heavy = {"aiohttp", "duckdb", "elastic_transport", "elasticsearch", "obstore", "prometheus_client", "regex"}
    assert "ingestd" in tops
    assert not tops & heavy


def test_what_all_processes_need_is_imported_once_before_they_are_forked() -> None:
    program = (
        "import sys\n"
        "from ingestd.app.daemon import make_plan\n"
        "from ingestd.app.pipelines import default_config\n"
        "from ingestd.settings import Settings\n"
        "settings = Settings(elasticsearch='http://127.0.0.1:9')\n"
        "plan = make_plan(settings, {'main': default_config(settings)})\n"
        "assert 'aiohttp' not in sys.modules, 'before it listens'\n"
        "plan.preload()\n"
        "assert 'aiohttp' in sys.modules\n"
        "assert not {'elastic_transport', 'elasticsearch'} & sys.modules.keys(), 'each process would keep them'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
