"""Commands that root runs on the data of a service."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.files import locked_file
from tests.e2e.daemon import environment

OWNER = 54321

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to give a folder to another user")


def command(data_dir: Path, *arguments: str, user: int = 0) -> subprocess.CompletedProcess[str]:
    environ = environment(data_dir)
    line = [sys.executable, "-m", "ingestd", *arguments]
    return subprocess.run(line, env=environ, capture_output=True, text=True, check=False, user=user, extra_groups=[])


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(0o750)
    os.chown(folder, OWNER, OWNER)
    return folder


def test_root_leaves_files_of_the_owner(data_dir: Path, tmp_path: Path) -> None:
    """It reads what only root can: the file that is imported."""
    file = tmp_path / "access.log"
    file.write_text('{"message": "a"}\n')
    file.chmod(0o600)
    assert command(data_dir, "import", str(file)).returncode == 0
    done = command(data_dir, "search", "--json")
    assert '"message":"a"' in done.stdout.replace(": ", ":")
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in data_dir.rglob("*")}
    assert owners == {(OWNER, OWNER)}


def test_a_folder_of_root_in_which_the_daemon_writes(tmp_path: Path) -> None:
    """Before its first start nobody knows its user: locks are open to all who may write there. Then it owns all."""
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 0, OWNER)
    shared.chmod(0o2775)
    with locked_file(shared / ".lock", OSError("locked")):
        pass
    found = (shared / ".lock").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o660, 0, OWNER)
    (shared / "ingestd.pid").touch()
    os.chown(shared / "ingestd.pid", OWNER, OWNER)
    file = tmp_path / "access.log"
    file.write_text('{"message": "a"}\n')
    assert command(shared, "import", str(file)).returncode == 0
    owners = {path.stat().st_uid for path in shared.iterdir() if path.name != ".lock"}
    assert owners == {OWNER}


def _file(path: Path) -> None:
    path.touch()
    os.chown(path, OWNER, OWNER)


def _link(path: Path) -> None:
    _file(path.with_name("other"))
    path.symlink_to("other")


def _hard_link(path: Path) -> None:
    _file(path.with_name("other"))
    path.hardlink_to(path.with_name("other"))


PID_FILES: list[tuple[str, int, Callable[[Path], None], int]] = [  # id, mode of root's folder, its pid file, runs as
    ("of_the_daemon", 0o1777, _file, OWNER),
    ("symbolic_link", 0o1777, _link, 0),
    ("hard_link", 0o1777, _hard_link, 0),
    ("folder", 0o1777, Path.mkdir, 0),
    ("missing", 0o1777, lambda path: None, 0),
    ("only_root_can_have_put_it_there", 0o755, _file, 0),
]


@pytest.mark.parametrize(("mode", "make", "user"), [row[1:] for row in PID_FILES], ids=[row[0] for row in PID_FILES])
def test_whom_a_pid_file_names(mode: int, make: Callable[[Path], None], user: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    make(tmp_path / "ingestd.pid")
    code = "import os, sys, pathlib; from ingestd.cli.common.owner import act_as_owner; "
    code += "act_as_owner(pathlib.Path(sys.argv[1])); print(os.geteuid())"
    assert int(subprocess.check_output([sys.executable, "-c", code, tmp_path])) == user


def test_advice_about_a_folder_closed_to_the_user() -> None:
    code = "import os, sys, click, pathlib; from ingestd.cli.common.owner import act_as_owner, with_hint; "
    code += f"os.setuid({OWNER}); click.Context(click.Command('search')).__enter__(); "
    code += "act_as_owner(pathlib.Path(sys.argv[1])); print(with_hint(PermissionError(), 'it is closed'))"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ingestd.pid").touch()
        said = subprocess.check_output([sys.executable, "-c", code, folder], text=True)
    assert said.startswith(f"it is closed; {folder} belongs to the uid 0")


def test_root_writes_where_the_owner_may(data_dir: Path, tmp_path: Path) -> None:
    done = command(data_dir, "repository", "add", "nightly", "--type", "fs", "--location", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert f"the command runs as #{OWNER}, the owner of {data_dir}" in done.stderr
