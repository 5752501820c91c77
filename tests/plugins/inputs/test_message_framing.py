"""How senders of syslog separate messages, and messages of TLS connections."""

from __future__ import annotations

import pytest

from ingestd.plugins.inputs._tcp_recognition import FRAMINGS, Recognition
from ingestd.plugins.inputs.syslog import _framings
from ingestd.protocols.framing.senders import Sender
from ingestd.protocols.records.syslog import message_of_line

CASES: list[tuple[str, bytes, Sender, list[bytes]]] = [  # id, stream, sender, messages
    ("lines", b"<1>a\n<1>b\n", Sender.SYSLOG, [b"<1>a", b"<1>b"]),
    ("nul", b"<1>a\0<1>b\0", Sender.SYSLOG_NUL, [b"<1>a", b"<1>b"]),
    ("nul_after_several_lines", b"<1>a\nb\0<1>c\0", Sender.SYSLOG_NUL, [b"<1>a\nb", b"<1>c"]),
    ("octets", b"6 <1>a\nb4 <1>c", Sender.SYSLOG_OCTETS, [b"<1>a\nb", b"<1>c"]),
]


@pytest.mark.parametrize(
    ("stream", "sender", "messages"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
@pytest.mark.parametrize("offset", [0, 100], ids=["new", "read_on"])
def test_framings_of_syslog(stream: bytes, sender: Sender, messages: list[bytes], offset: int) -> None:
    """The next reader of a connection recognises the same, in the middle of the stream."""
    recognition = Recognition(lambda sender: None, 1000, framings=_framings(1000))
    judged = recognition.judge(stream, offset, ended=False)
    assert judged in ((sender,) if offset == 0 or sender is not Sender.SYSLOG else (Sender.LINES,))
    framing = recognition.framing
    assert framing.whole(bytearray(stream), len(stream)) == len(stream)
    lines = framing.lines(stream)
    assert len(lines) == len(stream)
    assert [message_of_line(line) for line in lines.split(b"\n")[:-1]] == messages


def test_an_input_for_lines_counts_no_octets() -> None:
    recognition = Recognition(lambda sender: None, 1000)
    assert recognition.judge(b"4 <1>c", 0, ended=False) is Sender.SYSLOG_OCTETS
    assert Sender.SYSLOG_OCTETS not in FRAMINGS
    assert recognition.framing.whole(bytearray(b"4 <1>c"), 6) == 0


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ""),
        (b"12", ""),
        (b"900 <1>", ""),
        (b"1000 <1>", "the message is longer than max_line_bytes: 1005 of 1000 bytes allowed"),
        (b"x", "the message does not start with its length"),
    ],
)
def test_what_will_never_be_a_frame(data: bytes, fault: str) -> None:
    found = _framings(1000)[Sender.SYSLOG_OCTETS].fault(bytearray(data), len(data))
    assert found.startswith(fault)
    assert bool(found) == bool(fault)
