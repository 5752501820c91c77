"""axe-core: what in a page is not accessible."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.e2e.dashboard.conftest import missing
from tests.waiting import WAIT_SECONDS

AXE = "axe-core@4.10.3"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"label-content-name-mismatch": {"enabled": True}}
"""Rules that axe runs only if asked to."""
CONTRAST = ["color-contrast"]
"""The rules whose findings depend on the theme."""


@cache
def _script() -> str:
    """Return the text of axe.min.js, out of a cache, else by the npm client."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ingestd-tests"
    script = folder / f"{AXE}.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            missing("npm, to get axe-core")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", AXE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        if done.returncode != 0:
            missing(f"axe-core: {done.stderr.strip()}")
        archive = folder / done.stdout.strip().splitlines()[-1]
        with tarfile.open(archive) as package:
            file = package.extractfile("package/axe.min.js")
            assert file is not None
            script.write_bytes(file.read())
        archive.unlink()
    return script.read_text("utf-8")


def violations(page: Page, *, only: list[str] | None = None) -> dict[str, list[str]]:
    """Return the rules that the page breaks, with where it does so; ``only``: of these rules.

    A run costs about 0.5 s of a processor, one of `CONTRAST` alone about half of that. What it finds is looked for
    again: it measures one element after the other, and what arrives in between moves them.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    found = _run(page, only)
    if found:
        page.wait_for_timeout(1000)
        again = _run(page, only)
        found = {rule: again[rule] for rule in found if rule in again}
    return found


def _run(page: Page, only: list[str] | None) -> dict[str, list[str]]:
    # What an open dialog covers cannot be used, and need not be usable.
    top = ".popup:not([hidden]), dialog[open]"
    # Most of a hundred events are like the first ones, and axe takes long for each.
    rest = "tr.row:nth-child(n + 25)"
    run = f"""options => {{
        const include = document.querySelector('{top}') ?? document;
        return axe.run({{ include, exclude: [...document.querySelectorAll('{rest}')] }}, options);
    }}"""
    asked = {"runOnly": only} if only else {"runOnly": TAGS, "rules": RULES}
    answer: dict[str, Any] = page.evaluate(run, asked | {"resultTypes": ["violations"]})
    return {rule["id"]: [node["html"][:120] for node in rule["nodes"]] for rule in answer["violations"]}
