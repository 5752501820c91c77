"""A small Debian that systemd-nspawn boots, in which systemd runs packaging/ingestd.service. It needs root."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.servers import REQUIRED
from tests.leftovers import has_ended, owner
from tests.processes import children, name, send_signal
from tests.waiting import WAIT_SECONDS, wait_until

PROJECT = Path(__file__).parent.parent.parent
SCRIPT = PROJECT / "tests" / "testbed" / "systemd.sh"
UNIT = Path("packaging") / "ingestd.service"
_NAMES = "ingestd-"


def root_folder() -> Path:
    """Return the folder of the file system to boot; the test is skipped where it cannot be had."""
    command = ["bash", str(SCRIPT), "install"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip() or "systemd.sh failed"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    return Path(done.stdout.strip())


def _control_groups() -> list[Path]:
    """Return the folders of this process in the trees that systemd uses: cgroup v2, and ``name=systemd`` of v1.

    A machine needs folders of its own in them, or it would end processes of another machine.
    """
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = {
        kind: Path(folder)
        for _, folder, kind, options, *_ in mounts
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
    }
    names = {"": "cgroup2", "name=systemd": "cgroup"}
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return [roots[names[name]] / path.lstrip("/") for _, name, path in lines if names.get(name) in roots]


def _removed(group: Path) -> bool:
    """Remove a control group with those in it; False if processes are left."""
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def remove_left_machines() -> None:
    """End the machines of test runs that were killed."""
    groups = [group for folder in _control_groups() for group in folder.glob(f"{_NAMES}*-*")]
    for group in groups:
        if has_ended(group.name.removeprefix(_NAMES)):
            wait_until(lambda group=group: _ended(group), "the end of a machine")  # type: ignore[misc]


def _ended(group: Path) -> bool:
    """Kill the processes in a control group and in those in it; return whether none was left."""
    with contextlib.suppress(FileNotFoundError):  # another test run does the same
        for file in group.rglob("cgroup.procs"):
            for pid in map(int, file.read_text().split()):
                send_signal(pid)
        return _removed(group)
    return True


class Machine:
    """Runs until the end of the ``with`` block, with the wheel of this project installed, and with our network.

    Its files are in memory, over those of ``root``, so that nothing of it is left.

    Args:
        root: Its root file system, see ``root_folder``.
        folder: For the wheel and what is written to its console.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._leader = 0
        self._name = f"{_NAMES}{owner()}"
        self._groups = [folder / self._name for folder in _control_groups()]

    def __enter__(self) -> Self:
        wheels = self._folder / "wheels"
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
        subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, check=True, timeout=WAIT_SECONDS)
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--volatile=overlay"]
        # Read-only below the files in memory, and with a name of its own: several may run at once.
        command += ["--read-only", f"--directory={self._root}", f"--machine={self._name}"]
        command += [f"--bind-ro={PROJECT}:/project", f"--bind-ro={wheels}:/wheels"]
        self._console = self._folder / "console"
        for group in self._groups:
            group.mkdir()
        enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in self._groups)
        command = ["/bin/sh", "-euc", f'{enter}exec "$@"', "sh", *command]
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            wait_until(self._booted, "the machine to boot")
            self.sh("/opt/ingestd/bin/pip --quiet install --no-index --no-deps /wheels/*.whl")
            self.sh(f"mkdir /etc/ingestd && cp /project/{UNIT} /etc/systemd/system/ && systemctl daemon-reload")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        """End all of its processes at once, with its first; its mounts end with them."""
        if self._leader:
            subprocess.run(["kill", "-KILL", str(self._leader)], check=False)
        else:
            self._nspawn.kill()
        self._nspawn.wait()
        wait_until(lambda: all(_removed(group) for group in self._groups), "the machine's processes to end")

    def _booted(self) -> bool:
        assert self._nspawn.poll() is None, self._console.read_text("utf-8", "replace")
        started = children(self._nspawn.pid)
        if not started or name(started[-1]) != "systemd":
            return False
        self._leader = started[-1]
        return self.try_sh("systemctl is-system-running").stdout.strip() in ("running", "degraded")

    def try_sh(self, script: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell script as root, with ``text`` as its input."""
        command = ["nsenter", f"--target={self._leader}", "--all", "--", "env", "-i", "HOME=/root"]
        command += ["PATH=/opt/ingestd/bin:/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh", "-euc", script]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)

    def sh(self, script: str, text: str = "") -> str:
        """Run a shell script as root and return its output; a failure raises."""
        done = self.try_sh(script, text)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        self.sh(f"mkdir -p $(dirname {path}) && cat > {path}", text)

    def property(self, name: str) -> str:
        """Return a property of the unit, such as NRestarts."""
        return self.sh(f"systemctl show --property {name} --value ingestd").strip()

    def journal(self, *options: str) -> str:
        """Return the messages of the unit in systemd's journal."""
        return self.try_sh(f"journalctl --unit ingestd --output cat --no-pager {' '.join(options)}").stdout
