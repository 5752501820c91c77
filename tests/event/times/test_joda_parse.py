"""Joda-Time patterns as parsers.

The expected values were compared with Joda-Time 2.12.7 on Java 17. It differs in three ways, on purpose: it
moves a date to the weekday given with it, takes ``BC 44`` as 44 AD, and knows neither the older nor the short
names without their full stop (``Mrz``, ``fev``).
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.times.joda_parse import compile_joda_parse
from ingestd.event.times.joda_print import compile_joda_print
from ingestd.event.times.zones import find_zone
from ingestd.event.timestamp import from_epoch_ns, to_epoch_ns

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()


def parse(pattern: str, text: str, zone: str = "UTC", locale: str = "en", now: float = NOW) -> str:
    return from_epoch_ns(compile_joda_parse(pattern, locale, find_zone(zone))(text, now))


CASES = [  # pattern, text, zone, result
    ("dd/MMM/yyyy:HH:mm:ss Z", "25/Mar/2013:20:33:56 +0000", "UTC", "2013-03-25T20:33:56.000Z"),
    ("dd/MMM/yyyy:HH:mm:ss Z", "25/Mar/2013:20:33:56 -0730", "Asia/Seoul", "2013-03-26T04:03:56.000Z"),
    ("yyyy-MM-dd HH:mm:ss,SSS", "2026-11-22 10:00:00,123", "Asia/Seoul", "2026-11-22T01:00:00.123Z"),
    ("yyyy-MM-dd'T'HH:mm:ssZZ", "2026-11-22T10:00:00+09:00", "UTC", "2026-11-22T01:00:00.000Z"),
    ("yyyy-MM-dd'T'HH:mm:ssZZ", "2026-11-22T10:00:00Z", "CET", "2026-11-22T10:00:00.000Z"),
    ("yyyy MMM dd HH:mm:ss", "2013 Nov 24 01:29:01", "America/Los_Angeles", "2013-11-24T09:29:01.000Z"),
    ("yyyy MMM dd HH:mm:ss", "2013 Jun 24 01:29:01", "America/Los_Angeles", "2013-06-24T08:29:01.000Z"),
    ("yyyyMMddHHmmssSSS", "20261122100000123", "UTC", "2026-11-22T10:00:00.123Z"),
    ("yyyyMMdd HHmm", "20261122 905", "UTC", "REFUSED"),
    ("yyyy-MM-dd", "2026-1-2", "UTC", "2026-01-02T00:00:00.000Z"),
    ("yyyy-M-d", "2026-01-02", "UTC", "2026-01-02T00:00:00.000Z"),
    ("yyyy-MM-dd", "26-01-02", "UTC", "0026-01-02T00:00:00.000Z"),
    ("yyyy-MM-dd", "2026-01-02x", "UTC", "REFUSED"),
    ("yyyy-MM-dd", " 2026-01-02", "UTC", "REFUSED"),
    ("yyyy-MM-dd", "2026-02-29", "UTC", "REFUSED"),
    ("yyyy-MM-dd", "2026-00-01", "UTC", "REFUSED"),
    ("yyyy-MM-dd", "20261-01-02", "UTC", "REFUSED"),
    ("yyyy", "2026", "UTC", "2026-01-01T00:00:00.000Z"),
    ("MM/yyyy", "11/2026", "UTC", "2026-11-01T00:00:00.000Z"),
    ("yy-MM-dd", "45-06-07", "UTC", "2045-06-07T00:00:00.000Z"),
    ("yy-MM-dd", "46-06-07", "UTC", "1946-06-07T00:00:00.000Z"),
    ("yy-MM-dd", "2013-06-07", "UTC", "2013-06-07T00:00:00.000Z"),
    ("yyMMdd", "260607", "UTC", "2026-06-07T00:00:00.000Z"),
    ("YYYY.MM.dd", "2026.06.07", "UTC", "2026-06-07T00:00:00.000Z"),
    ("CCyy", "2026", "UTC", "2026-01-01T00:00:00.000Z"),
    ("yyyy DDD", "2024 366", "UTC", "2024-12-31T00:00:00.000Z"),
    ("yyyy DDD", "2026 366", "UTC", "REFUSED"),
    ("yyyyDDD HH", "2026001 5", "UTC", "2026-01-01T05:00:00.000Z"),
    ("xxxx-'W'ww-e", "2026-W01-1", "UTC", "2025-12-29T00:00:00.000Z"),
    ("xxxx-'W'ww-e", "2026-W54-1", "UTC", "REFUSED"),
    ("xx ww", "26 2", "UTC", "2026-01-05T00:00:00.000Z"),
    ("yyyy 'week' w", "2026 Week 2", "UTC", "2026-01-05T00:00:00.000Z"),
    ("yyyy-MM-dd hh:mm a", "2026-01-02 12:30 AM", "UTC", "2026-01-02T00:30:00.000Z"),
    ("yyyy-MM-dd hh:mm a", "2026-01-02 12:30 pm", "UTC", "2026-01-02T12:30:00.000Z"),
    ("yyyy-MM-dd hh:mm", "2026-01-02 12:30", "UTC", "2026-01-02T00:30:00.000Z"),
    ("yyyy-MM-dd hh:mm a", "2026-01-02 13:30 PM", "UTC", "REFUSED"),
    ("yyyy-MM-dd K:mm a", "2026-01-02 11:30 PM", "UTC", "2026-01-02T23:30:00.000Z"),
    ("yyyy-MM-dd kk:mm", "2026-01-02 24:30", "UTC", "2026-01-02T00:30:00.000Z"),
    ("yyyy-MM-dd kk:mm", "2026-01-02 00:30", "UTC", "REFUSED"),
    ("yyyy-MM-dd a", "2026-01-02 PM", "UTC", "2026-01-02T12:00:00.000Z"),
    ("yyyy-MM-dd HH:mm a", "2026-01-02 15:00 AM", "UTC", "2026-01-02T15:00:00.000Z"),
    ("yyyy-MM-dd HH:mm", "2026-01-02 24:00", "UTC", "REFUSED"),
    ("yyyy-MM-dd HH:mm:ss", "2026-01-02 10:00:60", "UTC", "REFUSED"),
    ("ss.SSS yyyy", "5.1 2026", "UTC", "2026-01-01T00:00:05.100Z"),
    ("ss.S yyyy", "5.9 2026", "UTC", "2026-01-01T00:00:05.900Z"),
    ("ss.S yyyy", "5.91 2026", "UTC", "REFUSED"),
    ("ss.SSSSSSSSS yyyy", "5.123456789 2026", "UTC", "2026-01-01T00:00:05.123Z"),
    ("HH:mm:ss.SSS.SSS yyyy", "16:00:54.350.008 2026", "UTC", "2026-01-01T16:00:54.008Z"),
    ("EEE, d MMM yyyy HH:mm:ss Z", "Sun, 22 Nov 2026 10:00:00 +0900", "UTC", "2026-11-22T01:00:00.000Z"),
    ("EEE MMM dd HH:mm:ss yyyy", "SUNDAY nov 22 10:00:00 2026", "UTC", "2026-11-22T10:00:00.000Z"),
    ("EEE MMM dd HH:mm:ss yyyy", "Mon Nov 22 10:00:00 2026", "UTC", "2026-11-22T10:00:00.000Z"),
    ("EEE MMM dd HH:mm:ss yyyy", "Son Nov 22 10:00:00 2026", "UTC", "REFUSED"),
    ("MMMM d, yyyy", "May 5, 2026", "UTC", "2026-05-05T00:00:00.000Z"),
    ("MMM d, yyyy", "September 5, 2026", "UTC", "2026-09-05T00:00:00.000Z"),
    ("MMM d, yyyy", "sEPTEMBER 5, 2026", "UTC", "REFUSED"),
    ("G yyyy", "AD 2026", "UTC", "2026-01-01T00:00:00.000Z"),
    ("G yyyy", "BC 44", "UTC", "REFUSED"),
    ("yyyy-MM-dd HH:mm z", "2026-07-01 10:00 PDT", "UTC", "2026-07-01T17:00:00.000Z"),
    ("yyyy-MM-dd HH:mm z", "2026-01-01 10:00 PST", "UTC", "2026-01-01T18:00:00.000Z"),
    ("yyyy-MM-dd HH:mm z", "2026-01-01 10:00 GMT", "CET", "2026-01-01T10:00:00.000Z"),
    ("yyyy-MM-dd HH:mm z", "2026-01-01 10:00 KST", "UTC", "REFUSED"),
    ("yyyy-MM-dd HH:mm ZZZ", "2026-01-01 10:00 Asia/Seoul", "UTC", "2026-01-01T01:00:00.000Z"),
    ("yyyy-MM-dd HH:mm ZZZ", "2026-01-01 10:00 Asia/Soul", "UTC", "REFUSED"),
    ("yyyy-MM-dd HH:mm Z", "2026-01-01 10:00 +09", "UTC", "2026-01-01T01:00:00.000Z"),
    ("yyyy-MM-dd HH:mm Z", "2026-01-01 10:00 0900", "UTC", "REFUSED"),
    ("yyyy-MM-dd HH:mm Z", "2026-01-01 10:00 +25:00", "UTC", "REFUSED"),
    ("'It''s' yyyy 'o''clock'", "it's 2026 O'CLOCK", "UTC", "2026-01-01T00:00:00.000Z"),
    ("yyyy[.]MM", "2026[.]05", "UTC", "2026-05-01T00:00:00.000Z"),
    ("yyyy년 M월 d일", "2026년 11월 22일", "Asia/Seoul", "2026-11-21T15:00:00.000Z"),
    ("yyyy-MM-dd HH:mm:ss", "2016-03-27 02:30:00", "CET", "REFUSED"),
    ("yyyy-MM-dd HH:mm:ss", "2016-03-26 02:00:37", "CET", "2016-03-26T01:00:37.000Z"),
    ("yyyy-MM-dd HH:mm:ss", "2021-11-07 01:30:00", "America/New_York", "2021-11-07T05:30:00.000Z"),
    ("yyyy-MM-dd HH:mm:ss Z", "2016-03-27 02:30:00 +0100", "CET", "2016-03-27T01:30:00.000Z"),
    ("dd MMMM yyyy", "14 July 1789", "UTC", "1789-07-14T00:00:00.000Z"),
]


@pytest.mark.parametrize(("pattern", "text", "zone", "expected"), CASES, ids=[f"{c[0]}|{c[1]}" for c in CASES])
def test_parse(pattern: str, text: str, zone: str, expected: str) -> None:
    if expected == "REFUSED":
        with pytest.raises(ValueError):  # noqa: PT011 -- the reasons differ, their kind is what counts
            parse(pattern, text, zone)
    else:
        assert parse(pattern, text, zone) == expected


YEARLESS = [  # pattern, text, now, zone, result
    ("MMM dd HH:mm:ss", "Nov 24 01:29:01", "2026-11-22T10:00:00.000Z", "UTC", "2026-11-24T01:29:01.000Z"),
    ("MMM dd HH:mm:ss Z", "Nov 24 01:29:01 -0800", "2026-11-22T10:00:00.000Z", "UTC", "2026-11-24T09:29:01.000Z"),
    ("MMM dd HH:mm:ss", "Dec 31 23:59:00", "2014-01-01T00:30:50.000Z", "UTC", "2013-12-31T23:59:00.000Z"),
    ("MMM dd HH:mm:ss", "Jan 01 01:00:00", "2013-12-31T23:59:50.000Z", "UTC", "2014-01-01T01:00:00.000Z"),
    ("MMM dd HH:mm:ss", "Nov 30 01:00:00", "2014-01-01T00:00:00.000Z", "UTC", "2014-11-30T01:00:00.000Z"),
    ("MMM  d HH:mm:ss", "Jun  2 20:38:03", "2026-06-02T20:38:04.000Z", "UTC", "2026-06-02T20:38:03.000Z"),
    ("EEE MMM dd HH:mm:ss", "Sun Jun 02 20:38:03", "2026-11-22T10:00:00.000Z", "UTC", "2026-06-02T20:38:03.000Z"),
    ("MMM dd HH:mm:ss", "Mar 26 02:00:37", "2016-03-29T23:59:50.000Z", "CET", "2016-03-26T01:00:37.000Z"),
    ("MMM dd hh:mm:ss.SSS", "Mar 27 01:59:59.999", "2016-03-29T23:59:50.000Z", "CET", "2016-03-27T00:59:59.999Z"),
    ("MMM dd hh:mm:ss.SSS", "Mar 27 03:00:01.000", "2016-03-29T23:59:50.000Z", "CET", "2016-03-27T01:00:01.000Z"),
    ("MMM dd hh:mm:ss.SSS", "Mar 27 02:00:01.000", "2016-03-29T23:59:50.000Z", "CET", "REFUSED"),
    ("MMM dd", "Feb 29", "2026-02-28T00:00:00.000Z", "UTC", "REFUSED"),
    ("MMM dd", "Feb 29", "2024-02-28T00:00:00.000Z", "UTC", "2024-02-29T00:00:00.000Z"),
    # the new year has begun where the log was written
    ("MMM dd HH:mm", "Dec 31 23:59", "2025-12-31T20:00:00.000Z", "Asia/Seoul", "2025-12-31T14:59:00.000Z"),
    ("MMM dd HH:mm", "Jan 01 05:00", "2025-12-31T20:00:00.000Z", "Asia/Seoul", "2025-12-31T20:00:00.000Z"),
    ("D:HH:mm:ss.SSSSSS", "016:07:59:16.111873", "2026-04-13T00:00:00.000Z", "UTC", "2026-01-16T07:59:16.111Z"),
    ("HH:mm", "10:30", "2026-04-13T00:00:00.000Z", "UTC", "2026-01-01T10:30:00.000Z"),
    ("d HH:mm", "13 10:30", "2026-04-13T00:00:00.000Z", "UTC", "2026-01-13T10:30:00.000Z"),
    ("'W'w E", "W16 Wed", "2026-04-13T00:00:00.000Z", "UTC", "2026-04-15T00:00:00.000Z"),
]


@pytest.mark.parametrize(
    ("pattern", "text", "now", "zone", "expected"), YEARLESS, ids=[f"{c[1]}@{c[2]}" for c in YEARLESS]
)
def test_missing_year(pattern: str, text: str, now: str, zone: str, expected: str) -> None:
    at = to_epoch_ns(now) / 1e9
    if expected == "REFUSED":
        with pytest.raises(ValueError):  # noqa: PT011
            parse(pattern, text, zone, now=at)
    else:
        assert parse(pattern, text, zone, now=at) == expected


LOCALES = [  # locale, pattern, text, result
    ("fr", "dd MMMM yyyy", "14 juillet 1789", "1789-07-14"),
    ("fr-FR", "dd MMMM yyyy", "14 juillet 1789", "1789-07-14"),
    ("fr_FR", "dd MMM yyyy", "14 juil. 1789", "1789-07-14"),
    ("fr", "dd MMM yyyy", "14 AOÛT 2026", "2026-08-14"),
    ("de", "EEEE, d. MMMM yyyy", "Sonntag, 22. November 2026", "2026-11-22"),
    ("de", "EEE, d. MMM yyyy", "Do, 5. März 2026", "2026-03-05"),
    ("de_AT", "d-MMM-yyyy", "5-Mrz-2026", "2026-03-05"),
    ("de", "d-MMM-yyyy", "5-Dez-2026", "2026-12-05"),
    ("es", "d MMMM yyyy", "5 septiembre 2026", "2026-09-05"),
    ("es", "d/MMM/yyyy", "5/sep/2026", "2026-09-05"),
    ("it", "d MMM yyyy", "5 gen 2026", "2026-01-05"),
    ("pt-BR", "d MMM yyyy", "5 fev 2026", "2026-02-05"),
    ("pt", "EEEE d", "terça-feira 24", "2026-01-24"),
    ("nl", "d MMM yyyy", "5 mrt. 2026", "2026-03-05"),
    ("pl", "d MMMM yyyy", "5 października 2026", "2026-10-05"),
    ("ru", "d MMMM yyyy", "5 мая 2026", "2026-05-05"),
    ("ru", "d MMM yyyy", "5 фев 2026", "2026-02-05"),
    ("ko", "yyyy년 MMMM d일 EEEE a h시", "2026년 11월 22일 일요일 오전 9시", "2026-11-22"),
    ("ko_KR", "yyyy-MMM-d", "2026-11월-22", "2026-11-22"),
    ("ja", "yyyy年MMMd日", "2026年11月22日", "2026-11-22"),
    ("zh-CN", "yyyy MMMM d", "2026 十一月 22", "2026-11-22"),
    ("sv", "EEE d MMM yyyy", "sön 22 nov 2026", "2026-11-22"),
    ("da", "d MMMM yyyy", "22 oktober 2026", "2026-10-22"),
    ("no", "d MMMM yyyy", "22 desember 2026", "2026-12-22"),
    ("nb-NO", "d MMMM yyyy", "22 mai 2026", "2026-05-22"),
    ("fi", "d MMMM yyyy", "22 tammikuuta 2026", "2026-01-22"),
    ("tr", "d MMMM yyyy", "22 Ağustos 2026", "2026-08-22"),
    ("cs", "d MMMM yyyy", "22 července 2026", "2026-07-22"),
]


@pytest.mark.parametrize(("locale", "pattern", "text", "day"), LOCALES, ids=[f"{c[0]}|{c[2]}" for c in LOCALES])
def test_locale(locale: str, pattern: str, text: str, day: str) -> None:
    assert parse(pattern, text, locale=locale)[:10] == day


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("", "must not be empty"), ("yyyy-MM-ddTHH", "'T' is not a valid letter"), ("yyyy zzzz", "cannot be parsed")],
)
def test_invalid_pattern(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_joda_parse(pattern)


def test_unknown_locale() -> None:
    with pytest.raises(ValueError, match="locale 'tlh-KX' is not known"):
        compile_joda_parse("yyyy", "tlh-KX")


def test_nine_digits_when_asked() -> None:
    read = compile_joda_parse("yyyy ss.SSSSSSSSS", nanoseconds=True)
    assert from_epoch_ns(read("2026 05.123456789", NOW)) == "2026-01-01T00:00:05.123456789Z"
    assert from_epoch_ns(read("2026 05.123456", NOW)) == "2026-01-01T00:00:05.123456Z"


WHOLE = [
    "yyyy-MM-dd HH:mm:ss.SSS",
    "dd/MMM/yyyy:HH:mm:ss.SSS Z",
    "EEEE, d MMMM YYYY K:m:s.SSS a ZZ",
    "xxxx-'W'ww-e kk:mm:ss.SSS",
    "yyyyDDDHHmmssSSS",
    "CCyy MMM d hh 'o''clock' mm ss SSS a",
    "yyyy-MM-dd HH:mm:ss.SSS ZZZ",
]


@pytest.mark.parametrize("pattern", WHOLE)
@given(ms=st.integers(-2_000_000_000_000, 4_000_000_000_000))
def test_what_is_printed_is_parsed(pattern: str, ms: int) -> None:
    text = from_epoch_ns(ms * 1_000_000)
    assert parse(pattern, compile_joda_print(pattern)(text)) == text


@given(st.sampled_from(WHOLE), st.text("0123456789 :/-.ZWMarchSunday+", max_size=40))
def test_any_other_text_is_a_value_error(pattern: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(pattern, text)
