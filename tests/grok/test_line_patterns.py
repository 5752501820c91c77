"""Patterns for whole log lines: the fields that come out."""

from __future__ import annotations

import pytest

from ingestd.grok.compile import compile_grok
from ingestd.grok.library import load_library

LIBRARY = load_library()
APACHE = (
    '83.149.9.216 - - [24/Feb/2015:23:13:42 +0000] "GET /images/kibana-search.png HTTP/1.1" 200 203023 '
    '"http://semicomplete.com/presentations/" "Mozilla/5.0 (X11; \\"quoted\\") Gecko"'
)
RFC5424_TAG = "".join(chr(code) for code in range(33, 127) if chr(code) not in "[]")

CASES = [  # id, pattern, line, some of the fields; None: the field is not there
    (
        "combined", "COMBINEDAPACHELOG", APACHE,
        {
            "clientip": "83.149.9.216", "ident": "-", "auth": "-", "timestamp": "24/Feb/2015:23:13:42 +0000",
            "verb": "GET", "request": "/images/kibana-search.png", "httpversion": "1.1", "response": "200",
            "bytes": "203023", "referrer": '"http://semicomplete.com/presentations/"',
            "agent": '"Mozilla/5.0 (X11; \\"quoted\\") Gecko"', "rawrequest": None,
        },
    ),
    ("common_in_a_longer_line", "COMMONAPACHELOG", APACHE, {"clientip": "83.149.9.216", "agent": None}),
    (
        "email_as_auth", "HTTPD_COMBINEDLOG",
        '10.0.0.1 - username@example.com [07/Apr/2016:18:42:24 +0000] "GET /bar?a=b HTTP/1.1" 400 75 "" "iPad"',
        {"auth": "username@example.com", "referrer": '""', "request": "/bar?a=b"},
    ),
    (
        "no_response_code", "HTTPD_COMBINEDLOG",
        '83.149.9.216 - a.user [11/Jan/2020:23:05:27 +0100] "OPTIONS /remote.php/ HTTP/1.1" - 7908 "-" "m (v2.2)"',
        {"verb": "OPTIONS", "response": None, "bytes": "7908", "auth": "a.user"},
    ),
    (
        "raw_request", "COMMONAPACHELOG", '1.2.3.4 - - [11/Jan/2020:23:05:27 +0100] "\\x16\\x03" 400 -',
        {"rawrequest": "\\x16\\x03", "verb": None, "bytes": None, "response": "400"},
    ),
    (
        "error_24_full", "HTTPD_ERRORLOG",
        "[Mon Aug 31 09:30:48.958285 2015] [proxy_fcgi:error] [pid 28787:tid 140169587934976] (70008)Partial "
        "results: [client 58.13.45.166:59307] AH01075: Error dispatching request to : (brigade), referer: http://e/x",
        {
            "timestamp": "Mon Aug 31 09:30:48.958285 2015", "module": "proxy_fcgi", "loglevel": "error",
            "pid": "28787", "tid": "140169587934976", "proxy_errorcode": "70008", "proxy_message": "Partial results",
            "clientip": "58.13.45.166", "clientport": "59307", "errorcode": "AH01075",
            "message": "Error dispatching request to : (brigade), referer: http://e/x",
        },
    ),
    (
        "error_22", "HTTPD_ERRORLOG",
        "[Mon Aug 31 16:27:04 2015] [error] [client 10.17.42.3] Premature end of script headers: example.com",
        {
            "timestamp": "Mon Aug 31 16:27:04 2015", "loglevel": "error", "clientip": "10.17.42.3", "errorcode": None,
            "message": "Premature end of script headers: example.com",
        },
    ),
    (
        "error_24_without_thread", "HTTPD_ERRORLOG",
        "[Thu Apr 27 10:39:46.719636 2017] [php7:notice] [pid 17] [client 10.255.0.3:49580] Test error log record",
        {"module": "php7", "pid": "17", "tid": None, "clientport": "49580", "message": "Test error log record"},
    ),
    (
        "error_24_without_module", "HTTPD_ERRORLOG",
        "[Tue Apr 14 14:27:52.605084 2020] [:error] [pid 5688] [client 192.168.10.110:8196] script '/x' not found",
        {"module": None, "loglevel": "error", "pid": "5688"},
    ),
    (
        "error_24_debug", "HTTPD_ERRORLOG",
        "[Fri Feb 01 22:03:08.319124 2019] [authz_core:debug] [pid 9:tid 140597881775872] mod_authz_core.c(820): "
        "[client 172.17.0.1:50752] AH01626: granted",
        {
            "errorcode": "mod_authz_core.c(820)", "clientip": None,
            "message": "[client 172.17.0.1:50752] AH01626: granted",
        },
    ),
    (
        "syslog", "SYSLOGLINE",
        "Mar 16 00:01:25 evita postfix/smtpd[1713]: connect from camomile.cloud9.net[168.100.1.3]",
        {
            "timestamp": "Mar 16 00:01:25", "logsource": "evita", "program": "postfix/smtpd", "pid": "1713",
            "message": "connect from camomile.cloud9.net[168.100.1.3]",
        },
    ),
    (
        "syslog_rfc5424_tag", "SYSLOGLINE", f"May 11 15:40:51 meow.soy.se {RFC5424_TAG}: Just some data",
        {"logsource": "meow.soy.se", "program": RFC5424_TAG, "message": "Just some data"},
    ),
    (
        "syslog_without_program", "SYSLOGLINE", "<14>Jun 24 10:32:02 win-host WinFileService Event: read, Path: /.DS",
        {"logsource": "win-host", "program": None, "message": "WinFileService Event: read, Path: /.DS"},
    ),
    (
        "syslog_base", "SYSLOGBASE", "Mar 16 00:01:25 <13.6> evita su: x",
        {"facility": "13", "priority": "6", "program": "su", "pid": None},
    ),
    (
        "rfc5424", "SYSLOG5424LINE",
        '<191>1 2009-06-30T18:30:00+02:00 paxton.local grokdebug 4123 - [id1 foo="bar"][id2 baz="x"] Hello, syslog.',
        {
            "syslog5424_pri": "191", "syslog5424_ver": "1", "syslog5424_ts": "2009-06-30T18:30:00+02:00",
            "syslog5424_host": "paxton.local", "syslog5424_app": "grokdebug", "syslog5424_proc": "4123",
            "syslog5424_msgid": None, "syslog5424_sd": '[id1 foo="bar"][id2 baz="x"]',
            "syslog5424_msg": "Hello, syslog.",
        },
    ),
    (
        "rfc5424_nothing", "SYSLOG5424LINE", "<174>1 2003-08-24T05:14:15+00:00 - - - - - IN=enx OUT= MAC=01:00",
        {"syslog5424_host": None, "syslog5424_app": None, "syslog5424_msg": "IN=enx OUT= MAC=01:00"},
    ),
    (
        "rfc5424_missing_data", "SYSLOG5424LINE",
        "<191>1 2009-06-30T18:30:00+02:00 paxton.local grokdebug  4123 -  Additional spaces and missing SD.",
        {"syslog5424_proc": "4123", "syslog5424_sd": None, "syslog5424_msg": "Additional spaces and missing SD."},
    ),
    (
        "rfc5424_ipv6", "SYSLOG5424LINE",
        "<174>1 1995-04-12T23:20:50.52Z 2000:6a0:b:315:10:23:4:13 named 2255 - -  info: client",
        {"syslog5424_host": "2000:6a0:b:315:10:23:4:13", "syslog5424_ts": "1995-04-12T23:20:50.52Z"},
    ),
    (
        "rfc5424_data_then_brackets", "SYSLOG5424LINE",
        '<34>1 2012-12-19T01:45:54.001234+11:30 rufus - - - [a@3 iut="3"][b@4 class="high"] [down]',
        {"syslog5424_sd": '[a@3 iut="3"][b@4 class="high"]', "syslog5424_msg": "[down]"},
    ),
    (
        "pam", "SYSLOGPAMSESSION",
        "Jul 14 13:36:03 precision pkexec: pam_unix(polkit-1:session): session opened for user root by (uid=1001)",
        {
            "pam_module": "pam_unix", "pam_caller": "polkit-1:session", "pam_session_state": "opened",
            "username": "root", "pam_by": "(uid=1001)",
            "message": "pam_unix(polkit-1:session): session opened for user root by (uid=1001)",
        },
    ),
    (
        "cron", "CRONLOG",
        "Jul 17 12:17:01 precision CRON[869568]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
        {"pid": "869568", "user": "root", "action": "CMD", "message": "   cd / && run-parts --report /etc/cron.hourly"},
    ),
]  # fmt: skip


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "line", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_fields(name: str, line: str, expected: dict[str, str | None]) -> None:
    pattern = compile_grok(f"%{{{name}}}", LIBRARY)
    found = pattern.matcher().search(line)
    assert found is not None
    fields: dict[str, str] = {}
    for capture in pattern.captures:
        if found[capture.group] is not None:
            assert capture.field not in fields
            fields[capture.field] = found[capture.group]
    assert {field: fields.get(field) for field in expected} == expected


def test_line_without_host_is_no_syslog_line() -> None:
    pattern = compile_grok("^%{SYSLOGBASE}", LIBRARY)
    assert pattern.matcher().search("Jan 11 22:33:44 su: 'su root' failed") is None
