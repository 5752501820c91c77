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


def violations(page: Page) -> dict[str, list[str]]:
    """Return the rules that the page breaks, with where it does so. A run costs about 0.5 s of a processor."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_script())
    # What an open dialog covers cannot be used, and need not be usable.
    top = ".popup:not([hidden]), dialog[open]"
    run = f"options => axe.run(document.querySelector('{top}') ?? document, options)"
    answer: dict[str, Any] = page.evaluate(run, {"runOnly": TAGS, "rules": RULES})
    return {rule["id"]: [node["html"][:120] for node in rule["nodes"]] for rule in answer["violations"]}
