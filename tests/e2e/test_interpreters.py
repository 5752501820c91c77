"""Interpreters that are forked are what new ones would be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TELL = """
import json, os, sys, tempfile, threading, time
files = {os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)}
others = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and
          os.path.exists(f"/proc/self/fd/{fd}")} - {"/dev/null"}
seen = open("/proc/self/cmdline").read().rstrip("\\0").split("\\0")
told = [__name__, sys.argv, sys.orig_argv, seen, dict(os.environ), tempfile.gettempdir(), sorted(files), sorted(others)]
told += [sys.stdin.read(), threading.active_count()]
print(json.dumps(told), end="", flush=True)
"""

START = f"""
import json, os, subprocess, sys, tempfile, threading
from tests.e2e.interpreters import fork_interpreters, set_command_line
if sys.argv[1] == "forked":
    fork_interpreters()
tempfile.gettempdir()
opened, waiting = open(__import__("tests").__path__[0] + "/waiting.py"), threading.Event()
threading.Thread(target=waiting.wait).start()
PIPE, DEVNULL, code = subprocess.PIPE, subprocess.DEVNULL, {TELL!r} + sys.argv[2]
environ = {{"TMPDIR": os.environ["FOLDER"], "WHO": "안녕", "LC_ALL": "C.UTF-8", "PYTHONPATH": os.environ["PYTHONPATH"]}}
command = [sys.executable, "-P", "-c", code]
process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environ)
told, _ = process.communicate(b"text")
waiting.set()
print(json.dumps([told.decode(), process.returncode]))
"""

ENDS = {"its end": ("", 0), "a failure": ("1 / 0", 1), "an exit": ("sys.exit(3)", 3), "at once": ("os._exit(4)", 4)}


def told(how: str, end: str, folder: Path) -> Any:
    environ = {"FOLDER": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    room = " " * (1 << 14)
    command = [sys.executable, "-c", START, how, end, room]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("end", ENDS)
def test_a_forked_one(end: str, tmp_path: Path) -> None:
    code, status = ENDS[end]
    forked, new = told("forked", code, tmp_path), told("new", code, tmp_path)
    assert forked == new
    assert (new[1], "text" in new[0]) == (status, True)
