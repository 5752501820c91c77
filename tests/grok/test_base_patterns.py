"""Each stock pattern: what it takes whole, what it finds in a text, what it refuses."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import regex

from ingestd.grok.compile import compile_grok
from ingestd.grok.library import LEGACY, load_library, parse_patterns, stock_folder
from tests.plugins.filters.tables import build
from tests.random_cases import sampled

LIBRARY = load_library()
ENGINES = pytest.mark.parametrize("engine", [re, regex], ids=["re", "regex"])

WHOLE = {
    "USERNAME": ["a", "user-1.x_y", "0"],
    "USER": ["root"],
    "EMAILLOCALPART": ["hello.world", "kim-1+tag"],
    "EMAILADDRESS": ["hello.world@123.net", "mailto:foo@x.com", "username@example.com"],
    "INT": ["0", "-12", "+0200"],
    "BASE10NUM": ["1", "-1.5", "+.5", "007"],
    "NUMBER": ["3.14", "400"],
    "BASE16NUM": ["0x1F", "-ff", "12"],
    "BASE16FLOAT": ["0x1F.a", "1.8", "ff."[:-1]],
    "POSINT": ["1", "1024"],
    "NONNEGINT": ["0", "007"],
    "WORD": ["abc_1"],
    "NOTSPACE": ["a/b?c=한국", "-"],
    "SPACE": ["", " \t\r\n"],
    "DATA": ["", "any thing\nat all"],
    "GREEDYDATA": ["", "any thing\nat all"],
    "QUOTEDSTRING": ['""', '"a b"', r'"a \" b"', "'it'", "''", "`x`", "``", '"a\nb"'],
    "QS": ['"Mozilla/5.0 (iPad; CPU OS 9_3_1)"'],
    "UUID": ["123e4567-e89b-12d3-A456-426614174000"],
    "URN": [
        "urn:example:foo",
        "urn:example:ABCxyz019()+,-.::=@;$_!*'",
        "urn:example:/#?",
        "urn:example:%25foo%2fbar%3F%23",
        "urn:example:%00",
        "urn:example-example-example-example-:foo",
    ],
    "MAC": ["0123.4567.89ab", "01-23-45-67-89-AB", "01:23:45:67:89:ab"],
    "CISCOMAC": ["0123.4567.89ab"],
    "WINDOWSMAC": ["01-23-45-67-89-AB"],
    "COMMONMAC": ["01:23:45:67:89:ab"],
    "IPV6": [
        "::",
        "::1",
        "2000:6a0:b:315:10:23:4:13",
        "fe80::1%eth0",
        "fe80::20c:29ff:fe83:f7f3",
        "1::",
        "1:2::8",
        "::ffff:192.168.0.1",
        "64:ff9b::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
    ],
    "IPV4": ["127.0.0.1", "255.255.255.255", "010.001.000.009", "10.0.0.1"],
    "IP": ["10.17.42.3", "::1"],
    "HOSTNAME": ["example.org", "a", "win-host", "camomile.cloud9.net.", "a" * 63 + ".b"],
    "HOST": ["example.org"],
    "IPORHOST": ["127.0.0.1", "example.org", "fe80::1"],
    "HOSTPORT": ["example.org:80", "10.0.0.1:5959"],
    "PATH": ["/var/log", r"C:\foo"],
    "UNIXPATH": [
        "/",
        "//",
        "//00",
        "///a//b/c///",
        "/foo/bar",
        "/some/../path",
        "/...",
        "/opt/Čierný_Peter/.中",
        "/opt/abcdef/1/.22/3:3+3/foo@BAR/X-Y+Z/~Sample_l_SUBc",
    ],
    "TTY": ["/dev/pts/8", "/dev/tty1", "/dev/ttyq0", "/dev/ttyS0"],
    "WINPATH": [
        r"C:\foo\bar",
        "C:\\",
        "C:\\\\",
        "a:\\",
        r"C:\Documents and Settings\Public",
        r"C:\\Users\\Public\\.Mozilla Firefox",
        "C:\\Čierný Peter\\.中.exe",
        r"\\server\share",
    ],
    "URIPROTO": ["http", "android-app", "svn+ssh"],
    "URIHOST": ["example.org", "example.org:8080"],
    "URIPATH": ["/foo", "/foo/", "/foo/bar", "/aA1$.+!*'(){},~:;=@#%&-"],
    "URIQUERY": ["", "q=%EC%84%9C&page[]=2|<x>"],
    "URIPARAM": ["?", "?q=1"],
    "URIPATHPARAM": ["/search?q=%EC%84%9C+x&page=2", "/search"],
    "URI": ["http://user:pw@example.org:8080/a/b?c=d#e", "file:///etc/passwd", "https://[x]"[:8]],
    "MONTH": [
        "Jan",
        "January",
        "jan",
        "Januar",
        "Feb",
        "February",
        "Mar",
        "March",
        "Mär",
        "März",
        "Apr",
        "April",
        "May",
        "Mai",
        "Jun",
        "June",
        "Juni",
        "Jul",
        "July",
        "Juli",
        "Aug",
        "August",
        "Sep",
        "September",
        "Oct",
        "Okt",
        "October",
        "Oktober",
        "Nov",
        "November",
        "Dec",
        "Dez",
        "December",
        "Dezember",
    ],
    "MONTHNUM": ["1", "01", "12"],
    "MONTHNUM2": ["01", "12"],
    "MONTHDAY": ["1", "01", "31"],
    "DAY": ["Mon", "Monday", "Tue", "Wednesday", "Sun"],
    "YEAR": ["99", "2026"],
    "HOUR": ["0", "07", "23"],
    "MINUTE": ["00", "59"],
    "SECOND": ["0", "59", "60", "07.123456", "07,5"],
    "TIME": ["09:30:48.958285", "1:02:03", "23:59:60"],
    "DATE_US": ["12/31/2026", "1-2-26"],
    "DATE_EU": ["31.12.2026", "12-12-12", "11/01/01"],
    "ISO8601_TIMEZONE": ["Z", "+01:00", "-0800", "+11:30"],
    "ISO8601_SECOND": ["60", "7.5"],
    "TIMESTAMP_ISO8601": [
        "2009-06-30T18:30:00+02:00",
        "2016-12-31T23:59:60-04:00",
        "2012-12-19T01:45:54.001234Z",
        "2026-1-2 03:04",
        "2014-01-09 20:03:28,269",
        "2026-11-22T100000Z",
    ],
    "DATE": ["12/31/2026", "31.12.2026"],
    "DATESTAMP": ["31.12.2026 10:11:12", "12/31/2026-10:11:12.5"],
    "TZ": ["UTC", "PST", "EDT"],
    "DATESTAMP_RFC822": ["Mon Aug 31 2015 09:30:48 UTC"],
    "DATESTAMP_RFC2822": ["Mon, 31 Aug 2015 09:30:48 +0200"],
    "DATESTAMP_OTHER": ["Mon Aug 31 09:30:48 UTC 2015"],
    "DATESTAMP_EVENTLOG": ["20150831093048"],
    "HTTPDATE": ["04/Mai/2015:13:17:15 +0200", "04/March/2015:13:17:15 +0200", "24/Feb/2015:23:13:42 +0000"],
    "SYSLOGTIMESTAMP": ["Mar 16 00:01:25", "Mar  6 00:01:25", "Jul 14 12:17:01.234"],
    "PROG": ["postfix/smtpd", "ansible-<stdin>"],
    "SYSLOGPROG": ["postfix/smtpd[1713]", "su"],
    "SYSLOGHOST": ["evita", "10.23.16.6"],
    "SYSLOGFACILITY": ["<12.3>"],
    "SYSLOGBASE": ["Mar 16 00:01:25 evita postfix/smtpd[1713]:", "Mar 16 00:01:25 <1.2> evita su:"],
    "LOGLEVEL": [
        form(word)
        for form in (str.lower, str.capitalize, str.upper)
        for word in (
            *("alert", "trace", "debug", "notice", "info", "information", "warn", "warning", "err", "error"),
            *("crit", "critical", "fatal", "severe", "emerg", "emergency"),
        )
    ],
    "HTTPDUSER": ["-", "username@example.com", "a.user"],
    "HTTPD_UPTOCOLON": ["", "AH01075", "a:b"],
    "HTTPDERROR_DATE": ["Mon Aug 31 09:30:48.958285 2015"],
}

NOT_WHOLE = {
    "INT": ["1.5", ""],
    "BASE10NUM": ["1.", "--1", "1e5"],
    "POSINT": ["0", "-1"],
    "WORD": ["a b", "한국", ""],
    "QUOTEDSTRING": ['"a', r'"a\"', "\"a'"],
    "IPV4": ["192.300.300.300", "1.2.3", "256.0.0.1"],
    "IPV6": ["1:2:3", "12:34:56", "1:2:3:4:5:6:7:8:9", "::g"],
    "HOSTNAME": ["-a", "a..b", "host_name", "a" * 64],
    "UNIXPATH": ["a/./b/c", ",/.", "./b//", "../0", "./", r"/0\b"[:2] + "\\", r"/a\b", "/a&b", "\\a", "."],
    "WINPATH": ["/foo", "//C/path", "/", "C://", r"a\bar", r"C\\0", ".\\0", "..\\", "C:", "C", ".", ".a\\"],
    "URIPATH": ["foo", "/a|b"],
    "URIPROTO": ["h", "1a"],
    "MONTH": ["Map", "Janu", "May1"],
    "MONTHDAY": ["0", "32"],
    "HOUR": ["24"],
    "MINUTE": ["7", "60"],
    "TIME": ["12:30", "12:30:61"],
    "TIMESTAMP_ISO8601": ["2026-13-01T00:00:00", "2026-11-22"],
    "LOGLEVEL": ["wARN", "verbose"],
    "SYSLOGFACILITY": ["<1>"],
    "USERNAME": ["a b", ""],
    "USER": ["a/b"],
    "EMAILLOCALPART": ["1a", "a", "a@"],
    "EMAILADDRESS": ["@b.kr", "kim@", "kim.b.kr"],
    "NUMBER": ["1,000", ""],
    "BASE16NUM": ["0xg", ""],
    "BASE16FLOAT": ["0x.", ""],
    "NONNEGINT": ["-1", ""],
    "NOTSPACE": ["a b", ""],
    "QS": ["a"],
    "UUID": ["123e4567-e89b-12d3-a456-42661417400"],
    "URN": ["urn:a"],
    "MAC": ["01:23:45:67:89"],
    "CISCOMAC": ["0123:4567:89ab"],
    "WINDOWSMAC": ["01:23:45:67:89:ab"],
    "COMMONMAC": ["01-23-45-67-89-ab"],
    "IP": ["1.2.3", "a.b.c.d"],
    "HOST": ["-"],
    "IPORHOST": ["a_b", ""],
    "HOSTPORT": ["example.org", "example.org:0", "a:x"],
    "PATH": ["a/b"],
    "TTY": ["/dev/pts", "/dev/null"],
    "URIHOST": ["example.org:", "a b"],
    "URIQUERY": ["a b"],
    "URIPARAM": ["a=b"],
    "URIPATHPARAM": ["search?q=1", "/a?q= "],
    "URI": ["example.org/a", "http//a"],
    "MONTHNUM": ["0", "13"],
    "MONTHNUM2": ["1", "13"],
    "DAY": ["Mo", "Sonntag"],
    "YEAR": ["1", "123"],
    "SECOND": ["61", "1."],
    "DATE_US": ["13/12/2026"],
    "DATE_EU": ["2026-12-12", "32.1.2026"],
    "ISO8601_TIMEZONE": ["+1:0", "UTC"],
    "ISO8601_SECOND": ["61"],
    "DATE": ["12/2026"],
    "DATESTAMP": ["31.12.2026T10:11:12"],
    "TZ": ["GMT", "KST"],
    "DATESTAMP_RFC822": ["Mon Aug 31 2015 09:30:48"],
    "DATESTAMP_RFC2822": ["Mon 31 Aug 2015 09:30:48 +0200"],
    "DATESTAMP_OTHER": ["Mon Aug 31 09:30:48 2015"],
    "DATESTAMP_EVENTLOG": ["2015-08-31 093048"],
    "HTTPDATE": ["04/05/2015:13:17:15 +0200"],
    "SYSLOGTIMESTAMP": ["16 Mar 00:01:25", "Mar 16"],
    "PROG": ["a b", "a[1]"],
    "SYSLOGPROG": ["a b", "a[x]"],
    "SYSLOGHOST": ["a b"],
    "SYSLOGBASE": ["Mar 16 00:01:25 evita"],
}

ABSENT = [  # pattern, text in which it is not found anywhere
    ("URN", "URN:example:foo"),
    ("URN", "urn::foo"),
    ("URN", "urn:-example:foo"),
    ("URN", "urn:example.com:foo"),
    ("URN", "urn:example-example-example-example-x:foo"),
    ("URN", "urn:example:"),
    ("URN", "urn:example:%ax"),
    ("HTTPDATE", "[04/Map/2015:13:17:15 +0200]"),
    ("IPV4", "192.300.300.300"),
    ("IPV4", "1.2.3.1234"),
    ("WINPATH", "C:"),
    ("UNIXPATH", "..."),
    ("WORD", "한국어"),
]

FOUND = [  # pattern, text, what is captured
    ("UNIXPATH", "a/./b/c", "/./b/c"),
    ("UNIXPATH", "+/.../", "/.../"),
    ("UNIXPATH", "a=/some/path, b", "/some/path,"),
    ("NUMBER", "took 12.5ms", "12.5"),
    ("NUMBER", "v1.2.3", "1.2"),
    ("IPORHOST", "[10.0.0.1]", "10.0.0.1"),
    ("IPV6", "from ::ffff:10.0.0.1:", "::ffff:10.0.0.1"),
    ("IPV6", "[fe80::1%eth0]:80", "fe80::1%eth0]:80"),
    ("HOSTNAME", "host_name", "host"),
    ("HOSTNAME", "- a-b.c, d", "a-b.c"),
    ("QS", r'x "a \"b\" c" "d"', r'"a \"b\" c"'),
    ("QS", r'\"a" "b"', '" "'),
    ("WORD", "한 abc한 def", "def"),
    ("LOGLEVEL", "[WARNING]", "WARNING"),
    ("TIME", "at 112:13:14", "12:13:14"),
    ("MONTHNUM", "12", "1"),
    ("EMAILADDRESS", "<hello.world@123.net>", "hello.world@123.net"),
    ("URI", "see http://a.b/c?d=e now", "http://a.b/c?d=e"),
    ("UUID", "id=123e4567-e89b-12d3-a456-426614174000;", "123e4567-e89b-12d3-a456-426614174000"),
    ("INT", "a-5", "-5"),
    ("SPACE", "a b", ""),
]


@cache
def compiled(engine: Any, text: str) -> Any:
    return engine.compile(compile_grok(text, LIBRARY).source)


def search(engine: Any, name: str, text: str, form: str = "%{{{}:x}}") -> str | None:
    found = compiled(engine, form.format(name)).search(text)
    return found[1] if found else None


def rows(table: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(name, text, id=f"{name}-{text!r}") for name, texts in table.items() for text in texts]


@ENGINES
@pytest.mark.parametrize(("name", "text"), sampled(rows(WHOLE), usual=2))
def test_takes_whole(engine: Any, name: str, text: str) -> None:
    assert search(engine, name, text, r"\A%{{{}:x}}\z") == text


@ENGINES
@pytest.mark.parametrize(("name", "text"), sampled(rows(NOT_WHOLE), usual=2))
def test_does_not_take_whole(engine: Any, name: str, text: str) -> None:
    assert search(engine, name, text, r"\A%{{{}:x}}\z") is None


@ENGINES
@pytest.mark.parametrize(("name", "text"), ABSENT)
def test_is_not_found(engine: Any, name: str, text: str) -> None:
    assert search(engine, name, text) is None


@ENGINES
@pytest.mark.parametrize(("name", "text", "expected"), FOUND)
def test_finds(engine: Any, name: str, text: str, expected: str) -> None:
    assert search(engine, name, text) == expected


def test_every_stock_pattern_compiles_for_re() -> None:
    for name in sampled([*LIBRARY.patterns]):
        assert compile_grok(f"%{{{name}}}", LIBRARY).program.fast is not None, name


def test_every_base_name_is_tested() -> None:
    names = set(parse_patterns((stock_folder() / LEGACY / "base").read_text("utf-8")))
    assert names <= set(WHOLE)
    anything = {"SPACE", "DATA", "GREEDYDATA"}
    assert names - anything <= {*NOT_WHOLE, *(name for name, _ in ABSENT)}


ECS_CASES = [  # pattern, text, fields
    ("SYSLOGPROG", "su", {"process": {"name": "su"}}),
    ("SYSLOGPROG", "postfix/smtpd[1713]", {"process": {"name": "postfix/smtpd", "pid": 1713}}),
    ("SYSLOGFACILITY", "<3.6>", {"log": {"syslog": {"facility": {"code": 3}, "priority": 6}}}),
    (
        "SYSLOGBASE",
        "Mar 16 00:01:25 evita su:",
        {"timestamp": "Mar 16 00:01:25", "host": {"hostname": "evita"}, "process": {"name": "su"}},
    ),
    ("URIHOST", "example.org:8080", {}),
    ("EMAILLOCALPART", "o'neil+tag.1", {}),
    ("EMAILADDRESS", "00@q.ro", {}),
]


@pytest.mark.parametrize(("name", "text", "fields"), ECS_CASES, ids=[f"{case[0]}-{case[1]}" for case in ECS_CASES])
def test_ecs_set(name: str, text: str, fields: dict[str, Any]) -> None:
    event = {"message": text}
    assert build("grok", match={"message": rf"\A%{{{name}}}\z"}, ecs_compatibility="v1")(event)
    assert event == {"message": text, **fields}


@pytest.mark.parametrize(
    ("name", "text", "ecs", "expected"),
    [
        ("EMAILADDRESS", "mailto:foo@x.com", "disabled", "mailto:foo@x.com"),
        ("EMAILADDRESS", "mailto:foo@x.com", "v8", "foo@x.com"),
        ("EMAILADDRESS", "a@b.kr", "disabled", None),
        ("EMAILADDRESS", "a@b.kr", "v8", "a@b.kr"),
        ("IP", "fe80::1%eth0 port 22", "disabled", "fe80::1%eth0 port 22"),
        ("IP", "fe80::1%eth0 port 22", "v8", "fe80::1%eth0 port 22"),
    ],
)
def test_as_in_logstash(name: str, text: str, ecs: str, expected: str | None) -> None:
    event = {"message": text}
    build("grok", match={"message": f"%{{{name}:found}}"}, ecs_compatibility=ecs)(event)
    assert event.get("found") == expected


def test_a_zone_ends_before_what_the_pattern_names_next() -> None:
    event: dict[str, Any] = {"message": "from fe80::1%eth0 port 22"}
    build("grok", match={"message": "from %{IP:ip} port %{INT:port:int}"})(event)
    assert (event["ip"], event["port"]) == ("fe80::1%eth0", 22)
