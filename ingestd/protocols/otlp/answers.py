"""Answers to requests, as protobuf and as JSON."""

from __future__ import annotations

import orjson

from ingestd.protocols.otlp.protobuf import encoded_bytes, encoded_varint


def answer_body(rejected: int, message: str, *, as_json: bool) -> bytes:
    """Return an ``ExportLogsServiceResponse``.

    Args:
        rejected: How many records were not accepted.
        message: Why.
        as_json: Whether the request was JSON, else protobuf.
    """
    if as_json:
        partial = {"rejectedLogRecords": str(rejected), "errorMessage": message}
        return orjson.dumps({"partialSuccess": partial} if rejected else {})
    if not rejected:
        return b""
    return encoded_bytes(1, b"\x08" + encoded_varint(rejected) + encoded_bytes(2, message.encode()))


def status_body(message: str, *, as_json: bool) -> bytes:
    """Return a ``google.rpc.Status`` with a message."""
    return orjson.dumps({"message": message}) if as_json else encoded_bytes(2, message.encode())
