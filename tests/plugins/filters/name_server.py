"""A name server on this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Literal

from tests.threads import Background

Kind = Literal["A", "AAAA", "PTR"]
Answer = str | int | None
"""An address or name, the code of a failure, or None: the question is not answered."""

TYPES: dict[int, Kind] = {1: "A", 28: "AAAA", 12: "PTR"}


class NameServer:
    """Answers with ``records``; names that are not among them do not exist. ``asked`` are the questions it got."""

    def __init__(self, records: Mapping[tuple[str, Kind], Answer]) -> None:
        self.records = dict(records)
        self.asked: list[tuple[str, Kind]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(4096)
            if not data:
                return
            if (response := self._response(data)) is not None:
                self._socket.sendto(b"not a response", sender)
                self._socket.sendto(response[:1] + bytes([response[1] ^ 1]) + response[2:], sender)  # another number
                self._socket.sendto(response, sender)

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self._socket.getsockname())

    def close(self) -> None:
        self._socket.close()

    def _response(self, data: bytes) -> bytes | None:
        end = data.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = TYPES[struct.unpack_from("!H", data, end + 1)[0]]
        question = (".".join(labels), kind)
        self.asked.append(question)
        known = {name for name, _ in self.records}
        answer = self.records.get(question, 3 if question[0] not in known else "")
        if answer is None:
            return None
        value = b"" if isinstance(answer, int) or not answer else self._value(answer)
        record = b"\xc0\x0c" + data[end + 1 : end + 5] + struct.pack("!IH", 60, len(value)) + value if value else b""
        code = answer if isinstance(answer, int) else 0
        return data[:2] + struct.pack("!5H", 0x8180 | code, 1, bool(value), 0, 0) + data[12 : end + 5] + record

    @staticmethod
    def _value(answer: str) -> bytes:
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(answer).packed
        return b"".join(bytes([len(label)]) + label.encode() for label in answer.split(".")) + b"\0"


@contextlib.contextmanager
def name_server(records: Mapping[tuple[str, Kind], Answer]) -> Iterator[NameServer]:
    server = NameServer(records)
    try:
        with Background(server.serve, server.stop):
            yield server
    finally:
        server.close()
