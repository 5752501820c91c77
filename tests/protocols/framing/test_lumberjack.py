import json
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.framing.lumberjack import (
    EXCERPT_BYTES,
    Decoder,
    Events,
    Item,
    LumberjackError,
    OversizedEvent,
    WindowEnd,
    ack_frame,
)
from tests.lumberjack_writer import AckDecoder, compressed_frame, data_frame, encode_window, json_frame, window_frame

MAX = 40
"""Bytes of an event."""

A, B, C = b'{"a":1}', b'{"b":"\xea\xb0\x80"}', b'{"c":[]}'
LONG = b'{"long":"%b"}' % (b"x" * MAX)


def two() -> bytes:
    return json_frame(1, A) + json_frame(2, B)


CASES = {  # id: (stream, items; consecutive events of a window together)
    "window": (window_frame(2) + two(), [Events([A, B]), WindowEnd(2, 2, 2, 2)]),
    "two_windows": (
        encode_window([A, B], level=0) + encode_window([C], level=0),
        [Events([A, B]), WindowEnd(2, 2, 2, 2), Events([C]), WindowEnd(2, 1, 1, 1)],
    ),
    "numbers_need_not_start_at_1": (
        window_frame(2) + json_frame(2**32 - 1, A) + json_frame(0, B),
        [Events([A, B]), WindowEnd(2, 0, 2, 2)],
    ),
    "compressed": (encode_window([A, B]), [Events([A, B]), WindowEnd(2, 2, 2, 2)]),
    "in_two_compressed_frames": (
        window_frame(2) + compressed_frame(json_frame(1, A)) + compressed_frame(json_frame(2, B)),
        [Events([A, B]), WindowEnd(2, 2, 2, 2)],
    ),
    "window_in_compressed_frame": (
        compressed_frame(window_frame(2) + two()),
        [Events([A, B]), WindowEnd(2, 2, 2, 2)],
    ),
    "compressed_nothing": (
        window_frame(1) + compressed_frame(b"") + json_frame(1, A),
        [Events([A]), WindowEnd(2, 1, 1, 1)],
    ),
    "partial_window": (window_frame(9) + two(), [Events([A, B])]),
    "early_window": (
        window_frame(9) + two() + encode_window([C]),
        [Events([A, B]), WindowEnd(2, 2, 2, 9), Events([C]), WindowEnd(2, 1, 1, 1)],
    ),
    "window_again_before_any_event": (window_frame(9) + encode_window([A]), [Events([A]), WindowEnd(2, 1, 1, 1)]),
    "empty_window": (window_frame(0), [WindowEnd(2, 0, 0, 0)]),
    "no_window": (two(), [Events([A]), WindowEnd(2, 1, 1, 1), Events([B]), WindowEnd(2, 2, 1, 1)]),
    "cut_off": (window_frame(1) + json_frame(1, A)[:-1], []),
    "oversized": (
        window_frame(3) + json_frame(1, A) + json_frame(2, LONG) + json_frame(3, B),
        [Events([A]), OversizedEvent(len(LONG), LONG), Events([B]), WindowEnd(2, 3, 3, 3)],
    ),
    "oversized_last": (
        window_frame(2) + compressed_frame(json_frame(1, A) + json_frame(2, LONG)),
        [Events([A]), OversizedEvent(len(LONG), LONG), WindowEnd(2, 2, 2, 2)],
    ),
    "largest": (
        window_frame(1) + json_frame(1, b"[%b]" % (b" " * (MAX - 2))),
        [Events([b"[%b]" % (b" " * (MAX - 2))]), WindowEnd(2, 1, 1, 1)],
    ),
    "data": (
        window_frame(2, 1) + data_frame(1, [(b"l", b"x"), (b"", b"")]) + data_frame(2, [(b"n", b"\xff\xea\xb0\x80")]),
        [Events([b'{"l": "x", "": ""}', b'{"n": "\\\\xff\\uac00"}']), WindowEnd(1, 2, 2, 2)],
    ),
    "data_oversized": (
        window_frame(2, 1)
        + data_frame(7, [(b"line", b"x" * 30), (b"more", b"y" * 30), (b"z", b"z")])
        + data_frame(8, [(b"a", b"b")]),
        [
            OversizedEvent(94, b"line " + b"x" * 30 + b"more" + b"y" * 30 + b"zz"),
            Events([b'{"a": "b"}']),
            WindowEnd(1, 8, 2, 2),
        ],
    ),
    "data_oversized_at_the_end": (
        window_frame(1, 1) + data_frame(7, [(b"line", b"x" * (MAX + 1))]),
        [OversizedEvent(MAX + 13, b"line" + b"x" * (MAX + 1)), WindowEnd(1, 7, 1, 1)],
    ),
    "json_of_version_1": (
        window_frame(1, 1) + b"1J" + struct.pack(">II", 5, len(A)) + A,
        [Events([A]), WindowEnd(1, 5, 1, 1)],
    ),
}  # fmt: skip

ERRORS = {  # id: (stream, items before the error, what the message says)
    "http": (b"GET / HTTP/1.1\r\n", [], r"version, 1 or 2, and its type, W, J, D or C; b'GET / HTTP/1.1\\r\\n'"),
    "tls": (b"\x16\x03\x01\x02\x00", [], "came, the start of TLS"),
    "json": (A, [], "came, JSON"),
    "version": (b"3W\0\0\0\1", [], "expected a frame of the Lumberjack protocol"),
    "type": (window_frame(1) + b"2X\0\0\0\0", [], "its type, W, J, D or C; b'2X"),
    "acknowledgement": (ack_frame(1), [], "an acknowledgement came: only readers send it"),
    "after_good_events": (window_frame(5) + two() + b"?", [Events([A, B])], "came"),
    "compressed_twice": (
        window_frame(2) + compressed_frame(json_frame(1, A) + compressed_frame(json_frame(2, B))),
        [Events([A])],
        "in a compressed frame, but a compressed frame came",
    ),
    "not_zlib": (b"2C" + struct.pack(">I", 4) + b"abcd", [], "expected zlib data in a compressed frame"),
    "zlib_cut_off": (
        b"2C" + struct.pack(">I", 15) + zlib.compress(json_frame(1, A) * 9)[:15],
        [],
        "the compressed frame ends before it",
    ),
    "after_zlib": (b"2C" + struct.pack(">I", 9) + zlib.compress(b"") + b"x", [], "nothing after the zlib data"),
    "frame_cut_off_in_compressed": (compressed_frame(json_frame(1, A)[:-1]), [], "the last one is cut off"),
    "empty_compressed": (b"2C\0\0\0\0", [], "its length is 0"),
    "empty_event": (json_frame(1, b""), [], "expected an object in JSON, but the length of the event is 0"),
    "no_pairs": (data_frame(1, []), [], "at least one pair"),
    "inflated_too_long": (
        window_frame(999) + compressed_frame(json_frame(1, A) * 500),
        None,
        "a compressed frame holds more than 8192 bytes",
    ),
}  # fmt: skip


def decoder() -> Decoder:
    return Decoder(max_event_bytes=MAX, max_inflated_bytes=8192)


def joined(items: list[Item]) -> list[Item]:
    """Return items with consecutive events together: how they are grouped depends on the pieces."""
    result: list[Item] = []
    for item in items:
        if isinstance(item, Events) and result and isinstance(result[-1], Events):
            result[-1] = Events(result[-1].documents + item.documents)
        else:
            result.append(item)
    return result


def decode(stream: bytes, cuts: list[int]) -> tuple[list[Item], str]:
    """Return the items of a stream that comes in pieces, and the error that ends it."""
    reader, items = decoder(), list[Item]()
    try:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            for item in reader.feed(stream[start:end]):
                items.append(item)
    except LumberjackError as error:
        return joined(items), str(error)
    return joined(items), ""


def every(stream: bytes, step: int) -> list[int]:
    return [*range(step, len(stream), step)]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])  # TCP may cut anywhere
@pytest.mark.parametrize(("stream", "expected"), CASES.values(), ids=CASES.keys())
def test_items(stream: bytes, expected: list[Item], step: int) -> None:
    assert decode(stream, every(stream, step)) == (expected, "")


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize(("stream", "expected", "error"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_name_what_was_expected(stream: bytes, expected: list[Item] | None, error: str, step: int) -> None:
    items, message = decode(stream, every(stream, step))
    if step == 1000:
        assert error.replace("\\\\", "\\") in message
    assert message
    assert expected is None or items == expected


def test_a_decoder_that_failed_stays_so() -> None:
    reader = decoder()
    with pytest.raises(LumberjackError) as first:
        [*reader.feed(b"?")]
    with pytest.raises(LumberjackError, match="expected a frame") as second:
        [*reader.feed(window_frame(1))]
    assert second.value is first.value


def test_where_a_stream_may_end() -> None:
    reader, stream = decoder(), encode_window([A])
    assert reader.waits_for_window
    for at in range(len(stream)):
        [*reader.feed(stream[at : at + 1])]
        assert reader.waits_for_window == (at + 1 == len(stream)), at


documents = st.sampled_from([A, B, C, LONG])
frames = st.one_of(
    st.integers(0, 5).map(window_frame),
    st.builds(json_frame, st.integers(0, 2**32 - 1), documents),
    st.builds(
        data_frame, st.integers(0, 9), st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=30)), max_size=3)
    ),
    st.binary(max_size=3),
)
streams = st.lists(
    st.one_of(
        frames,
        st.builds(compressed_frame, st.lists(frames, max_size=5).map(b"".join)),
        st.builds(encode_window, st.lists(documents, min_size=1, max_size=9), st.sampled_from([0, 1])),
    ),
    max_size=8,
).map(b"".join)


@given(streams, st.data())
def test_every_cut_gives_the_same(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    whole, error = decode(stream, [])
    items, other = decode(stream, cuts)
    assert items == whole
    assert (error == "") == (other == "")  # the message may show fewer of the bytes


@given(st.lists(documents, min_size=1, max_size=50), st.sampled_from([0, 1, 9]), st.integers(1, 99))
def test_what_is_encoded_is_decoded(sent: list[bytes], level: int, step: int) -> None:
    stream = encode_window(sent, level)
    items, error = decode(stream, every(stream, step))
    assert error == ""
    assert items[-1] == WindowEnd(2, len(sent), len(sent), len(sent))
    received = []
    for item in items[:-1]:
        received += item.documents if isinstance(item, Events) else [LONG]
    assert received == sent


@given(st.binary(max_size=200), st.integers(1, 20))
def test_garbage_is_an_error_or_waits(stream: bytes, step: int) -> None:
    items, error = decode(stream, every(stream, step))
    assert isinstance(items, list)
    assert error == "" or "expected" in error or "more than" in error


def test_a_large_window_in_reads_of_the_network() -> None:
    sent = [json.dumps({"n": n, "text": "x" * random.Random(n).randrange(900)}).encode() for n in range(5000)]
    stream = encode_window(sent)
    reader, received, ends = Decoder(), list[bytes](), list[Item]()
    for at in range(0, len(stream), 65536):
        for item in reader.feed(stream[at : at + 65536]):
            received += item.documents if isinstance(item, Events) else []
            ends += [item] if isinstance(item, WindowEnd) else []
    assert received == sent
    assert ends == [WindowEnd(2, 5000, 5000, 5000)]


BOMBS: dict[str, Callable[[], bytes]] = {  # id: what 32 MB of inflated text are; made when they are needed
    "one_event": lambda: json_frame(1, b"[%b]" % (b" " * (32 << 20))),
    "data": lambda: data_frame(1, [(b"n", b" " * (32 << 20))]),
    "many_events": lambda: json_frame(1, b"[%b]" % (b" " * 1000)) * (32 << 10),
}


def read(reader: Decoder, stream: bytes) -> None:
    for at in range(0, len(stream), 65536):
        for item in reader.feed(stream[at : at + 65536]):
            assert not isinstance(item, OversizedEvent) or len(item.excerpt) <= EXCERPT_BYTES


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_memory_is_bounded(text: Callable[[], bytes]) -> None:
    stream = window_frame(2**32 - 1) + compressed_frame(text(), level=9)
    tracemalloc.start()
    try:
        with pytest.raises(LumberjackError, match="more than 30000000 bytes"):
            read(Decoder(max_event_bytes=1 << 20, max_inflated_bytes=30_000_000), stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("step", [1, 4, 100])
def test_acknowledgements(step: int) -> None:
    stream, reader = ack_frame(0) + ack_frame(7) + ack_frame(2**32 - 1, 1), AckDecoder()
    numbers = [number for at in range(0, len(stream), step) for number in reader.feed(stream[at : at + step])]
    assert numbers == [0, 7, 2**32 - 1]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400", b"2W\0\0\0\1", b"3A\0\0\0\1"])
def test_what_is_no_acknowledgement_is_an_error(answer: bytes) -> None:
    with pytest.raises(ValueError, match="expected an acknowledgement"):
        AckDecoder().feed(answer)
