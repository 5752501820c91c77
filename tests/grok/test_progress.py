"""How far a pattern that does not match gets."""

from __future__ import annotations

import pytest

from ingestd.grok.library import PatternLibrary, load_library
from ingestd.grok.progress import progress

ACCESS = '1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 x'
CASES = {
    "in the middle": ("^%{IP:ip} %{WORD:w} end$", "1.2.3.4 foo 5", ("^%{IP:ip} %{WORD:w} ", 12, "e")),
    "a reference": ("%{WORD:w} %{NUMBER:n}", "user x", ("%{WORD:w} ", 5, "%{NUMBER:n}")),
    "the start": ("a%{WORD}", "zzz", ("", 0, "a")),
    "a group is not cut": ("x(?:%{IP}|%{UUID})y", "x1y", ("x", 1, "(?:%{IP}|%{UUID})")),
    "a class is not cut": ("x[a-c]+y", "xz", ("x", 1, "[a-c]+")),
    "the end of the text": ("%{WORD:w} %{WORD:v}", "word ", ("%{WORD:w} ", 5, "%{WORD:v}")),
}


@pytest.fixture(scope="module")
def library() -> PatternLibrary:
    return load_library([], "*", {}, ecs=False)


@pytest.mark.parametrize(("pattern", "text", "expected"), CASES.values(), ids=CASES)
def test_progress(library: PatternLibrary, pattern: str, text: str, expected: tuple[str, int, str]) -> None:
    assert progress(pattern, library, text) == expected


def test_a_reference_is_opened(library: PatternLibrary) -> None:
    """A single stock pattern fails somewhere in its definition, or in that of a pattern it is made of."""
    found = progress("%{COMBINEDAPACHELOG}", library, ACCESS)
    assert ACCESS[: found.end].endswith('HTTP/1.0" 200 ')
    assert found.next == "(?:-|%{NUMBER:bytes})"
