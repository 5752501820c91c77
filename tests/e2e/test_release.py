"""What is released: the wheel runs under every supported Python, and the sdist's own Makefile works.

Each installs everything: `make test` takes half of them each time, `make chaos` all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.daemon import environment, free_port
from tests.e2e.servers import REQUIRED
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.sampled(usual=2, of="file")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSIONS = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.fullmatch(r"Programming .* 3\.\d+", text)]
CURRENT = f"3.{sys.version_info[1]}"


def run(command: Sequence[object], folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-d", folder], ROOT)
    return folder


def the_file(folder: Path, pattern: str) -> Path:
    [file] = folder.glob(pattern)
    return file


def interpreter(version: str) -> Path | None:
    """Return a Python of a version, of the system or of pyenv; None if there is none."""
    found = [Path(sys.executable)] if version == CURRENT else []
    found += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    found += [Path(name) for name in [shutil.which(f"python{version}")] if name]
    for candidate in found:  # pyenv's own commands exist for versions that it does not choose
        done = subprocess.run([candidate, "-c", "import ensurepip, venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None


def test_pages_of_the_package_index_are_sound(dist: Path) -> None:
    run([sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir()], ROOT)
    with zipfile.ZipFile(the_file(dist, "*.whl")) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = wheel.read(name).decode()
        assert "ingestd/py.typed" in wheel.namelist()
    links = re.findall(r"\]\(([^)]+)\)", metadata)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    assert "](docs/" in (ROOT / "README.md").read_text("utf-8")  # which are relative there


def test_makefile_of_the_sdist_works(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(the_file(dist, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    assert "Usage: ingestd run" in run(["make", "run", "ARGS=--help"], folder, PIP_NO_COMPILE="1")
    checks = ["tests/test_packaging.py", "tests/test_docs.py", "tests/test_layers.py"]
    run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--basetemp={folder / 'tmp'}", *checks],
        folder,
        PYTHONPATH=str(folder),
    )


def test_another_python_than_this_is_there() -> None:
    if not any(interpreter(version) for version in VERSIONS if version != CURRENT):
        reason = f"there is no other Python than {CURRENT}: of {', '.join(VERSIONS)}"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != CURRENT] or VERSIONS)
def test_wheel(dist: Path, tmp_path: Path, version: str) -> None:
    """Installed in a virtual environment, the daemon stores an event and a command finds it."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    run([python, "-m", "venv", "--without-pip", tmp_path / "venv"], tmp_path)
    pip = [sys.executable, "-m", "pip", "--python", tmp_path / "venv"]
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary", ":all:"]
    run([*pip, *install, "-c", ROOT / "constraints.txt", the_file(dist, "*.whl")], tmp_path)
    ingestd, environ = str(tmp_path / "venv/bin/ingestd"), environment(tmp_path / "data")
    environ.pop("PYTHONPATH", None)
    for name, file in [("systemd", "ingestd.service"), ("grafana", "grafana/ingestd.json")]:
        printed = subprocess.run([ingestd, "config", name], env=environ, cwd=tmp_path, capture_output=True, check=True)
        assert printed.stdout == (ROOT / "packaging" / file).read_bytes()
    port = free_port()
    command = [ingestd, "run", "--port", str(port), "--http", "127.0.0.1:0", "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(command, env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=log)
        try:
            wait_until(lambda: _send(port), "the daemon to listen")
            wait_until(lambda: _found([ingestd, "search", "--json"], environ) == ["안녕"], "the event to be stored")
        finally:
            daemon.terminate()
            assert daemon.wait(WAIT_SECONDS) == 0, (tmp_path / "log").read_text()


def _send(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall('{"message": "안녕"}\n'.encode())
    except ConnectionError:
        return False
    return True


def _found(command: list[str], environ: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]
