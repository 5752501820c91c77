"""What a client speaks, judged by its first bytes: as tables, cut everywhere, and never for JSON or text."""

import json
import logging
import pickle
import struct
from logging.handlers import SocketHandler

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.protocols.framing.pickles import split_pickles, whole_pickles
from ingestd.protocols.framing.proxy_header import MayBeProxyHeader, ProxyHeader, parse_proxy_header
from ingestd.protocols.framing.senders import MAX_HEAD_BYTES, Sender, recognise

RECORD = logging.makeLogRecord(
    {"name": "shop", "msg": "서울 %s", "args": ("x",), "levelno": 30, "levelname": "WARNING"}
)
PICKLED = SocketHandler("localhost", 1).makePickle(RECORD)
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
V2_IPV4 = V2 + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 9, 198, 51, 100, 1]) + struct.pack(">HH", 40000, 5959)
V2_IPV6 = V2 + b"\x21\x21\x00\x24" + bytes.fromhex("20010db8" + "00" * 11 + "09") + bytes(16) + struct.pack(">HH", 7, 8)
V2_TLV = V2 + b"\x21\x11\x00\x10" + V2_IPV4[16:] + b"\x04\x00\x01a"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32))


def framed(protocol: int) -> bytes:
    data = pickle.dumps({"msg": "a", "name": "shop"}, protocol)
    return struct.pack(">L", len(data)) + data


CASES = {  # id: (first bytes, verdict)
    "socket_handler": (PICKLED, Sender.PICKLE),
    **{f"pickle_{protocol}": (framed(protocol), Sender.PICKLE) for protocol in range(6)},
    "pickle_of_10_bytes": (b"\0\0\0\n\x80\x04}\x94K\x01K\x02s.", Sender.PICKLE),
    "syslog_5424": (b"<165>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - 'su root' failed\n", Sender.SYSLOG),
    "syslog_3164": (b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed\n<34>", Sender.SYSLOG),
    "syslog_handler": ("<12>서울\0".encode(), Sender.SYSLOG_NUL),
    "syslog_handler_trace": (b"<12>a\0<11>b\nTraceback\0", Sender.SYSLOG_NUL),
    "syslog_octet_counting": (b"83 <165>1 2003-10-11T22:14:15.003Z", Sender.SYSLOG_OCTETS),
    "gelf": (b'{"version":"1.1","host":"a","short_message":"b\\n"}\0{', Sender.GELF),
    "gelf_indented": (b'{"version":"1.1"}\0{\n}\0', Sender.GELF),
    "beats": (b"2W\x00\x00\x08\x002C\x00\x00\x01\x00", Sender.BEATS),
    "beats_window_10": (b"2W\x00\x00\x00\n2J", Sender.BEATS),
    "logstash_forwarder": (b"1W\x00\x00\x00\x021D", Sender.BEATS),
    "http": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Sender.HTTP),
    "http_post": (b"POST /log?x=1 HTTP/1.1\r\ncontent-type: application/json\r\n", Sender.HTTP),
    "http_1_0": (b"GET /metrics HTTP/1.0\r\n\r\n", Sender.HTTP),
    "http_2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sender.HTTP),
    "http_version_control": (b"VERSION-CONTROL /a HTTP/1.1\r\nHost: a\r\n", Sender.HTTP),
    "tls_1_3": (HELLO, Sender.TLS),
    "tls_line_feeds": (b"\x16\x03\x01\n\n\x01\n\n\n", Sender.TLS),
    "ssl_3": (b"\x16\x03\x00\x00\x2f\x01\x00", Sender.TLS),
    "proxy_1": (b"PROXY TCP4 192.0.2.9 198.51.100.1 40000 5959\r\n{}\n", Sender.PROXY),
    "proxy_1_unknown": (b"PROXY UNKNOWN\r\n", Sender.PROXY),
    "proxy_2": (V2_IPV4 + b"{", Sender.PROXY),
    "proxy_2_local": (V2 + b"\x20\x00\x00\x00", Sender.PROXY),
    # lines
    "json": (b'{"@timestamp":"2026-11-20T10:00:00Z","message":"a"}\n', Sender.LINES),
    "json_of_syslog": (b'{"message":"<13>a\\u0000"}\n', Sender.LINES),
    "json_then_nul": (b"{}\n{}\0", Sender.LINES),
    "json_array": (b"[{}]\n", Sender.LINES),
    "text_with_nul": (b"{a\0b}\n", Sender.LINES),
    "hello": (b"hello\n", Sender.LINES),
    "blank_lines": (b"\r\n\r\n{}\n", Sender.LINES),
    "nul_first": (b'\0\0\0\0{"message":"a"}\n', Sender.LINES),
    "nul_first_brace": (b"\0\0\0\0}q\n...", Sender.LINES),
    "tag": (b"<b>bold</b>\n", Sender.LINES),
    "pri_192": (b"<192>a\n", Sender.LINES),
    "pri_zero_led": (b"<013>a\n", Sender.LINES),
    "access_line": (b'192.0.2.1 - - [01/Jan/2026:00:00:00 +0900] "GET / HTTP/1.1" 200 5\r\nHost: a\n', Sender.LINES),
    "request_line_lf": (b"GET / HTTP/1.1\nHost: a\n", Sender.LINES),
    "request_lines_crlf": (b"GET /a HTTP/1.1\r\nGET /b HTTP/1.1\r\n", Sender.LINES),
    "number": (b"2\n3\n", Sender.LINES),
    "time": (b"2026-11-20 10:00:00 <13>\n", Sender.LINES),
    "two_words": (b"2Words\n", Sender.LINES),
    "2W": (b"2W\n", Sender.LINES),
    "proxy_text": (b"PROXY is down\r\nx\n", Sender.LINES),
    "proxy_bad_address": (b"PROXY TCP4 999.0.2.9 198.51.100.1 1 2\r\n", Sender.LINES),
    "korean": ("서울 맛집\n".encode("cp949"), Sender.LINES),
    "utf_16": ("{}\n".encode("utf-16"), Sender.LINES),
}


@pytest.mark.parametrize(("stream", "sender"), CASES.values(), ids=CASES.keys())
def test_senders(stream: bytes, sender: Sender) -> None:
    assert recognise(stream) is sender
    assert recognise(stream, ended=True) is sender


@pytest.mark.parametrize(("stream", "sender"), CASES.values(), ids=CASES.keys())
def test_byte_by_byte_there_is_no_verdict_and_then_the_right_one(stream: bytes, sender: Sender) -> None:
    verdicts = [recognise(stream[:size]) for size in range(len(stream) + 1)]
    first = next(size for size, verdict in enumerate(verdicts) if verdict is not None)
    assert set(verdicts[:first]) == {None}
    assert set(verdicts[first:]) == {sender}


@pytest.mark.parametrize(("stream", "sender"), CASES.values(), ids=CASES.keys())
def test_at_the_end_there_is_always_a_verdict(stream: bytes, sender: Sender) -> None:
    assert None not in {recognise(stream[:size], ended=True) for size in range(len(stream) + 1)}


@given(st.binary(max_size=80), st.integers(0, 80))
def test_more_bytes_do_not_change_a_verdict(stream: bytes, size: int) -> None:
    assert recognise(stream[:size]) in (None, recognise(stream))


@given(st.sampled_from([stream for stream, _ in CASES.values()]), st.binary(max_size=20), st.integers(0, 200))
def test_more_bytes_do_not_change_the_verdict_of_a_case(stream: bytes, more: bytes, size: int) -> None:
    stream = (stream[:size] + more)[: size + 30]
    assert all(recognise(stream[:end]) in (None, recognise(stream)) for end in range(len(stream)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_json_lines_are_lines_as_soon_as_the_first_is_complete(record: dict[str, object], ascii_only: bool) -> None:
    line = json.dumps(record, ensure_ascii=ascii_only).encode(errors="surrogatepass") + b"\n"
    assert recognise(line[:MAX_HEAD_BYTES]) is Sender.LINES


@example("\x16")
@given(st.text(st.characters(blacklist_characters="\0\r\x03", blacklist_categories=["Cs"]), min_size=1))
def test_text_is_lines_as_soon_as_the_first_is_complete(text: str) -> None:
    assert recognise(text.encode() + b"\n") in (Sender.LINES, Sender.SYSLOG, Sender.SYSLOG_OCTETS)


def test_long_first_records_are_lines() -> None:
    assert recognise(b"{" + b" " * MAX_HEAD_BYTES) is Sender.LINES
    assert recognise(b"<13>" + b" " * MAX_HEAD_BYTES) is Sender.SYSLOG


HEADERS = {  # id: (bytes, header)
    "v1": (b"PROXY TCP4 192.0.2.9 198.51.100.1 40000 5959\r\nx", ProxyHeader(46, 1, "192.0.2.9", 40000)),
    "v1_ipv6": (b"PROXY TCP6 2001:db8::9 ::1 1 2\r\n", ProxyHeader(32, 1, "2001:db8::9", 1)),
    "v1_unknown": (b"PROXY UNKNOWN ffff::1 ::2 1 2\r\n", ProxyHeader(31, 1)),
    "v2": (V2_IPV4 + b"x", ProxyHeader(28, 2, "192.0.2.9", 40000)),
    "v2_ipv6": (V2_IPV6, ProxyHeader(52, 2, "2001:db8::9", 7)),
    "v2_tlv": (V2_TLV + b"x", ProxyHeader(32, 2, "192.0.2.9", 40000)),
    "v2_local": (V2 + b"\x20\x11\x00\x0c" + bytes(12), ProxyHeader(28, 2)),
    "v2_unix": (V2 + b"\x21\x31\x00\xd8" + bytes(216), ProxyHeader(232, 2)),
    "none": (b"PROXIES\r\n", None),
    "v3": (V2 + b"\x31\x11\x00\x0c" + bytes(12), None),
    "v1_too_long": (b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n", None),
}


@pytest.mark.parametrize(("stream", "header"), HEADERS.values(), ids=HEADERS.keys())
def test_proxy_headers(stream: bytes, header: ProxyHeader | None) -> None:
    assert parse_proxy_header(stream) == header
    for size in range(header.size if header else 0):
        with pytest.raises(MayBeProxyHeader):
            parse_proxy_header(stream[:size])


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(0, 300))
def test_pickles_are_cut_out_whole(pickles: list[bytes], cut: int) -> None:
    frames = [struct.pack(">L", len(data)) + data for data in pickles]
    stream = b"".join(frames)[:cut]
    whole = whole_pickles(stream + b"garbage", len(stream), 1000)
    found = split_pickles(stream[:whole])
    assert found == pickles[: len(found)]
    assert len(stream) - whole < (len(frames[len(found)]) if len(found) < len(frames) else 1)


def test_pickles_that_are_too_long_are_no_whole_ones() -> None:
    stream = struct.pack(">L", 6) + b"abcdef" + struct.pack(">L", 7) + b"abcdefg"
    assert whole_pickles(stream, len(stream), 10) == 10
    assert whole_pickles(stream, len(stream), 11) == 21
