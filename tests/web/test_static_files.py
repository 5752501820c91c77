"""What the page weighs."""

from __future__ import annotations

from ingestd.web.static_files import load_files

MOST_BYTES = 200_000
"""For everything the page can ask for, compressed; a visit to every tab costs no more."""


def test_all_files_together_stay_within_the_budget() -> None:
    sizes = {name: len(file.compressed or file.body) for name, file in load_files().items()}
    assert {"index.html", "app.js", "app.css"} <= sizes.keys()
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:10]
