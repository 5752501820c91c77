"""Which files an input ``file`` reads, from where, and in which order."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ingestd.plugins.inputs._file_copies import Sample
from ingestd.plugins.inputs._file_discovery import Discovery
from ingestd.plugins.inputs._file_watched import WatchedFile
from ingestd.protocols.framing.lines import LINE_FEED, whole_lines

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
