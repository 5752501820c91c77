"""Patterns of java.time as printers.

The expected values were compared with Java 17, but for weeks, which are those of ISO 8601, and ``F``,
which counts weeks since Java 19.
"""

from __future__ import annotations

import pytest

from ingestd.event.times.java_print import compile_java_time_print
from ingestd.event.times.zones import find_zone

STAMP = "2009-11-03T15:06:07.089012345Z"

CASES = [  # pattern, result
    ("yyyy-MM-dd", "2009-11-03"),
    ("uuuu uu yy y u", "2009 09 09 2009 2009"),
    ("YYYY-'W'ww", "2009-W45"),
    ("YY w W", "09 45 1"),
    ("D DDD", "307 307"),
    ("M MM MMM MMMM MMMMM", "11 11 Nov November N"),
    ("L LLL", "11 Nov"),
    ("Q QQ QQQ QQQQ QQQQQ", "4 04 Q4 4th quarter 4"),
    ("E EEE EEEE EEEEE", "Tue Tue Tuesday T"),
    ("e c F", "2 2 1"),
    ("G GGGG GGGGG", "AD Anno Domini A"),
    ("a h hh K KK H HH k kk", "PM 3 03 3 03 15 15 15 15"),
    ("mm ss", "06 07"),
    ("S SSS SSSSSS SSSSSSSSS", "0 089 089012 089012345"),
    ("n A N", "89012345 54367089 54367089012345"),
    ("VV z O OOOO", "Z Z GMT GMT"),
    ("X XX XXX XXXX XXXXX", "Z Z Z Z Z"),
    ("x xx xxx", "+00 +0000 +00:00"),
    ("Z ZZ ZZZ ZZZZ ZZZZZ", "+0000 +0000 +0000 GMT Z"),
    ("yyyy[-MM]", "2009-11"),
    ("'it''s' ''yy''", "it's '09'"),
]


@pytest.mark.parametrize(("pattern", "expected"), CASES, ids=[row[0] for row in CASES])
def test_print(pattern: str, expected: str) -> None:
    assert compile_java_time_print(pattern)(STAMP) == expected


def test_in_a_zone() -> None:
    show = compile_java_time_print("HH XXX x xx O OOOO VV z", find_zone("Asia/Seoul"))
    assert show(STAMP) == "00 +09:00 +09 +0900 GMT+9 GMT+09:00 Asia/Seoul KST"


@pytest.mark.parametrize("pattern", ["", "yyyy-tt", "B", "ppHH", "MMMMMM", "SSSSSSSSSS", "yyyy#", "{yyyy}", "TAI64N"])
def test_invalid_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="date pattern"):
        compile_java_time_print(pattern)
