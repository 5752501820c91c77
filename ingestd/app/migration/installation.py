"""Where the parts of a Logstash installation are, and which version it is.

Follows https://www.elastic.co/docs/reference/logstash/dir-layout: the archive and the container image have the folder
``config`` inside of Logstash's own folder, packages have ``/etc/logstash`` and ``/usr/share/logstash``. A copy of these
folders from another machine will do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ingestd.app.logstash_folder import PIPELINES_FILE, SETTINGS_FILE
from ingestd.config.files import is_pattern, matching
from ingestd.settings import SettingsError

_VERSION = r"(\d+\.\d+\.\d+)"
_VERSION_FILES = (  # below Logstash's own folder, or below the root of the file system
    ("logstash-core/versions-gem-copy.yml", rf"(?m)^logstash:\s*['\"]?{_VERSION}"),
    ("versions.yml", rf"(?m)^logstash:\s*['\"]?{_VERSION}"),
    ("Gemfile.lock", rf"(?m)^ +logstash-core \({_VERSION}"),
    ("var/lib/dpkg/status", rf"(?ms)^Package: logstash(?:-oss)?$(?:(?!^$).)*?^Version: (?:\d+:)?{_VERSION}"),
)
_ENVIRONMENT_FILES = ("etc/default/logstash", "etc/sysconfig/logstash")


class Version(NamedTuple):
    """The version of Logstash, such as ``8.11.0``, and where it was found; both are empty if it is not known."""

    number: str = ""
    source: str = ""

    @property
    def has_ecs(self) -> bool | None:
        """Whether ``pipeline.ecs_compatibility`` is ``v8`` by default; None: the version is not known."""
        return int(self.number.partition(".")[0]) >= 8 if self.number else None


class Installation(NamedTuple):
    """The folders of an installation.

    Attributes:
        settings: The folder with ``logstash.yml``.
        home: Logstash's own folder; it may be missing.
        root: The root of the file system, of a copy as well.
        version: Of Logstash.
    """

    settings: Path
    home: Path
    root: Path
    version: Version

    def local(self, path: Path) -> Path:
        """Return where a path that the installation names is here: where it says, or in a copy of its folders."""
        if _exists(path):
            return path
        parts = [part for part in path.parts if part != path.anchor]
        ends = [Path(*parts[start:]) for start in range(len(parts))]
        folders = (self.root, self.home, self.settings)
        usable = [end for end in ends if len(end.parts) > 1 or not is_pattern(end)]
        return next((folder / end for end in usable for folder in folders if _exists(folder / end)), path)

    def environment_files(self) -> list[Path]:
        """Return the files that set the environment of the service."""
        return [self.root / name for name in _ENVIRONMENT_FILES if (self.root / name).is_file()]


def _exists(path: Path) -> bool:
    return os.path.exists(path) or (is_pattern(path) and bool(matching(path)))  # noqa: PTH110 -- also in a closed folder


def find_installation(folder: Path, version: str = "") -> Installation:
    """Return the installation whose folder this is: that of its settings, its own one, or the root of a file system.

    Args:
        folder: The folder.
        version: Its version if that is known.

    Raises:
        SettingsError: There is none.
    """
    if not folder.is_dir():
        raise SettingsError([f"{folder}: error: there is no such folder"])
    candidates = (folder, folder / "config", folder / "etc/logstash", folder / "usr/share/logstash/config")
    settings = next((candidate for candidate in candidates if _has_settings(candidate)), None)
    if settings is None:
        what = f"no Logstash here: expected {SETTINGS_FILE}, {PIPELINES_FILE}, conf.d or *.conf files"
        raise SettingsError([f"{folder}: error: {what}"])
    settings = settings.absolute()
    home, root = settings, settings  # of a copy of the settings folder alone
    if settings.name == "config":
        home = root = settings.parent
        if home.parts[-3:] == ("usr", "share", "logstash"):
            root = home.parents[2]
    elif settings.parts[-2:] == ("etc", "logstash"):
        root = settings.parents[1]
        home = root / "usr/share/logstash"
    found = Version(version, "--logstash-version") if version else _find_version(home, root)
    return Installation(settings, home, root, found)


def _has_settings(folder: Path) -> bool:
    names = (SETTINGS_FILE, PIPELINES_FILE, "conf.d")
    return any((folder / name).exists() for name in names) or any(folder.glob("*.conf"))


def _find_version(home: Path, root: Path) -> Version:
    for name, pattern in _VERSION_FILES:
        for file in (home / name, root / name):
            if found := re.search(pattern, _text(file)):
                return Version(found[1], str(file))
    if found := re.fullmatch(rf"logstash(?:-oss)?-{_VERSION}.*", home.name):
        return Version(found[1], f"the name of {home}")
    return Version()


def environment_of(file: Path) -> Iterator[tuple[str, str, int]]:
    """Yield the variables that a file such as ``/etc/default/logstash`` sets: name, value, line from 1.

    Raises:
        OSError: It cannot be read.
    """
    for number, line in enumerate(file.read_text("utf-8", "replace").split("\n"), start=1):
        if found := re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)\s*", line):
            yield found[1], found[2].strip("\"'"), number


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
