"""The reference pages are what the code says, and the examples in the pages work."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingestd.compiler.pipeline import inspect
from ingestd.config.parser import parse
from ingestd.event.table import Table
from ingestd.plugins.registry import REGISTRY, BuildContext
from ingestd.recipes import CLIENT, CLIENT_LOGGER, Recipe, recipe, recipes
from ingestd.settings import load_settings
from ingestd.stores.local import LocalWriter, store_root
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.clients.django.server import Server
from tests.waiting import WAIT_SECONDS
from tools.docgen import DOCS, PAGES

ROOT = DOCS.parent
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]


def blocks(language: str) -> list[Any]:
    """Return the code blocks of a language in all pages, each under the name of its page."""
    found = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [
        pytest.param(block, id=f"{path.stem}-{number}")
        for path in TEXTS
        for number, block in enumerate(found.findall(path.read_text("utf-8")))
    ]


def test_no_drift() -> None:
    # in a process of its own: click remembers of the first use of a command which help flags it has
    check = subprocess.run(
        [sys.executable, "-m", "tools.docgen", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stdout + check.stderr) == (0, ""), "run 'make docs'"


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_the_same_each_time(name: str) -> None:
    assert list(PAGES[name]()) == list(PAGES[name]())


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("block", blocks("toml"))
def test_examples_of_settings(block: str, tmp_path: Path) -> None:
    file = tmp_path / "ingestd.toml"
    file.write_text(block, "utf-8")
    load_settings(file, {}, {})


@pytest.mark.parametrize("block", blocks("conf"))
def test_examples_of_pipelines(block: str) -> None:
    """The files that they name need not exist here; some are only a section of inputs or outputs."""
    whole = block if "output {" in block else block + "\noutput { null { } }\n"
    whole = whole if "input {" in block else "input { generator { } }\n" + whole
    errors = map(str, inspect(parse(whole, "-e", {})))
    assert [error for error in errors if "cannot be read: No such file" not in error] == []


@pytest.mark.parametrize("block", blocks("ini"))
def test_values_of_units_have_no_comments_after_them(block: str) -> None:
    """To systemd they would be a part of the value (systemd.syntax(7))."""
    assert [line for line in block.splitlines() if re.match(r"\w+=.*\s[#;]", line)] == []


def python_block(page: str, text: str) -> str:
    """Return the Python block of a page that holds ``text``."""
    found: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return next(block for block in found if text in block)


def logging_blocks() -> list[Any]:
    """Return every ``LOGGING`` of the pages with the stock handler."""
    return [block for block in blocks("python") if '"logstash.TCPLogstashHandler"' in block.values[0]]


@pytest.mark.sampled
@pytest.mark.parametrize("block", logging_blocks())
def test_logging_of_a_django_site(block: str) -> None:
    names: dict[str, Any] = {}
    exec(block, names)
    logging = names["LOGGING"]
    handler = dict(logging["handlers"]["logstash"])
    module, _, name = handler.pop("class").rpartition(".")
    made = getattr(importlib.import_module(module), name)(**handler)
    assert (made.host, made.port, made.formatter.message_type) == ("127.0.0.1", 5959, "django")
    for logger in (logging["root"], *logging["loggers"].values()):
        assert set(logger["handlers"]) <= set(logging["handlers"])


_DJANGO = """
import logging, socket, sys, types
import django
from django.conf import settings

names = {}
exec(sys.argv[1], names)
listener = socket.create_server(("127.0.0.1", 0))
names["LOGGING"]["handlers"]["logstash"]["port"] = listener.getsockname()[1]
settings.configure(LOGGING=names["LOGGING"])
django.setup()
for name in sys.argv[2:]:
    logging.getLogger(name).info("hello")
connection, _ = listener.accept()
logging.getLogger().handlers[1].close()
print(sorted(json["logger_name"] for json in map(__import__("json").loads, connection.makefile("rb"))))
"""


@pytest.mark.parametrize("block", logging_blocks())
def test_each_record_arrives_once(block: str) -> None:
    """Django itself applies the settings; its own handlers are there before."""
    loggers = ["shop.views", "django.request", "django.server", "django.channels.server"]
    loggers += [name for name in ("gunicorn.access", "uvicorn.access") if name in block]
    command = [sys.executable, "-W", "ignore", "-c", _DJANGO, block, *loggers]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.stdout.strip() == str(sorted(loggers)), done.stderr


@pytest.mark.parametrize("made", recipes(), ids=lambda made: made.name)
def test_pages_have_the_recipes_of_the_setup_page(made: Recipe) -> None:
    page = (DOCS / "production.md").read_text("utf-8")
    for snippet in made.snippets:
        path = re.search(r"-F (\S+)", snippet.text)
        text = snippet.text.replace(path[1], "/var/log/nginx/access.log") if path else snippet.text
        assert f"\n{text}```" in page


@pytest.mark.parametrize(
    ("page", "name"),
    [("README.md", CLIENT), ("README.md", "runserver"), ("clients/django/README.md", CLIENT)],
    ids=["readme", "readme_stock_handler", "readme_of_the_client"],
)
def test_the_readmes_have_the_settings_of_the_setup_page(page: str, name: str) -> None:
    [settings] = [part.text for part in recipe(name).snippets if part.place == "settings.py"]
    assert f"```python\n{settings}```" in (ROOT / page).read_text("utf-8")


_CLIENT_SITE = """
import logging, sys
import django
from django.conf import settings
from django.test import Client

names = {"INSTALLED_APPS": [], "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]}
exec(sys.argv[1], names)
names["LOGGING"]["handlers"]["ingestd"] |= {"port": int(sys.argv[2]), "spool_dir": sys.argv[3], "exit_seconds": 300}
settings.configure(ALLOWED_HOSTS=["*"], **{name: value for name, value in names.items() if name.isupper()})
urlpatterns = []
settings.ROOT_URLCONF = __name__
django.setup()
for name in sys.argv[4:]:
    logging.getLogger(name).info("hello")
Client().get("/search?q=hello")
"""


def test_each_record_of_the_client_arrives_once(tmp_path: Path) -> None:
    """Django itself applies the settings; of a page that is not there it logs a warning."""
    [settings] = [part.text for part in recipe(CLIENT).snippets if part.place == "settings.py"]
    server = Server()
    try:
        command = [sys.executable, "-W", "ignore", "-c", _CLIENT_SITE, settings, str(server.port), str(tmp_path)]
        environ = os.environ | {"PYTHONPATH": str(ROOT / "clients" / "django")}
        subprocess.run([*command, "shop.views", "django.db"], env=environ, check=True, timeout=WAIT_SECONDS)
        loggers = sorted(event["logger_name"] for event in server.events)
    finally:
        server.stop()
    assert loggers == sorted(["shop.views", "django.db", "django.request", CLIENT_LOGGER])


def test_the_plugin_of_the_guide() -> None:
    try:
        names: dict[str, Any] = {"__name__": __name__}
        exec(python_block("CONTRIBUTING.md", "filter_plugin"), names)
        spec = REGISTRY["filter", "shout"]
    finally:
        REGISTRY.pop(("filter", "shout"), None)
    shout = spec.build(names["Options"](), BuildContext())
    table = Table.of_events([{"message": "over here"}, {}], [0, 1])
    assert shout(table, table.rows, 0) == [0]
    assert [table.event(row) for row in table.rows] == [{"message": "OVER HERE"}, {}]


FOLDERS = ("docs", "grok_patterns", "ingestd", "packaging", "tests", "tools")
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".service", ".sh"}
NAMED = re.compile(rf"(?<![\w./~$}}>-])(?:(?:{'|'.join(FOLDERS)})(?:/[\w.-]*\w)+|[\w-]+(?:/[\w-]+)*\.md\b)")
"""A path from the top of the repository, or a page."""


def texts() -> Iterator[tuple[Path, str]]:
    """Yield all files that people write, with their text."""
    for path in (*ROOT.iterdir(), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))):
        if "node_modules" not in path.parts and (path.suffix in SUFFIXES or path.name in {"Dockerfile", "Makefile"}):
            yield path, path.read_text("utf-8")


def test_files_that_are_named_are_there() -> None:
    """``NAME`` stands for any name."""
    named = {(path, name) for path, text in texts() for name in NAMED.findall(text) if "NAME" not in name}
    folders = (ROOT, DOCS)
    missing = [(path, name) for path, name in named if not any((at / name).exists() for at in (*folders, path.parent))]
    assert [f"{path.relative_to(ROOT)}: {name}" for path, name in missing] == []


def test_duckdb_reads_the_files_of_the_store(tmp_path: Path) -> None:
    root = store_root(tmp_path)
    for level in ("INFO", "ERROR"):
        with closing(LocalWriter(root, "w0")) as writer:
            document = b'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"%b"}' % level.encode()
            writer.append("logstash-2026.11.22", [document], [level])
        if level == "INFO":
            seal_once(root, Policy(idle_s=0))
    code = [sys.executable, "-X", "utf8", "-c", python_block("docs/store.md", "read_parquet")]
    shown = subprocess.run(code, cwd=tmp_path, capture_output=True, check=True, timeout=WAIT_SECONDS)
    sealed, appended = re.findall(r"(INFO|ERROR) +│ +1", shown.stdout.decode())
    assert (sealed, appended) == ("INFO", "ERROR")
