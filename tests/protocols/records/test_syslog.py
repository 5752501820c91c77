"""Messages of syslog, and the frames that they come in over TCP."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.protocols.records.syslog import (
    FrameError,
    SyslogMessage,
    frame_end,
    frames_as_lines,
    message_of_line,
    nul_ended_as_lines,
    parse_syslog,
    priority,
    whole_frames,
)

BSD = "Nov 29 16:15:17"

CASES: list[tuple[str, str, SyslogMessage | None]] = [  # id, text, message
    ("bsd", f"<34>{BSD} web1 su[12]: failed", SyslogMessage(34, BSD, "web1", "su", "12", "failed")),
    ("bsd_without_pid", f"<34>{BSD} web1 su: failed", SyslogMessage(34, BSD, "web1", "su", "", "failed")),
    ("bsd_one_digit_day", "<0>Oct  1 22:14:15 web1 su: x", SyslogMessage(0, "Oct  1 22:14:15", "web1", "su", "", "x")),
    ("bsd_fraction", f"<1>{BSD}.123 web1 su: x", SyslogMessage(1, f"{BSD}.123", "web1", "su", "", "x")),
    (
        "bsd_without_program",
        f"<13>{BSD} web1 Hello there: you",
        SyslogMessage(13, BSD, "web1", message="Hello there: you"),
    ),
    ("bsd_only_a_host", f"<13>{BSD} web1", SyslogMessage(13, BSD, "web1")),
    ("bsd_host_ipv6", f"<13>{BSD} fe80::1%eth0 su: x", SyslogMessage(13, BSD, "fe80::1%eth0", "su", "", "x")),
    ("bsd_empty_message", f"<13>{BSD} web1 su:", SyslogMessage(13, BSD, "web1", "su")),
    (
        "bsd_program_with_a_slash",
        f"<22>{BSD} mx postfix/smtpd[9]: hi",
        SyslogMessage(22, BSD, "mx", "postfix/smtpd", "9", "hi"),
    ),
    ("bsd_program_with_colons", f"<22>{BSD} mx A::B: hi", SyslogMessage(22, BSD, "mx", "A::B", "", "hi")),
    ("bsd_pid_no_number", f"<22>{BSD} mx app[main]: hi", SyslogMessage(22, BSD, "mx", message="app[main]: hi")),
    ("local", f"<13>{BSD} root[7]: hi", SyslogMessage(13, BSD, "", "root", "7", "hi")),
    ("local_without_pid", f"<13>{BSD} root: hi there", SyslogMessage(13, BSD, "", "root", "", "hi there")),
    (
        "rsyslog_forward_format",
        "<30>2026-11-29T16:15:17.123456+09:00 web1 app[3]: 서울",
        SyslogMessage(30, "2026-11-29T16:15:17.123456+09:00", "web1", "app", "3", "서울"),
    ),
    ("several_lines", f"<30>{BSD} web1 app: a\n b\n", SyslogMessage(30, BSD, "web1", "app", "", "a\n b")),
    ("python_nul", f"<30>{BSD} web1 app: a\0", SyslogMessage(30, BSD, "web1", "app", "", "a")),
    (
        "rfc_5424",
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47"
        ' [exampleSDID@32473 iut="3" eventSource="Application"][examplePriority@32473 class="high"] \ufeffAn entry',
        SyslogMessage(
            165,
            "2003-10-11T22:14:15.003Z",
            "mymachine.example.com",
            "evntslog",
            "",
            "An entry",
            1,
            "ID47",
            {
                "exampleSDID@32473": {"iut": "3", "eventSource": "Application"},
                "examplePriority@32473": {"class": "high"},
            },
        ),
    ),
    ("rfc_5424_nothing", "<0>1 - - - - - -", SyslogMessage(0, version=1)),
    ("rfc_5424_only_a_message", "<0>1 - - - - - - -", SyslogMessage(0, version=1, message="-")),
    ("rfc_5424_dash_in_the_message", "<0>1 - - - - - -x", SyslogMessage(0, version=1, message="-x")),
    ("rfc_5424_empty_element", "<0>1 - - - - - [a@1]", SyslogMessage(0, version=1, structured_data={"a@1": {}})),
    (
        "rfc_5424_escapes",
        r'<0>1 - - - - - [a b="\"\\\]\n" b="]"] x',
        SyslogMessage(0, version=1, message="x", structured_data={"a": {"b": ['"\\]\\n', "]"]}}),
    ),
    (
        "rfc_5424_parameter_three_times",
        '<0>1 - - - - - [o ip="1" ip="2" ip="3"] x',
        SyslogMessage(0, version=1, message="x", structured_data={"o": {"ip": ["1", "2", "3"]}}),
    ),
    (
        "rfc_5424_element_twice",
        '<0>1 - - - - - [o ip="1"][o b="2"] x',
        SyslogMessage(0, version=1, message="x", structured_data={"o": {"ip": "1", "b": "2"}}),
    ),
    ("rfc_5424_no_structured_data", "<0>1 - h a 1 m text", SyslogMessage(0, "", "h", "a", "1", "text", 1, "m")),
    (
        "rfc_5424_broken_structured_data",
        "<0>1 - h a 1 m [x y] t",
        SyslogMessage(0, "", "h", "a", "1", "[x y] t", 1, "m"),
    ),
    (
        "rfc_5424_broken_second_element",
        '<0>1 - h a 1 m [x y="1"][z',
        SyslogMessage(0, "", "h", "a", "1", "[z", 1, "m", {"x": {"y": "1"}}),
    ),
    ("only_a_priority", "<14>text", None),
    ("priority_too_large", f"<192>{BSD} web1 su: x", None),
    ("priority_with_a_leading_zero", f"<013>{BSD} web1 su: x", None),
    ("no_priority", f"{BSD} web1 su: x", None),
    ("nothing", "", None),
    ("cisco", "<189>123: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x", None),
    ("header_too_short", "<14>1 - - -", None),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_messages(text: str, expected: SyslogMessage | None) -> None:
    assert parse_syslog(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("<0>", 0), ("<191>x", 191), ("<192>", None), ("<1", None), ("<>", None), (" <1>", None)]
)
def test_priority(text: str, expected: int | None) -> None:
    assert priority(text) == expected


@given(st.text(st.sampled_from('<>1-[] ="\\]a:\0\n'), max_size=60))
def test_no_text_raises(rest: str) -> None:
    for start in ("", "<13>", f"<13>{BSD} ", "<13>1 - - - - - "):
        parse_syslog(start + rest)


@pytest.mark.parametrize("part", ["[a ", '[a b="', "\\", 'b="c" ', "x:", "[1]", "a "])
def test_time_is_linear(part: str) -> None:
    """Quadratic time would be minutes."""
    for before in (f"<13>{BSD} ", "<13>1 - - - - - ", "<13>1 - - - - - [a"):
        parse_syslog(before + part * (200_000 // len(part)))


names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='=]"['), min_size=1, max_size=8)
values = st.text(max_size=12).filter(lambda text: "\0" not in text)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=3), max_size=3))
def test_structured_data_comes_back(data: dict[str, dict[str, str]]) -> None:
    text = ""
    for name, element in data.items():
        parameters = [f' {key}="{_escaped(value)}"' for key, value in element.items()]
        text += f"[{name}{''.join(parameters)}]"
    message = parse_syslog(f"<14>1 - - - - - {text or '-'} hello")
    assert message is not None
    assert (message.structured_data, message.message) == (data, "hello")


FRAMES: list[tuple[str, bytes, int, list[bytes]]] = [  # id, data, whole bytes, messages of the lines
    ("nothing", b"", 0, []),
    ("one", b"5 <1>ab", 7, [b"<1>ab"]),
    ("two", b"5 <1>ab10 <1>abcdefg", 20, [b"<1>ab", b"<1>abcdefg"]),
    ("line_feeds", b"6 <1>a\nb3 c\nd", 13, [b"<1>a\nb", b"c\nd"]),
    ("incomplete", b"5 <1>ab5 <1>a", 7, [b"<1>ab"]),
    ("length_incomplete", b"5 <1>ab12", 7, [b"<1>ab"]),
    ("garbage_after_it", b"5 <1>abx", 7, [b"<1>ab"]),
]


@pytest.mark.parametrize(("data", "whole", "messages"), [case[1:] for case in FRAMES], ids=[case[0] for case in FRAMES])
def test_frames(data: bytes, whole: int, messages: list[bytes]) -> None:
    assert whole_frames(bytearray(data + b"5 <1>ab"), len(data)) == whole
    lines = frames_as_lines(data[:whole])
    assert len(lines) == whole, "lines are at the offsets of their frames"
    assert [message_of_line(line) for line in lines.split(b"\n")[:-1]] == messages


@pytest.mark.parametrize(
    ("data", "expected"), [(b"5 ab", 7), (b"", None), (b"5", None), (b"12345 ", 12351), (b"12", None)]
)
def test_where_a_frame_ends(data: bytes, expected: int | None) -> None:
    assert frame_end(data) == expected


@pytest.mark.parametrize("data", [b"x", b"0 a", b"<13>x", b"12x", b"1234567890 x", b" 1 x"])
def test_no_frame(data: bytes) -> None:
    with pytest.raises(FrameError):
        frame_end(data)


def test_a_frame_that_was_cut_is_a_line() -> None:
    assert frames_as_lines(b"5 <1>ab9 <1>a\nb") == b"\0<1>ab\n\0<1>a\0b\n"


MESSAGES = st.binary(min_size=1, max_size=30).filter(lambda data: b"\0" not in data and not data.startswith(b"\n"))


@given(st.lists(MESSAGES, max_size=6))
@example([b"<1>a\n", b"\x01\n\n"])
def test_messages_of_frames_come_back(messages: list[bytes]) -> None:
    """Line feeds at the start of a message, which is no place for them, do not."""
    counted = b"".join(b"%d %b" % (len(message), message) for message in messages)
    assert whole_frames(bytearray(counted), len(counted)) == len(counted)
    assert [message_of_line(line) for line in frames_as_lines(counted).split(b"\n")[:-1]] == messages
    ended = b"".join(message + b"\0" for message in messages)
    assert [message_of_line(line) for line in nul_ended_as_lines(ended).split(b"\n")[:-1]] == messages
