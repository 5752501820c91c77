"""Which files an input ``file`` reads, from where, in which order, and how often it looks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from ingestd.plugins.inputs._file_copies import Sample
from ingestd.plugins.inputs._file_discovery import Discovery
from ingestd.plugins.inputs._file_watched import WatchedFile
from ingestd.plugins.registry import OptionError
from ingestd.protocols.framing.lines import LINE_FEED, whole_lines

_DURATION = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s?(?P<unit>us|ms|s|m|h|d|w|usecs?|msecs?|secs?|seconds?|mins?|minutes?|hours?|days?|"
    r"weeks?)?"
)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


_LINE_SEARCH_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """See the options of the input for what they mean; times are seconds.

    Attributes:
        from_end: Files that exist when the input runs for the first time are read from their ends.
        by_path: Files are sorted by their paths, else by the time of their last change.
        descending: The last one first.
        delimiter: The end of a line.
    """

    discovery: Discovery
    discover_seconds: float
    from_end: bool
    ignore_older: float
    close_older: float
    max_open_files: int
    by_path: bool
    descending: bool
    delimiter: bytes = LINE_FEED

    def sorted_paths(self, found: dict[str, os.stat_result]) -> list[str]:
        """Return the paths of new files in their order."""
        key: Callable[[str], object] = str if self.by_path else lambda path: found[path].st_mtime_ns
        return sorted(found, key=key, reverse=self.descending)  # type: ignore[arg-type]

    def sorted_files(self, files: list[WatchedFile]) -> list[WatchedFile]:
        """Return files that have changed in their order."""
        key: Callable[[WatchedFile], object] = lambda file: file.path if self.by_path else file.look.mtime_ns  # noqa: E731
        return sorted(files, key=key, reverse=self.descending)  # type: ignore[arg-type]


def start_of(sample: Sample, size: int, *, from_end: bool, known: int | None, delimiter: bytes = LINE_FEED) -> int:
    """Return from where a new file is read.

    Args:
        sample: Its content.
        size: Of the file.
        from_end: Only what is appended is wanted: from the start of the last line if that has no end yet.
        known: How far Logstash has read it.
        delimiter: The end of a line.
    """
    if known is not None and known <= size and not sample.compressed:
        return known
    if not from_end:
        return 0
    if sample.compressed:
        return size
    start = max(size - _LINE_SEARCH_BYTES, 0)
    data = sample.read_at(size - start, start) if size else b""
    return start + whole_lines(data, len(data), delimiter)


def seconds(name: str, text: str, *, unit: float = 1) -> float:
    """Return a duration as Logstash reads it (``1 second``, ``500 ms``, ``2 weeks``, or a number) in seconds.

    ``unit``: what a number without a unit means. Raises OptionError.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise OptionError(f"{name}: {text!r} is not a duration", text, "write it as 10, 500 ms, 15 seconds or 2 weeks")
    word = match["unit"] or ""
    key = word if word in _SECONDS else word[:2] if word[:2] in ("us", "ms") else word[:1]
    return float(match["number"]) * (_SECONDS[key] if key else unit)
