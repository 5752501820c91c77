"""Datagrams as lines, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.framing.datagrams import datagram_of, line_of


@given(
    st.one_of(st.binary(max_size=40), st.text("\0\nn0 a", max_size=20).map(str.encode)),
    st.sampled_from([b"", b"10.0.0.1", b"fe80::1%eth0"]),
)
def test_datagrams_come_back(datagram: bytes, sender: bytes) -> None:
    line = line_of(datagram, sender)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert datagram_of(line[:-1]) == (sender, datagram)
