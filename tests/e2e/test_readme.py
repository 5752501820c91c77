"""The README's commands and snippets, as they are written there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ingestd.stores.lucene import parse
from tests.e2e.daemon import Daemon, environment, ingestd
from tests.e2e.site import django_site
from tests.e2e.test_django import WORDS, visit
from tests.waiting import WAIT_SECONDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def block(language: str, containing: str) -> str:
    """Return the one block of a language that contains a text."""
    [found] = [text for name, text in BLOCKS if name == language and containing in text]
    return str(found)


def at_port(text: str, port: int) -> str:
    """Return ``text`` with another port than the one that tests may not rely on."""
    assert "5959" in text
    return text.replace("5959", str(port))


def commands(text: str, folder: Path, **variables: str) -> str:
    """Run a block of shell commands, with the ``ingestd`` under test for the installed one."""
    text = re.sub(r"^(\.venv/bin/)?ingestd ", f"{sys.executable} -m ingestd ", text, flags=re.MULTILINE)
    environ = environment(folder / "data") | {"PYTHONPATH": str(ROOT)} | variables
    command = ["sh", "-euc", text]
    done = subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_queries_are_queries() -> None:
    queries = [re.split(r"\s{4,}", line)[0] for line in block("text", "level:>=WARNING").splitlines()]
    assert len(queries) == 5
    for query in queries:
        assert parse(query) is not None


def test_without_a_site(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        commands(at_port(block("sh", "create_connection"), daemon.port), tmp_path)
        daemon.wait_for_metric("ingestd_delivered_events_total", 4)
        shown = commands(block("sh", ".venv/bin/ingestd top search_word"), tmp_path)
    assert shown.startswith(block("text", "SEARCH_WORD"))
    assert '[서울 맛집] "GET /search?q=서울' in shown
    assert re.search(r"^logstash-\d{4}\.\d\d\.\d\d +4 +", shown, re.MULTILINE)


def test_with_a_site(tmp_path: Path) -> None:
    """A site with the README's LOGGING, behind the daemon as the README starts it."""
    with Daemon(tmp_path) as daemon:
        settings = at_port(block("python", "TCPLogstashHandler"), daemon.port)
        (tmp_path / "readme_settings.py").write_text(f"from shop.settings import *\n\n{settings}")
        variables = {"DJANGO_SETTINGS_MODULE": "readme_settings", "PYTHONPATH": str(tmp_path)}
        with django_site(tmp_path, **variables) as site:
            visit(site, daemon)
    shown = ingestd(daemon.data_dir, "top", "search_word")
    for word, count in WORDS.items():
        assert re.search(rf"^{re.escape(word)} +{count}$", shown, re.MULTILINE)


def test_a_pipeline_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "my.conf").write_text(block("conf", "grok"))
    (tmp_path / "event.json").write_text('{"message": "192.0.2.1 GET /cart"}')
    cases = "path: my.conf\ncases: [{name: HEAD, events: [{message: 192.0.2.1 HEAD /}], dropped: true}]"
    (tmp_path / "cases.yaml").write_text(cases)
    text = block("sh", "ingestd check my.conf")
    shown = commands("".join(line for line in text.splitlines(keepends=True) if "/etc/logstash" not in line), tmp_path)
    for part in ("def ", '+ client = "192.0.2.1"', "1 case, all passed"):
        assert part in shown
    config = block("conf", "grok").replace("5000", "0")
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send([{"message": "10.0.0.1 GET /search?q=1"}, {"message": "10.0.0.1 HEAD /"}])
        daemon.wait_for_metric("ingestd_received_events_total", 2)
        daemon.wait_for_metric("ingestd_delivered_events_total", 1)
        daemon.stop()
    output = daemon.output()
    assert '"client" => "10.0.0.1"' in output
    assert '"request" => "/search?q=1"' in output
    assert "HEAD" not in output


def test_the_settings_file(tmp_path: Path) -> None:
    text = block("toml", "queue_bytes")
    (tmp_path / "ingestd.toml").write_text(text)
    shown = commands("ingestd config settings", tmp_path, INGESTD_DATA_DIR="")
    for name in tomllib.loads(text):
        assert re.search(rf"^{name} .*ingestd\.toml:\d", shown, re.MULTILINE), shown


@pytest.mark.parametrize("target", ["run", "test"])
def test_make_knows_the_commands(target: str) -> None:
    """What they run is not run here: they install. Their dry run says that the recipe holds together."""
    command = ["make", "--dry-run", target, "PYTHON=python3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"run": "ingestd run", "test": "pytest"}[target] in done.stdout
