"""What one line of an installation means here."""

from __future__ import annotations

from typing import NamedTuple

from ingestd.app.logstash_settings import Verdict


class Finding(NamedTuple):
    """A line, what it is, and what to do; ``line`` counts from 1, 0: the whole file or folder."""

    file: str
    line: int
    verdict: Verdict
    text: str
    advice: str = ""
