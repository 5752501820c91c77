"""Which files a path names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.files import find
from ingestd.config.parser import load

FILES = ("a.conf", "b.conf", "c.txt", "in/d.conf", "in/deep/e.conf", "{x}.conf")
CASES = [  # id, path, the files
    ("folder", "", ["a.conf", "b.conf", "{x}.conf"]),
    ("name", "*.conf", ["a.conf", "b.conf", "{x}.conf"]),
    ("any_depth", "in/**/*.conf", ["in/d.conf", "in/deep/e.conf"]),
    ("alternatives", "{b,a,none}.conf", ["a.conf", "b.conf"]),
    ("folders", "{in,in/deep}/*.conf", ["in/d.conf", "in/deep/e.conf"]),
    ("twice", "{a,?}.{conf,txt}", ["a.conf", "b.conf", "c.txt"]),
    ("as_it_is_written", "{x}.conf", ["{x}.conf"]),
    ("folder_with_a_pattern", "i[a-z]/d.conf", ["in/d.conf"]),
    ("plain", "missing.conf", ["missing.conf"]),
]


@pytest.mark.parametrize(("path", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_files(tmp_path: Path, path: str, expected: list[str]) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = [item for item in find([tmp_path / path]) if isinstance(item, Path)]
    assert [str(file.relative_to(tmp_path)) for file in found] == expected


def test_a_pattern_without_files(tmp_path: Path) -> None:
    [error] = find([tmp_path / "{a,b}.conf"])
    assert isinstance(error, ConfigError)
    assert error.message == "no file matches this pattern"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["", "*.conf", "a.conf"], ids=["folder", "pattern", "file"])
def test_a_folder_that_is_closed_to_us(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text("filter { }")
    folder.chmod(0)
    try:
        with pytest.raises(ConfigErrors, match="cannot be read: Permission denied"):
            load([folder / name], {})
    finally:
        folder.chmod(0o700)
