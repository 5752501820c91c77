"""What is around the code fits the code: unit file, container, constraints, Makefile."""

import configparser
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ingestd
from ingestd.settings import Settings, load_settings
from ingestd.units import parse_duration

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, TOOL = PYPROJECT["project"], PYPROJECT["tool"]
IN_PART = re.compile(r"on_every_screen|random_cases\(|usual=\d|random_cases import .*\bLONG\b|INGESTD_TEST_CHAOS")
"""In a test module: `make test` tries only a part of it."""
REQUIREMENTS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


def unit() -> configparser.SectionProxy:
    """Return the [Service] section; of a key that comes several times the last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "packaging" / "ingestd.service", "utf-8")
    return parser["Service"]


def test_systemd_waits_longer_than_the_daemon_takes_to_stop() -> None:
    assert parse_duration(unit()["TimeoutStopSec"]) > Settings().shutdown_timeout


def test_systemd_gives_the_data_folder() -> None:
    folder = f"/var/lib/{unit()['StateDirectory']}"
    assert load_settings(None, {"STATE_DIRECTORY": folder}, {}).data_dir == Path(folder)


def dockerfile() -> str:
    """Return the Dockerfile without its continued lines."""
    return (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")


def test_the_container_has_valid_settings_and_can_be_reached() -> None:
    environ = dict(re.findall(r"(INGESTD_\w+)=(\S+)", dockerfile()))
    settings = load_settings(None, environ, {})
    assert settings.http is not None
    assert (settings.host, settings.http.host) == ("0.0.0.0", "0.0.0.0")
    assert re.findall(r"^EXPOSE (.*)$", dockerfile(), re.MULTILINE) == [f"{settings.port} {settings.http.port}"]
    assert re.findall(r"^VOLUME (.*)$", dockerfile(), re.MULTILINE) == [str(settings.data_dir)]
    [check] = re.findall(r"^HEALTHCHECK .* CMD (.*)$", dockerfile(), re.MULTILINE)
    assert json.loads(check) == ["ingestd", "health"]  # at whatever port


def test_the_container_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\d+)$", dockerfile(), re.MULTILINE) == ["10001"]


def test_what_the_container_copies_is_not_ignored() -> None:
    kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == kept


def test_the_packages_hold_what_is_there_and_the_licence() -> None:
    included = TOOL["hatch"]["build"]["targets"]["sdist"]["include"]
    assert [name for name in included if not (ROOT / name).exists()] == []
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "LICENSE" in included
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "Copyright 2026 The ingestd authors\n" in licence


def test_the_container_has_the_version_of_the_package() -> None:
    assert f'org.opencontainers.image.version="{ingestd.__version__}"' in dockerfile()
    assert PROJECT["version"] == ingestd.__version__


def test_readme_and_dockerfile_start_the_container_in_the_same_way() -> None:
    """In the background; and it comes back when the machine starts."""
    commands = []
    for file in ("README.md", "Dockerfile"):
        text = (ROOT / file).read_text("utf-8").replace("\\\n#", "").replace("\\\n", "")
        [command] = re.findall(r"^(?:# )?(docker run .*)$", text, re.MULTILINE)
        commands.append(command.split())
    assert commands[0] == commands[1]
    assert {"-d", "--restart", "unless-stopped"} <= set(commands[0])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


CONSTRAINTS = {
    normal(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_every_requirement_has_a_tested_version(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(CONSTRAINTS[normal(requirement.name)])


@pytest.mark.parametrize("file", ["requirements.txt", "build-requirements.txt"])
def test_what_the_container_installs_has_hashes_and_the_tested_version(file: str) -> None:
    entries = (ROOT / "packaging" / file).read_text("utf-8").replace("\\\n", " ").splitlines()[1:]
    versions = {}
    for entry in entries:
        requirement, *hashes = entry.split("--hash=sha256:")
        assert hashes, entry
        name, version = requirement.split(";")[0].split("==")
        versions[normal(name)] = version.strip()
    assert versions == {name: CONSTRAINTS[name] for name in versions}
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["geoip"]
    wanted = wanted if file == "requirements.txt" else PYPROJECT["build-system"]["requires"]
    assert {normal(Requirement(text).name) for text in wanted} <= versions.keys()


def test_constraints_are_exact_and_sorted() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) == len(CONSTRAINTS)
    assert list(CONSTRAINTS) == sorted(CONSTRAINTS)


def test_the_makefile_names_its_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert {"run", "test", "check", "docs", "bench"} <= set(re.findall(r"^# make (\w+)", makefile, re.MULTILINE))


def test_what_is_tried_in_part_is_tried_in_full_by_make_chaos() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    listed = re.search(r"^LONG_FORMS = (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    run = [ROOT / "tests/e2e/chaos", *(ROOT / path for path in listed[1].split())]
    assert [path for path in run if not path.exists()] == []
    in_part = [path for path in (ROOT / "tests").rglob("test_*.py") if IN_PART.search(path.read_text("utf-8"))]
    assert [path for path in in_part if path != Path(__file__) and not any(map(path.is_relative_to, run))] == []
