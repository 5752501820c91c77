import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("store", [False, True])
def test_what_sealing_needs_is_imported_once_there_is_a_store(tmp_path: Path, store: bool) -> None:
    """The process stays, and on a site that only uses a server there is nothing to seal."""
    if store:
        (tmp_path / "indices").mkdir()
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from ingestd.app.helpers import helpers\n"
        "from ingestd.settings import load_settings\n"
        "stop = threading.Event()\n"
        "stop.set()\n"
        f"flags = {{'data_dir': {str(tmp_path)!r}, 'schedule.cron': 'off'}}\n"
        "helpers(load_settings(environ={}, flags=flags))[0].run(stop)\n"
        "print('ingestd.stores.local.sealing.sealer' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(store)
