"""The reference pages are what the code says, and the examples in the pages work."""

import re
import tomllib
from pathlib import Path

import pytest

from ingestd.settings import load_settings
from tools.docgen import DOCS, PAGES, drift

ROOT = DOCS.parent
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]


def test_no_drift() -> None:
    assert "\n".join(drift()) == "", "run 'make docs'"


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_the_same_each_time(name: str) -> None:
    assert list(PAGES[name]()) == list(PAGES[name]())


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_examples_of_settings_are_valid(path: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL)):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, "utf-8")
        assert tomllib.loads(block)
        load_settings(file, {}, {})
