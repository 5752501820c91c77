"""Named patterns: the stock files, the user's folders, and definitions in the config.

File format (Logstash's): one ``NAME regex`` per line, ``#`` starts a comment line, a later definition of a
name replaces an earlier one.
"""

from __future__ import annotations

import glob as globbing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ingestd.grok.errors import PatternError
from ingestd.suggest import did_you_mean

LEGACY, ECS = "legacy", "ecs-v1"
"""The sets of stock patterns: the same names, with flat field names or those of the Elastic Common Schema. The folder
of the second has only the patterns that differ."""


class PatternLibrary:
    """An immutable collection of named patterns."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = MappingProxyType(dict(patterns))

    @property
    def patterns(self) -> Mapping[str, str]:
        """Name -> regular expression in Ruby's syntax, with its ``%{...}`` references."""
        return self._patterns

    def extended(self, patterns: Mapping[str, str]) -> PatternLibrary:
        """Return a library in which ``patterns`` are added or replace those of the same name."""
        return PatternLibrary({**self._patterns, **patterns}) if patterns else self

    def unknown(self, name: str, position: int, chain: tuple[str, ...]) -> PatternError:
        """Return the error for a name that is not here, with a suggestion."""
        near = did_you_mean(name, self._patterns)
        hint = f", did you mean '{near}'?" if near else ""
        return PatternError(f"unknown grok pattern '{name}'{hint}", position, chain, unknown=True)


def load_library(
    extra_dirs: Sequence[Path | str] = (),
    glob: str = "*",
    definitions: Mapping[str, str] | None = None,
    *,
    ecs: bool = False,
) -> PatternLibrary:
    """Return the stock patterns plus the user's.

    Args:
        extra_dirs: Folders, files or wildcard paths, as in grok's ``patterns_dir``. Later ones win.
        glob: Which files of a folder are read, as in ``patterns_files_glob``.
        definitions: Name -> pattern, as in ``pattern_definitions``; these win over all files.
        ecs: Whether stock patterns capture fields of the Elastic Common Schema, else flat ones.

    A path that names no file is ignored, as in Logstash; see ``missing_paths``.

    Raises:
        PatternError: A file cannot be read.
    """
    patterns: dict[str, str] = {}
    for source in extra_dirs:
        for path in _files(str(source), glob):
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PatternError(f"cannot read the pattern file {path}: {error}") from error
            patterns |= parse_patterns(text)
    return _stock(ECS if ecs else LEGACY).extended({**patterns, **(definitions or {})})


def parse_patterns(text: str) -> dict[str, str]:
    """Return the definitions in the text of a pattern file. A line with only a name is skipped, as in Logstash."""
    patterns: dict[str, str] = {}
    for line in text.split("\n"):
        parts = line.rstrip("\r").split(None, 1)
        if len(parts) == 2 and not parts[0].startswith("#"):
            patterns[parts[0]] = parts[1]
    return patterns


def _files(source: str, glob: str) -> list[Path]:
    path = Path(source)
    candidates = path.glob(glob) if path.is_dir() else (Path(name) for name in globbing.glob(source))  # noqa: PTH207
    return sorted(file for file in candidates if file.is_file())


def missing_paths(extra_dirs: Sequence[Path | str], glob: str = "*") -> list[str]:
    """Return those of the paths, as for ``load_library``, that name no file and no folder."""
    return [str(source) for source in extra_dirs if not (_files(str(source), glob) or Path(source).is_dir())]


@cache
def _stock(name: str) -> PatternLibrary:
    base = PatternLibrary({}) if name == LEGACY else _stock(LEGACY)
    patterns: dict[str, str] = {}
    for file in sorted((stock_folder() / name).iterdir()):
        patterns |= parse_patterns(file.read_text(encoding="utf-8"))
    return base.extended(patterns)


def stock_folder() -> Path:
    """Return the folder of the stock patterns: a folder for each set, named as in Logstash."""
    package = Path(__file__).resolve().parent.parent
    folders = (package / "grok_patterns", package.parent / "grok_patterns")  # installed; in a checkout
    return next((folder for folder in folders if folder.is_dir()), folders[0])
