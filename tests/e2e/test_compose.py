"""The site of packaging/compose, and whether its compose.yaml fits the image."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import quote

import yaml

from ingestd.compiler.pipeline import inspect
from ingestd.config.parser import parse
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.waiting import WAIT_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging" / "compose"
SERVICES = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]


def test_site_logs_its_searches(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--access-logfile", "-"]
    with Daemon(tmp_path) as daemon, (tmp_path / "site.log").open("wb") as log:
        environ = os.environ | {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(daemon.port)}
        command += ["--chdir", str(FOLDER / "site"), "shop:application"]
        with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as site:
            try:
                wait_until(lambda: _search(port, "서울 맛집"), "the site to answer")
                daemon.wait_for_delivery(2)  # the record of the view, and the access line
            finally:
                site.terminate()
        shown = ingestd(daemon.data_dir, "top", "search_word")
    assert [line.split("  ")[0] for line in shown.splitlines()][1:] == ["서울 맛집"]


def _search(port: int, words: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/search?q={quote(words)}", timeout=WAIT_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_services_fit_the_images() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    service, site = SERVICES["ingestd"], SERVICES["site"]
    assert (FOLDER / service["build"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    assert service["volumes"] == ["ingestd:/var/lib/ingestd"]
    assert "VOLUME /var/lib/ingestd" in dockerfile
    assert site["environment"] == {"LOGSTASH_HOST": "ingestd", "LOGSTASH_PORT": "5959"}
    assert {service["restart"], site["restart"]} == {"unless-stopped"}


def test_both_images_have_the_same_base() -> None:
    lines = [(folder / "Dockerfile").read_text("utf-8").splitlines() for folder in (ROOT, FOLDER / "site")]
    bases = {line for text in lines for line in text if line.startswith("ARG PYTHON_IMAGE=")}
    assert len(bases) == 1
    assert "@sha256:" in bases.pop()


def test_the_services_around_kafka_fit_together() -> None:
    folder = FOLDER / "scale"
    services = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))["services"]
    brokers = [name for name in services if name.startswith("kafka")]
    for number, name in enumerate(brokers, 1):
        environ = services[name]["environment"]
        assert environ["KAFKA_NODE_ID"] == number
        assert environ["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert f"{number}@{name}:9093" in environ["KAFKA_CONTROLLER_QUORUM_VOTERS"]
    for name in ("edge1", "edge2", "worker1", "worker2", "worker3"):
        *_, path = services[name]["command"]
        local, mounted, _ = services[name]["volumes"][0].split(":")
        assert mounted == path
        text = (folder / local).read_text("utf-8")
        assert [*map(str, inspect(parse(text, "-e", {})))] == []
        assert ",".join(f"{broker}:9092" for broker in brokers) in text
        assert services[name]["volumes"][1] == f"{name}:/var/lib/ingestd"
    [client] = re.findall(r"^confluent-kafka==.*$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert client in services["edge1"]["build"]["dockerfile_inline"]
