"""What the daemon runs: see also tests/e2e."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from ingestd.app.daemon import make_plan
from ingestd.app.pipelines import default_config
from ingestd.journal.folders import copy_folder, journal_folder
from ingestd.journal.journal import Journal
from ingestd.settings import load_settings
from tests.journal.builders import everything, fill


@pytest.mark.parametrize(
    ("deleted", "delivered", "journals"),
    [(False, True, 4), (False, False, 4), (True, True, 0), (True, False, 4)],
    ids=["kept", "kept_undelivered", "deleted", "deleted_undelivered"],
)
def test_workers_for_the_journals_of_former_ones(deleted: bool, delivered: bool, journals: int, tmp_path: Path) -> None:
    """A journal that was deleted needs its worker only to report what was lost with it."""
    folder = journal_folder(tmp_path, "w3")
    with closing(Journal(folder, copy=copy_folder(folder))) as journal:
        journal.consumers(["store"])
        fill(journal, 3)
        if delivered:
            journal.commit("store", everything(journal)[-1].end)
    if deleted:
        shutil.rmtree(folder)
    settings = load_settings(environ={}, flags={"data_dir": str(tmp_path)})
    assert make_plan(settings, {"main": default_config(settings)}).journals == journals
